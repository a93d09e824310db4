// compare_report.hpp: the figures of a comparison as a terminal table and as JSON.
//
// Turns measured runs into medians, ratios, ties and warnings. Measures and prints nothing.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "compare.hpp"

namespace anel_bench {

std::string compare_heading(const compare_options& options, const cpu_plan& cpus);

/// A table of at most 100 columns, and what a reader has to know beside it.
std::string cell_text(const measured_cell& cell, const cpu_plan& cpus);

bool every_run_counted(const measured_cell& cell);

/// Everything, each run of its own included.
std::string compare_json(const compare_options& options, const cpu_plan& cpus,
                         const std::vector<measured_cell>& cells);

}  // namespace anel_bench
