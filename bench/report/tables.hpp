// tables.hpp: a comparison on a terminal of 100 columns.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "compare/compare.hpp"

namespace anel_bench {

std::string compare_heading(const comparison& all);
/// A cell's table, and what a reader has to know beside it.
std::string cell_text(const measured_cell& cell);
std::string curves_text(const std::vector<saturation_curve>& curves);
/// Where io_uring loses, and what another tool measures.
std::string conclusions_text(const comparison& all);

}  // namespace anel_bench
