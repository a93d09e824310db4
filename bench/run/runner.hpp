// runner.hpp: one measured run: a fresh server on its CPU, the load on another, everything stopped.
//
// For what a single server shows by itself: latency against rate, and what another tool sees of it.
// Servers are compared in duels. Knows nothing of statistics or tables.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/process.hpp"
#include "common/topology.hpp"
#include "load/load.hpp"
#include "run/servers.hpp"

namespace anel_bench {

struct run_result {
    load_result load;
    std::string error;           // why the run does not count; empty when it does
    std::string disturbed;       // what else went on, so that it should not count; or nothing
    bool counts_anyway = false;  // although it was disturbed: somebody wanted that
};

/// Runs `spec` under the load; `load.server` and `load.server_pid` are filled in here.
/// Errors  in the result; throws only `interrupted`.
run_result run_once(const server_spec& spec, load_options load, const placement& places,
                    const interrupts& ctrl_c);

}  // namespace anel_bench
