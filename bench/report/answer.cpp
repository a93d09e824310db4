// answer.cpp: the question that a comparison is made for: what io_uring gains over epoll, and why.
//
// See answer.hpp.
//
// SPDX-License-Identifier: MIT
#include "report/answer.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace anel_bench {
namespace {

const measured_server& server_of(const measured_cell& cell, std::string_view name) {
    return *std::find_if(cell.servers.begin(), cell.servers.end(),
                         [&](const measured_server& one) { return one.spec.name == name; });
}

}  // namespace

std::vector<ring_gain> gains_of(const measured_cell& cell) {
    const double noise = noise_of(cell).cpu;
    std::vector<ring_gain> gains;
    for (const auto& [ring, other] :
         {std::pair("uring", "epoll"), std::pair("anel-io_uring", "anel-epoll")}) {
        const auto found = duel_of(cell, ring, other);
        if (!found || found->cpu.starts == 0) continue;
        const measured_server &with = server_of(cell, ring), &without = server_of(cell, other);
        ring_gain& gain = gains.emplace_back();
        gain.ring = ring;
        gain.other = other;
        gain.ring_ns = summarise(with, cell.work.load).cpu_ns;
        gain.other_ns = summarise(without, cell.work.load).cpu_ns;
        gain.against = found->cpu;
        gain.cpu = decide(found->cpu, noise);
        if (with.counted && without.counted) {
            gain.calls_saved = without.counted->calls - with.counted->calls;
        }
    }
    return gains;
}

}  // namespace anel_bench
