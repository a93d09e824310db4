// duel_report.hpp: what a duel found, for people and for programs.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "duel/duel.hpp"

namespace anel_bench {

/// One line a verdict, and why it ended.
std::string duel_text(const duel_options& options, const duel_result& result);

nlohmann::ordered_json duel_json(const duel_options& options, const duel_result& result);

}  // namespace anel_bench
