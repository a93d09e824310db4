// report.hpp: a comparison as files: data.json, index.html and repro.sh.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "compare/compare.hpp"

namespace anel_bench {

/// Everything, in the form that docs/benchmark_data.md describes.
inline constexpr int data_schema = 5;
nlohmann::ordered_json comparison_json(const comparison& all);

/// One self-contained page made from that data. Errors: nlohmann::json::exception when it is not in
/// that form.
std::string page_of(const nlohmann::ordered_json& data);

/// Writes all three into the directory. Errors: std::runtime_error that names the file.
void write_report(const comparison& all);
void write_file(const std::string& path, const std::string& text);

}  // namespace anel_bench
