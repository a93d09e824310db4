// causes.hpp: where the difference between two servers comes from, for one request.
//
// A table that adds up: the difference in CPU time is that in user space and that in the kernel.
// Of the latter system calls, context switches and page faults explain what they are worth on this
// machine. The rest is what the kernel does inside those calls.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duel/living.hpp"

namespace anel_bench {

/// What one request takes.
struct request_costs {
    double cpu_ns = 0;
    double user_share = 0;           // of it
    double user_share_error = 0;     // its standard error: the kernel samples the two with a timer
    std::optional<double> switches;  // of context; where it can be told
    double page_faults = 0;
    std::optional<call_counts> counted;
    std::optional<double> user_instructions;
    std::string instructions_with;  // perf or callgrind
};

/// From all starts together.
request_costs costs_of(const std::vector<server_life>& lives,
                       const std::optional<call_counts>& counted, const load_options& load);

/// What some things take on this machine, in ns.
struct prices {
    double empty_call = 0;
    double context_switch = 0;  // to sleep and be woken, of the CPU time of the one that sleeps
    double page_fault = 0;      // of a fresh page
};
prices prices_of(const placement& places, const interrupts& ctrl_c);

struct duel_causes {
    request_costs a, b;
    double ratio = 1;  // of CPU time, B's against A's, from pairs
    prices at;
};

/// One line of the table: what a request has of it, and what that is worth.
struct cause {
    enum class unit { ns, count };
    std::string what;
    int depth = 0;  // a line is the sum of the deeper ones below it
    unit in = unit::ns;
    double a = 0, b = 0;
    double difference_ns = 0;  // of CPU time; 0 where `adds` is false
    bool adds = true;          // part of the sum; else beside it
};
/// Every line with a depth is a part of the one above it: the differences of the parts add up to
/// that of the whole. Lines that do not add stand at the end.
std::vector<cause> causes_of(const duel_causes& duel);

/// Instructions in user space for one request, with callgrind, where valgrind is installed and can
/// run the server: of a slice after the warm-up. The server is many times slower under it, and so
/// always has a full queue.
std::optional<double> count_instructions(const contestant& server, const load_options& load,
                                         const placement& places, const interrupts& ctrl_c);

}  // namespace anel_bench
