// cross_check.hpp: the same point measured by a tool that nobody here wrote: redis-benchmark.
//
// An echo of a Redis command is a well-formed Redis reply, so redis-benchmark takes any echo server
// for one. Both are asked for 64 connections and 64 bytes, of the slowest server there is: with a
// fast one the faster of the two clients would be found, and not whether they agree.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "runner.hpp"

namespace anel_bench {

struct outside_measurement {
    std::string tool;  // with its version
    std::string server;
    double rate = 0;      // its requests/s
    double own_rate = 0;  // ours, under the same load
    double p50_us = 0;    // its figure; whole steps of 8 µs
    double own_p50_us = 0;
    std::string error;  // why there is no figure
};

/// Nothing when the tool is not installed.
std::optional<outside_measurement> check_with_outside_tool(const server_spec& spec,
                                                           std::chrono::nanoseconds window,
                                                           const placement& places,
                                                           const interrupts& ctrl_c);

}  // namespace anel_bench
