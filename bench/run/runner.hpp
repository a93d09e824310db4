// runner.hpp: one measured run: a fresh server on its CPU, the load on another, everything stopped.
//
// Puts a server, a load generator and, if wanted, a system call counter together, each a child
// process. Knows nothing of rounds, statistics or tables.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "common/process.hpp"
#include "common/topology.hpp"
#include "load/load.hpp"
#include "run/servers.hpp"

namespace anel_bench {

struct run_result {
    load_result load;
    std::string error;  // why the run does not count; empty when it does
    std::string
        disturbed;  // what else went on, so that it should not count; empty when nothing did
    bool counts_anyway = false;        // although it was disturbed: somebody wanted that
    std::string details;               // versions and flags of the server
    std::int64_t resident_before = 0;  // bytes of the server, without a connection
    std::optional<double> syscalls_per_request;
    std::optional<double> completions_per_call;  // of io_uring, for every system call
    std::string counted_with;                    // perf, or strace: of the whole run
};

/// Runs `spec` under the load; `load.server` and `load.server_pid` are filled in here.
/// Errors  in the result; throws only `interrupted`.
run_result run_once(const server_spec& spec, load_options load, const placement& places,
                    bool count_syscalls, const interrupts& ctrl_c);

}  // namespace anel_bench
