// summary.hpp: what several runs of one server under one load say together.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/histogram.hpp"
#include "common/statistics.hpp"
#include "run/runner.hpp"
#include "run/servers.hpp"
#include "run/workloads.hpp"

namespace anel_bench {

struct measured_server {
    server_spec spec;
    bool reference_again = false;
    std::string left_out;  // why it does not take part; empty when it does
    std::vector<run_result> runs;
    std::optional<run_result> counted;  // a run of its own, in which system calls were counted
};

struct measured_cell {
    workload work;
    std::vector<measured_server> servers;  // the reference first, its repetition last
};

/// A median with its 95 % interval.
struct estimate {
    double median = 0;
    interval range;
    std::size_t runs = 0;
    /// Fewer runs have no interval worth the name (that of three holds the true median 75 times of
    /// 100): whatever they show is a tie.
    static constexpr std::size_t runs_min = 5;
    [[nodiscard]] bool sound() const noexcept { return runs >= runs_min; }
};

struct summary {
    std::vector<double> rates;   // of the runs that counted
    std::vector<double> cpu_ns;  // of a request
    std::vector<double> tails;   // p99, ns
    estimate rate;
    estimate cpu;
    estimate tail;            // of an open loop alone: what waits in a closed one is not asked
    double system_share = 0;  // of the CPU time
    std::optional<double> switches;  // of context, in a request; where it can be told
    std::optional<double> syscalls;
    std::optional<double> completions_per_call;
    std::string counted_with;     // perf, or strace: of whole runs
    double connection_bytes = 0;  // of resident memory, for each connection
    double lost_share = 0;        // UDP
    double megabytes = 0;         // of replies, a second
    double generator_share = 0;   // largest of a run
    double generator_waited = 0;  // for a CPU, the same
    histogram latency;            // of all runs that counted, merged
    histogram setup;
    std::string invalid;  // open loop: why the latencies say nothing; empty when they do
    std::string details;
    std::size_t disturbed = 0;
    std::vector<std::string> errors;
};

/// A run counts when it has no error and was not disturbed.
bool counts(const run_result& run);
summary summarise(const measured_server& server, const load_options& load);

/// The reference measured twice: how far it comes out from itself, as shares. Nothing smaller is a
/// difference; infinite when there were too few runs to know.
struct noise_floors {
    double cpu = 0, rate = 0, tail = 0;
};
noise_floors noise_of(const measured_cell& cell);

/// How two medians compare.
enum class verdict { tie, lower, higher };
/// Of `own` against `other`: a tie when the intervals overlap or the medians differ by no more than
/// `noise`.
verdict compare(const estimate& own, const estimate& other, double noise);

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
