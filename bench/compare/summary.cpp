// summary.cpp: what several runs of one server under one load say together.
//
// See summary.hpp.
//
// SPDX-License-Identifier: MIT
#include "compare/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/text.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {

estimate estimate_of(const std::vector<double>& values) {
    return {median(values), median_interval(values), values.size()};
}

const char* const ring_servers[] = {"uring", "uring-multishot", "anel-io_uring"};
// anel is compared with itself on another backend, and each by hand with each by hand.
bool comparable(const std::string& ring, const std::string& other) {
    if (ring == "anel-io_uring") return other == "anel-epoll" || other == "anel-poll";
    for (const char* name : {"epoll", "epoll-edge", "poll", "threads", "pool"}) {
        if (other == name) return true;
    }
    return false;
}
bool blocks(const std::string& server) { return server == "threads" || server == "pool"; }

/// Calls visit(ring, other, what, factor, verdict) with a factor above 1 where the ring is worse.
/// An open loop gives every server the same rate, and tails that can be compared; the rate of a
/// closed one counts as long as the generator did not set it.
template <class Visit>
void compare_all(const measured_cell& cell, const Visit& visit) {
    const noise_floors noise = noise_of(cell);
    std::vector<summary> figures;
    for (const auto& server : cell.servers) {
        figures.push_back(summarise(server, cell.work.load));
    }
    for (std::size_t r = 0; r < figures.size(); ++r) {
        const std::string& ring = cell.servers[r].spec.name;
        if (std::find(std::begin(ring_servers), std::end(ring_servers), ring) ==
                std::end(ring_servers) ||
            cell.servers[r].reference_again || figures[r].rates.empty()) {
            continue;
        }
        for (std::size_t o = 0; o < figures.size(); ++o) {
            const std::string& other = cell.servers[o].spec.name;
            if (!comparable(ring, other) || cell.servers[o].reference_again ||
                figures[o].rates.empty()) {
                continue;
            }
            const summary &own = figures[r], &its = figures[o];
            if (!own.invalid.empty() || !its.invalid.empty()) continue;
            visit(ring, other, "CPU a request", own.cpu.median / its.cpu.median,
                  compare(own.cpu, its.cpu, noise.cpu));
            if (cell.work.load.mode != load_mode::closed) {
                visit(ring, other, "p99", own.tail.median / its.tail.median,
                      compare(own.tail, its.tail, noise.tail));
            } else if (std::max(own.generator_share, its.generator_share) <= generator_full &&
                       std::max(own.generator_waited, its.generator_waited) <= waited_max) {
                visit(ring, other, "requests/s", its.rate.median / own.rate.median,
                      compare(its.rate, own.rate, noise.rate));
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
    std::vector<double> system, switches, memory, megabytes;
    std::uint64_t lost = 0, sent = 0;
    load_result together;
    const auto connections = static_cast<double>(all_connections(load));
    for (const run_result& run : server.runs) {
        all.details = run.details.empty() ? all.details : run.details;
        if (!run.error.empty()) all.errors.push_back(run.error);
        else if (!run.disturbed.empty() && !run.counts_anyway) all.disturbed += 1;
        if (!counts(run)) continue;
        const auto requests = static_cast<double>(run.load.requests);
        all.rates.push_back(requests_per_second(run.load));
        all.cpu_ns.push_back(server_cpu_ns_per_request(run.load));
        all.tails.push_back(static_cast<double>(run.load.latency.percentile(99).count()));
        system.push_back(server_system_share(run.load));
        // Of threads that live: where each connection has one for a short time they are missing.
        if (load.mode == load_mode::closed && !load.churn) {
            switches.push_back(static_cast<double>(run.load.server_switches) / requests);
        }
        memory.push_back(static_cast<double>(run.load.server_resident - run.resident_before) /
                         connections);
        megabytes.push_back(static_cast<double>(run.load.reply_bytes) / 1e6 /
                            std::chrono::duration<double>(run.load.elapsed).count());
        all.generator_waited = std::max(all.generator_waited, waited_share(run.load));
        all.generator_share = std::max(all.generator_share, generator_share(run.load));
        all.latency.merge(run.load.latency);
        all.setup.merge(run.load.setup);
        together.slip.merge(run.load.slip);
        together.spare += run.load.spare;
        together.elapsed += run.load.elapsed;
        together.offered += run.load.offered;
        together.unsent += run.load.unsent;
        lost += run.load.lost;
        sent += run.load.lost + run.load.requests;
    }
    all.rate = estimate_of(all.rates);
    all.cpu = estimate_of(all.cpu_ns);
    all.tail = estimate_of(all.tails);
    if (load.mode != load_mode::closed && !all.rates.empty()) {
        all.invalid = generator_bound(load, together);
        together.latency = all.latency;
        const double unanswered = unanswered_share(together);
        if (!all.invalid.empty()) {
            all.invalid = "generator-bound: " + all.invalid;
        } else if (unanswered > unanswered_max) {
            all.invalid = format("%.1f %% of what was due had no answer", 100 * unanswered);
        }
    }
    all.system_share = median(system);
    if (!switches.empty()) all.switches = median(switches);
    all.connection_bytes = median(memory);
    all.megabytes = median(megabytes);
    all.lost_share = sent > 0 ? static_cast<double>(lost) / static_cast<double>(sent) : 0;
    if (server.counted) {
        all.syscalls = server.counted->syscalls_per_request;
        all.completions_per_call = server.counted->completions_per_call;
        all.counted_with = server.counted->counted_with;
    }
    return all;
}

noise_floors noise_of(const measured_cell& cell) {
    const summary first = summarise(cell.servers.front(), cell.work.load);
    const summary again = summarise(cell.servers.back(), cell.work.load);
    constexpr double unknown = std::numeric_limits<double>::infinity();
    return {noise_floor(first.cpu_ns, again.cpu_ns).value_or(unknown),
            noise_floor(first.rates, again.rates).value_or(unknown),
            noise_floor(first.tails, again.tails).value_or(unknown)};
}

verdict compare(const estimate& own, const estimate& other, double noise) {
    if (!own.sound() || !other.sound()) return verdict::tie;
    const bool overlap = own.range.low <= other.range.high && other.range.low <= own.range.high;
    if (overlap || std::abs(own.median / other.median - 1) <= noise) return verdict::tie;
    return own.median < other.median ? verdict::lower : verdict::higher;
}

std::vector<loss> losses_of(const measured_cell& cell) {
    std::vector<loss> all;
    compare_all(cell, [&](const std::string& ring, const std::string& other, const char* what,
                          double factor, verdict came_out) {
        if (came_out != verdict::higher) return;
        all.push_back({cell.work.name, ring, other, what, factor});
    });
    return all;
}

scores scores_of(const measured_cell& cell) {
    scores all;
    compare_all(cell, [&](const std::string&, const std::string& other, const char*, double,
                          verdict came_out) {
        score& which = blocks(other) ? all.blocking : all.readiness;
        if (came_out == verdict::tie) which.ties += 1;
        else if (came_out == verdict::lower) which.wins += 1;
        else which.losses += 1;
    });
    return all;
}

}  // namespace anel_bench
