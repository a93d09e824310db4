// rounds.hpp: the slices of a duel, and which of them make pairs.
//
// In a round every server has a slice, and the reference one beside it, a few slices apart at most:
// the two make a pair. Two servers of which neither is the reference are compared by way of it, in
// the same round: what each needs of the reference, divided. A pair of which any slice was
// disturbed is dropped whole: to drop one slice and keep its partner would favour a server.
// Pure functions: knows nothing of processes, clocks or text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "duel/ratio.hpp"

namespace anel_bench {

struct duel_slice {
    double cpu_ns = 0;  // the server's, user and system, for a request; 0: no request
    double rate = 0;    // requests/s
    double waited = 0;  // share of the slice: the longest wait for a CPU, or stolen by a hypervisor
    bool unsent = false;  // open loop: the generator did not come to what was due
    double p99_ns = 0;
};

/// A server's slice, and the reference's beside it.
struct meeting {
    duel_slice own, reference;
};

/// Of each server its meetings by round. The first server is the reference, which has none.
using duel_start = std::vector<std::vector<meeting>>;
inline constexpr std::size_t the_reference = 0;

/// The servers of a duel of two: A is the reference, and a second process of it takes part.
enum duelist : std::size_t { duelist_a = the_reference, duelist_b, duelist_again };
inline constexpr std::size_t duelists = 3;

/// One server against another.
struct duel_figures {
    ratio_estimate cpu;   // of a request
    ratio_estimate rate;  // requests/s
    ratio_estimate p99;
    std::size_t dropped = 0;
    std::vector<std::vector<double>> cpu_pairs;  // by start
};

/// Above what share of a slice a wait of this server is a disturbance: twice what is usual for it
/// in this duel, never below 0.1. A busy machine makes every slice wait, and threads wait for each
/// other; only what is worse than the others is dropped.
double wait_bound(const std::vector<duel_start>& starts, std::size_t who);

/// What `own` needs of `other`. A start in which one of them took no part says nothing.
duel_figures figures_of(const std::vector<duel_start>& starts, std::size_t own, std::size_t other,
                        ended why);

}  // namespace anel_bench
