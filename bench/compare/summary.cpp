// summary.cpp: what the slices of the servers of one load say together.
//
// See summary.hpp.
//
// SPDX-License-Identifier: MIT
#include "compare/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/statistics.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {

const char* const ring_servers[] = {"uring", "uring-multishot", "uring-adaptive", "anel-io_uring"};
bool on_ring(const std::string& server) {
    return std::find(std::begin(ring_servers), std::end(ring_servers), server) !=
           std::end(ring_servers);
}
// anel is compared with itself on another backend, and each by hand with each by hand.
bool comparable(const std::string& ring, const std::string& other) {
    if (ring == "anel-io_uring") return other == "anel-epoll" || other == "anel-poll";
    for (const char* name : {"epoll", "epoll-edge", "poll", "threads", "pool"}) {
        if (other == name) return true;
    }
    return false;
}
bool blocks(const std::string& server) { return server == "threads" || server == "pool"; }

double reach_from_one(const ratio_estimate& one) {
    if (!one.known()) return std::numeric_limits<double>::infinity();
    return std::max(std::abs(one.range.high - 1), std::abs(one.range.low - 1));
}

/// So that it says how much worse, as CPU time does.
ratio_estimate turned(const ratio_estimate& one) {
    ratio_estimate other = one;
    if (one.starts > 0) other.ratio = 1 / one.ratio;
    if (one.known()) other.range = {1 / one.range.high, 1 / one.range.low};
    return other;
}

/// Calls visit(ring, other, what, ratio, verdict) with a ratio above 1 where the ring is worse.
/// An open loop gives every server the same rate, and tails that can be compared; the rate of a
/// closed one counts as long as the generator did not set it.
template <class Visit>
void compare_all(const measured_cell& cell, const Visit& visit) {
    const noise_floors noise = noise_of(cell);
    std::vector<summary> figures;
    for (const auto& server : cell.servers) {
        figures.push_back(summarise(server, cell.work.load));
    }
    const auto takes_part = [&](std::size_t who) {
        return !cell.servers[who].reference_again && figures[who].measured();
    };
    for (std::size_t r = 0; r < figures.size(); ++r) {
        const std::string& ring = cell.servers[r].spec.name;
        if (!on_ring(ring) || !takes_part(r)) continue;
        for (std::size_t o = 0; o < figures.size(); ++o) {
            const std::string& other = cell.servers[o].spec.name;
            if (!comparable(ring, other) || !takes_part(o)) continue;
            const summary &own = figures[r], &its = figures[o];
            const duel_figures found = duel_of(cell, r, o);
            visit(ring, other, "CPU a request", found.cpu, decide(found.cpu, noise.cpu));
            if (cell.work.load.mode != load_mode::closed) {
                if (!own.invalid.empty() || !its.invalid.empty()) continue;
                visit(ring, other, "p99", found.p99, decide(found.p99, noise.p99));
            } else if (std::max(own.generator_share, its.generator_share) <= generator_full &&
                       std::max(own.generator_waited, its.generator_waited) <= waited_max) {
                const ratio_estimate worse = turned(found.rate);
                visit(ring, other, "requests/s", worse, decide(worse, noise.rate));
            }
        }
    }
}

}  // namespace

bool counts(const run_result& run) {
    return run.error.empty() && (run.disturbed.empty() || run.counts_anyway);
}

summary summarise(const measured_server& server, const load_options& load) {
    summary all;
    load_result together;
    std::vector<double> rates, cpu, memory;
    for (const server_life& life : server.lives) {
        rates.insert(rates.end(), life.rates.begin(), life.rates.end());
        cpu.insert(cpu.end(), life.cpu_ns.begin(), life.cpu_ns.end());
        memory.push_back(static_cast<double>(life.load.server_resident - life.resident_before) /
                         static_cast<double>(all_connections(load)));
        together += life.load;
        all.details = life.details;
    }
    all.starts = server.lives.size();
    const auto requests = static_cast<double>(together.requests);
    if (together.requests == 0) return all;
    all.rate = median(std::move(rates));
    all.cpu_ns = median(std::move(cpu));
    all.system_share = server_system_share(together);
    // Of threads that live: where each connection has one for a short time they are missing.
    if (load.mode == load_mode::closed && !load.churn) {
        all.switches = static_cast<double>(together.server_switches) / requests;
    }
    all.connection_bytes = median(std::move(memory));
    all.lost_share =
        static_cast<double>(together.lost) / static_cast<double>(together.lost + together.requests);
    all.megabytes = static_cast<double>(together.reply_bytes) / 1e6 /
                    std::chrono::duration<double>(together.elapsed).count();
    all.generator_share = generator_share(together);
    all.generator_waited = waited_share(together);
    all.latency = together.latency;
    all.setup = together.setup;
    if (load.mode != load_mode::closed) {
        all.invalid = generator_bound(load, together);
        const double unanswered = unanswered_share(together);
        if (!all.invalid.empty()) {
            all.invalid = "generator-bound: " + all.invalid;
        } else if (unanswered > unanswered_max) {
            all.invalid = format("%.1f %% of what was due had no answer", 100 * unanswered);
        }
    }
    return all;
}

duel_figures duel_of(const measured_cell& cell, std::size_t own, std::size_t other) {
    return figures_of(cell.starts, own, other, ended::in_time);
}

std::optional<duel_figures> duel_of(const measured_cell& cell, const std::string& own,
                                    const std::string& other) {
    const auto place_of = [&](const std::string& name) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < cell.servers.size(); ++i) {
            const measured_server& one = cell.servers[i];
            if (one.spec.name == name && !one.reference_again && !one.lives.empty()) return i;
        }
        return {};
    };
    const auto mine = place_of(own), its = place_of(other);
    if (!mine || !its || *mine == *its) return {};
    return duel_of(cell, *mine, *its);
}

noise_floors noise_of(const measured_cell& cell) {
    const duel_figures again = duel_of(cell, cell.servers.size() - 1, the_reference);
    return {reach_from_one(again.cpu), reach_from_one(again.rate), reach_from_one(again.p99)};
}

verdict decide(const ratio_estimate& found, double noise) {
    if (!found.known() || (found.range.low <= 1 && 1 <= found.range.high)) return verdict::tie;
    if (std::abs(found.ratio - 1) <= noise) return verdict::tie;
    return found.ratio < 1 ? verdict::lower : verdict::higher;
}

const char* name_of(verdict came_out) {
    switch (came_out) {
        case verdict::tie: return "tie";
        case verdict::lower: return "lower";
        case verdict::higher: return "higher";
    }
    return "";
}

const std::vector<pair_of_servers>& told_pairs() {
    static const std::vector<pair_of_servers> pairs{
        {"uring", "epoll"},        {"anel-io_uring", "anel-epoll"},     {"anel-io_uring", "uring"},
        {"anel-epoll", "epoll"},   {"anel-io_uring", "uring-adaptive"}, {"uring", "threads"},
        {"anel-io_uring", "asio"}, {"anel-io_uring", "tokio"},          {"anel-io_uring", "libuv"}};
    return pairs;
}

std::vector<loss> losses_of(const measured_cell& cell) {
    std::vector<loss> all;
    compare_all(cell, [&](const std::string& ring, const std::string& other, const char* what,
                          const ratio_estimate& found, verdict came_out) {
        if (came_out != verdict::higher) return;
        all.push_back({cell.work.name, ring, other, what, found.ratio});
    });
    return all;
}

scores scores_of(const measured_cell& cell) {
    scores all;
    compare_all(cell, [&](const std::string&, const std::string& other, const char*,
                          const ratio_estimate&, verdict came_out) {
        score& which = blocks(other) ? all.blocking : all.readiness;
        if (came_out == verdict::tie) which.ties += 1;
        else if (came_out == verdict::lower) which.wins += 1;
        else which.losses += 1;
    });
    return all;
}

}  // namespace anel_bench
