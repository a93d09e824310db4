// summary.cpp: what several runs of one server under one load say together.
//
// See summary.hpp.
//
// SPDX-License-Identifier: MIT
#include "summary.hpp"

#include <algorithm>
#include <cmath>

#include "load_report.hpp"

namespace anel_bench {
namespace {

estimate estimate_of(const std::vector<double>& values) {
    return {median(values), median_interval(values), values.size()};
}

const char* const ring_servers[] = {"uring", "uring-multishot", "anel-io_uring"};
// anel is compared with itself on another backend, and each by hand with each by hand.
bool comparable(const std::string& ring, const std::string& other) {
    if (other.starts_with("anel-")) return ring == "anel-io_uring" && other != ring;
    for (const char* name : {"epoll", "epoll-edge", "poll", "threads", "pool"}) {
        if (other == name) return true;
    }
    return false;
}

/// Calls visit(ring, other, what, factor, verdict) with a factor above 1 where the ring is worse.
template <class Visit>
void compare_all(const measured_cell& cell, double noise, const Visit& visit) {
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
            if (!comparable(ring, other) || figures[o].rates.empty()) continue;
            visit(ring, other, "CPU a request", figures[r].cpu.median / figures[o].cpu.median,
                  compare(figures[r].cpu, figures[o].cpu, noise));
            const verdict rate = compare(figures[r].rate, figures[o].rate, noise);
            visit(ring, other, "requests/s", figures[o].rate.median / figures[r].rate.median,
                  rate == verdict::tie     ? verdict::tie
                  : rate == verdict::lower ? verdict::higher
                                           : verdict::lower);
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
    const auto connections = static_cast<double>(all_connections(load));
    for (const run_result& run : server.runs) {
        all.details = run.details.empty() ? all.details : run.details;
        if (!run.error.empty()) all.errors.push_back(run.error);
        else if (!run.disturbed.empty() && !run.counts_anyway) all.disturbed += 1;
        if (!counts(run)) continue;
        const auto requests = static_cast<double>(run.load.requests);
        all.rates.push_back(requests_per_second(run.load));
        all.cpu_ns.push_back(server_cpu_ns_per_request(run.load));
        system.push_back(server_system_share(run.load));
        switches.push_back(static_cast<double>(run.load.server_switches) / requests);
        memory.push_back(static_cast<double>(run.load.server_resident - run.resident_before) /
                         connections);
        megabytes.push_back(static_cast<double>(run.load.reply_bytes) / 1e6 /
                            std::chrono::duration<double>(run.load.elapsed).count());
        all.generator_share = std::max(all.generator_share, generator_share(run.load));
        all.latency.merge(run.load.latency);
        all.setup.merge(run.load.setup);
        lost += run.load.lost;
        sent += run.load.lost + run.load.requests;
    }
    all.rate = estimate_of(all.rates);
    all.cpu = estimate_of(all.cpu_ns);
    all.system_share = median(system);
    all.switches = median(switches);
    all.connection_bytes = median(memory);
    all.megabytes = median(megabytes);
    all.lost_share = sent > 0 ? static_cast<double>(lost) / static_cast<double>(sent) : 0;
    if (server.counted) {
        all.syscalls = server.counted->syscalls_per_request;
        all.completions_per_call = server.counted->completions_per_call;
    }
    return all;
}

verdict compare(const estimate& own, const estimate& other, double noise) {
    if (!own.sound() || !other.sound()) return verdict::tie;
    const bool overlap = own.range.low <= other.range.high && other.range.low <= own.range.high;
    if (overlap || std::abs(own.median / other.median - 1) <= noise) return verdict::tie;
    return own.median < other.median ? verdict::lower : verdict::higher;
}

std::vector<loss> losses_of(const measured_cell& cell, double noise) {
    std::vector<loss> all;
    compare_all(cell, noise,
                [&](const std::string& ring, const std::string& other, const char* what,
                    double factor, verdict came_out) {
                    if (came_out != verdict::higher) return;
                    all.push_back({cell.work.name, ring, other, what, factor});
                });
    return all;
}

score score_of(const measured_cell& cell, double noise) {
    score all;
    compare_all(cell, noise,
                [&](const std::string&, const std::string&, const char*, double, verdict came_out) {
                    if (came_out == verdict::tie) all.ties += 1;
                    else if (came_out == verdict::lower) all.wins += 1;
                    else all.losses += 1;
                });
    return all;
}

}  // namespace anel_bench
