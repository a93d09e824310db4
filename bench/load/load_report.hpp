// load_report.hpp: the result of one load run, for people and for programs.
//
// Turns a load_result into text; measures and prints nothing.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "load/load.hpp"

namespace anel_bench {

double requests_per_second(const load_result& result);
double server_cpu_ns_per_request(const load_result& result);
/// The part of it spent in the kernel, 0 to 1; as exact as ticks of 10 ms allow.
double server_system_share(const load_result& result);
/// The CPU time that the generator had to do with, divided by the window: 1 is a whole core; 0 if
/// nothing was measured.
double generator_share(const load_result& result);
/// Above this share the generator, not the server, may set the rate of a closed loop.
inline constexpr double generator_full = 0.95;
/// Open loop: the requests that were due and never had an answer, 0 to 1. Above unanswered_max the
/// latencies of the others have no p99.
double unanswered_share(const load_result& result);
inline constexpr double unanswered_max = 0.01;
/// Open loop: the requests that were due and that the generator never came to, 0 to 1. Above
/// unsent_max the rate asked for was not reached, whatever was measured.
double unsent_share(const load_result& result);
inline constexpr double unsent_max = 0.01;
/// The part of the window in which the generator was ready and had no CPU, 0 to 1. Above waited_max
/// the rate of a closed loop is not the server's.
double waited_share(const load_result& result);
inline constexpr double waited_max = 0.05;
/// What other processes took of `cpus` CPUs within the window, 0 to 1.
double others_share(const load_result& result, std::size_t cpus);
/// What the hypervisor took of them.
double stolen_share(const load_result& result, std::size_t cpus);

/// "closed loop: 64 connections × 64 B → 1024 B, 16 in flight each".
std::string describe(const load_options& options);

std::string load_text(const load_options& options, const load_result& result);

/// Why the generator, not the server, made these figures; empty when it did not. An open loop sends
/// on time and has time to spare, or its latencies are of its own making; a closed one is judged by
/// its CPU time and its waits for a CPU, unless the server's CPU was full as well.
std::string generator_bound(const load_options& options, const load_result& result);

nlohmann::ordered_json load_json(const load_options& options, const load_result& result);

/// The latencies as HdrHistogram prints them: value in µs, percentile, count, 1/(1-percentile).
std::string hdr_text(const histogram& latency);

}  // namespace anel_bench
