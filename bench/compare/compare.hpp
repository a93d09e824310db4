// compare.hpp: measures servers against each other in duels with a reference, a cell a workload.
//
// Decides what runs when; what the figures say is for others. The first server is the reference. A
// second process of it takes part as if it were another server: what that needs of the reference is
// the noise floor, below which nothing is called a difference.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/summary.hpp"
#include "run/cross_check.hpp"
#include "run/runner.hpp"
#include "run/saturation.hpp"

namespace anel_bench {

struct compare_options {
    std::vector<std::string> servers;      // names; empty: those of the preset that are built
    std::vector<std::string> workloads;    // names; empty: those of the preset
    std::optional<load_options> own_load;  // one more, and the only one when none is named
    bool quick = true;
    std::size_t starts = 5;                        // of all servers of a workload
    std::size_t rounds = 7;                        // of each start
    std::optional<std::chrono::nanoseconds> time;  // instead: so many rounds as it has room for
    std::chrono::nanoseconds slice = std::chrono::milliseconds(50);
    std::chrono::nanoseconds warmup = std::chrono::milliseconds(100);
    std::uint64_t seed = 1;  // of the order of slices
    bool curves = true;      // latency against rate
    bool count_calls =
        true;               // a slice of its own of each server, in which system calls are counted
    std::string directory;  // for data.json, index.html, repro.sh; empty: only the terminal
    bool count_disturbed = false;  // points of a curve, on a machine that is never quiet
    std::chrono::nanoseconds patience = std::chrono::seconds(10);  // in all, for a quiet machine
    bool veth = false;       // two network namespaces instead of loopback
    std::string turns_file;  // locked some minutes at a time, to share the machine; empty: none
    std::string command;     // how to repeat it
};

/// Less than three minutes; about half an hour.
compare_options quick_comparison();
compare_options full_comparison();

/// Everything that was found out, also when it was cut short.
struct comparison {
    compare_options options;
    placement places;
    std::string started;  // UTC
    std::vector<measured_cell> cells;
    std::vector<saturation_curve> curves;
    std::optional<outside_measurement> outside;
    bool complete = false;
};

/// Returns the exit code: 0 when every run could be made.
/// Errors  std::invalid_argument for names and files that cannot be; throws `interrupted` after the
///         partial report has been written.
int run_compare(const compare_options& options, const interrupts& ctrl_c);

}  // namespace anel_bench
