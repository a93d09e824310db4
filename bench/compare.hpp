// compare.hpp: measures servers against each other in interleaved rounds, a cell a workload.
//
// Decides what runs when; what the figures say is compare_report's business. The first server is
// the reference. It also runs a second time as if it were another server: how far apart the two
// come out is the noise floor, below which nothing is called a difference.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "process.hpp"
#include "runner.hpp"
#include "servers.hpp"

namespace anel_bench {

struct compare_options {
    std::vector<std::string> servers;  // names; empty: all that are known
    bool leave_out_missing = true;     // servers that are not built: leave out, or refuse
    std::vector<std::size_t> connections{64};
    std::vector<std::size_t> sizes{64};
    std::vector<std::size_t> pipelines{1};
    std::size_t rounds = 5;
    std::chrono::nanoseconds window = std::chrono::seconds(2);
    std::chrono::nanoseconds warmup = std::chrono::milliseconds(500);
    bool count_syscalls = false;  // one more, separate run of each server
    std::string json_file;        // empty: none
};

/// A few servers, a pair of rounds and one cell: under 20 s.
compare_options quick_comparison();

struct measured_server {
    server_spec spec;
    bool reference_again = false;
    std::vector<run_result> runs;  // a round each, in order
    std::optional<run_result> syscall_run;
};

struct measured_cell {
    load_options load;
    std::vector<measured_server> servers;  // the reference first, its repetition last
};

/// Returns the exit code: 0 when every run counted.
/// Errors  std::invalid_argument for names and files that cannot be; throws `interrupted`.
int run_compare(const compare_options& options, const interrupts& ctrl_c);

}  // namespace anel_bench
