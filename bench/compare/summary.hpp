// summary.hpp: what the slices of the servers of one load say together.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/histogram.hpp"
#include "duel/living.hpp"
#include "duel/rounds.hpp"
#include "run/runner.hpp"
#include "run/servers.hpp"
#include "run/workloads.hpp"

namespace anel_bench {

struct measured_server {
    server_spec spec;
    bool reference_again = false;
    std::string left_out;                // why it does not take part; empty when it does
    std::vector<std::string> errors;     // after one it took no further part
    std::vector<server_life> lives;      // of the starts it came through
    std::optional<call_counts> counted;  // in a slice of its own
};

struct measured_cell {
    workload work;
    std::vector<measured_server> servers;  // the reference first, its repetition last
    std::vector<duel_start> starts;        // by place in `servers`
};

/// What a server does by itself. Two servers are compared by their pairs, not by these.
struct summary {
    double rate = 0;                 // requests/s, the median of the slices
    double cpu_ns = 0;               // of a request, the same
    double system_share = 0;         // of the CPU time
    std::optional<double> switches;  // of context, in a request; where it can be told
    double connection_bytes = 0;     // of resident memory, for each connection
    double lost_share = 0;           // UDP
    double megabytes = 0;            // of replies, a second
    double generator_share = 0;      // of its CPU
    double generator_waited = 0;     // for a CPU, as a share of the time
    histogram latency;               // of all slices, merged
    histogram setup;
    std::string invalid;  // open loop: why the latencies say nothing; empty when they do
    std::string details;
    std::size_t starts = 0;
    [[nodiscard]] bool measured() const noexcept { return cpu_ns > 0; }
};
summary summarise(const measured_server& server, const load_options& load);

/// A run counts when it has no error and was not disturbed.
bool counts(const run_result& run);

/// `own` against `other`, places in `cell.servers`, from pairs.
duel_figures duel_of(const measured_cell& cell, std::size_t own, std::size_t other);
/// The same by name; nothing where one of them was not measured.
std::optional<duel_figures> duel_of(const measured_cell& cell, const std::string& own,
                                    const std::string& other);

/// How far the interval of the reference against a second process of itself reaches from 1, as
/// shares. Nothing smaller is a difference; infinite when that is not known.
struct noise_floors {
    double cpu = 0, rate = 0, p99 = 0;
};
noise_floors noise_of(const measured_cell& cell);

enum class verdict { tie, lower, higher };
/// Of a ratio: a tie when its interval holds 1, when it is not known, or when the ratio is no
/// further from 1 than `noise`.
verdict decide(const ratio_estimate& found, double noise);
const char* name_of(verdict came_out);

/// Pairs of servers, own and other, that reports tell of besides each against the reference.
struct pair_of_servers {
    const char* own;
    const char* other;
};
const std::vector<pair_of_servers>& told_pairs();

/// What io_uring did worse than readiness or blocking, computed: nobody chooses what is said.
struct loss {
    std::string workload;
    std::string ring;   // the server on io_uring
    std::string other;  // the one that was better
    std::string what;   // "CPU a request", "requests/s" or "p99"
    double factor = 1;  // how much worse, above 1
};
std::vector<loss> losses_of(const measured_cell& cell);
/// How many comparisons of the same kind came out the other way, and as ties.
struct score {
    std::size_t wins = 0, ties = 0, losses = 0;
    score& operator+=(const score& more) {
        wins += more.wins;
        ties += more.ties;
        losses += more.losses;
        return *this;
    }
};
struct scores {
    score readiness, blocking;  // against epoll and poll(2); against threads
};
scores scores_of(const measured_cell& cell);

}  // namespace anel_bench
