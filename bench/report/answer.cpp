// answer.cpp: the question that a comparison is made for: what io_uring gains over epoll, and why.
//
// See answer.hpp.
//
// SPDX-License-Identifier: MIT
#include "report/answer.hpp"

#include <algorithm>
#include <utility>

namespace anel_bench {
namespace {

std::optional<summary> figures_of(const measured_cell& cell, const std::string& name) {
    const auto found =
        std::find_if(cell.servers.begin(), cell.servers.end(), [&](const measured_server& server) {
            return server.spec.name == name && !server.reference_again && server.left_out.empty();
        });
    if (found == cell.servers.end()) return {};
    summary figures = summarise(*found, cell.work.load);
    if (figures.rates.empty()) return {};
    return figures;
}

}  // namespace

std::vector<ring_gain> gains_of(const measured_cell& cell) {
    const double noise = noise_of(cell).cpu;
    std::vector<ring_gain> gains;
    for (const auto& [ring, other] :
         {std::pair("uring", "epoll"), std::pair("anel-io_uring", "anel-epoll")}) {
        const auto with = figures_of(cell, ring);
        const auto without = figures_of(cell, other);
        if (!with || !without) continue;
        ring_gain& gain = gains.emplace_back();
        gain.ring = ring;
        gain.other = other;
        gain.ring_ns = with->cpu.median;
        gain.other_ns = without->cpu.median;
        gain.cpu = compare(with->cpu, without->cpu, noise);
        if (with->syscalls && without->syscalls) {
            gain.calls_saved = *without->syscalls - *with->syscalls;
        }
    }
    return gains;
}

}  // namespace anel_bench
