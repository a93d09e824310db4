// rounds.hpp: the slices of a duel, and which of them make pairs.
//
// A round is a slice of each of three processes: A, B, and A again, in an order drawn for it. B and
// A make a pair, and so do A again and A. A pair of which either slice was disturbed is dropped
// whole: to drop one slice and keep its partner would favour a server.
// Pure functions: knows nothing of servers, clocks or text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "duel/ratio.hpp"

namespace anel_bench {

struct duel_slice {
    double cpu_ns = 0;  // the server's, user and system, for a request; 0: no request
    double rate = 0;    // requests/s
    double waited = 0;  // share of the slice: the longest wait for a CPU, or stolen by a hypervisor
    bool unsent = false;  // open loop: the generator did not come to what was due
};

enum duelist : std::size_t { duelist_a, duelist_b, duelist_again };
inline constexpr std::size_t duelists = 3;

using duel_round = std::array<duel_slice, duelists>;
using duel_start = std::vector<duel_round>;

/// One of the three against A.
struct duel_figures {
    ratio_estimate cpu;   // of a request
    ratio_estimate rate;  // requests/s
    std::size_t dropped = 0;
    std::vector<std::vector<double>> cpu_pairs;  // by start
};

/// Above what share of a slice a wait is a disturbance: twice what is usual in this duel, and never
/// below 0.1. A busy machine makes every slice wait; only what is worse than the others is dropped.
double wait_bound(const std::vector<duel_start>& starts);

duel_figures figures_of(const std::vector<duel_start>& starts, duelist which, ended why);

}  // namespace anel_bench
