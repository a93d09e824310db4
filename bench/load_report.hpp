// load_report.hpp: the result of one load run, for people and for programs.
//
// Turns a load_result into text; measures and prints nothing.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "json.hpp"
#include "load.hpp"

namespace anel_bench {

/// Above this share of a core the generator, not the server, may set the rate.
inline constexpr double generator_bound = 0.95;

double requests_per_second(const load_result& result);
double server_cpu_ns_per_request(const load_result& result);
/// The generator's CPU time divided by the window: 1 is a whole core; 0 if nothing was measured.
double generator_share(const load_result& result);
/// What other processes took of `cpus` CPUs within the window, 0 to 1.
double others_share(const load_result& result, std::size_t cpus);
/// What the hypervisor took of them.
double stolen_share(const load_result& result, std::size_t cpus);

std::string load_text(const load_options& options, const load_result& result);

/// Appends the figures of a result as fields of the object that is open.
void add_load_fields(json_writer& json, const load_options& options, const load_result& result);

}  // namespace anel_bench
