// answer.hpp: the question that a comparison is made for: what io_uring gains over epoll, and why.
//
// Both by hand, and both of anel. A ring's one certain gain is that it makes fewer system calls;
// how much of a request they can be is what an empty one costs on this machine. So each load has
// two figures, what was measured and what the calls alone would be worth: where they differ,
// something else decides.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/summary.hpp"

namespace anel_bench {

struct ring_gain {
    std::string ring, other;            // servers
    double ring_ns = 0;                 // CPU time for a request
    double other_ns = 0;                // the same
    ratio_estimate against;             // the ring's CPU time, against the other's
    verdict cpu = verdict::tie;         // of that
    std::optional<double> calls_saved;  // system calls for a request

    /// What the ring's CPU time differs by, as a share of the other's; below 0 is a gain.
    [[nodiscard]] double difference() const { return against.ratio - 1; }
    /// What the calls alone would make it differ by; nothing when they were not counted.
    [[nodiscard]] std::optional<double> worth_of_calls(double empty_call_ns) const {
        if (!calls_saved) return {};
        return -*calls_saved * empty_call_ns / other_ns;
    }
};

/// By hand and of anel, as far as both servers of a pair were measured.
std::vector<ring_gain> gains_of(const measured_cell& cell);

}  // namespace anel_bench
