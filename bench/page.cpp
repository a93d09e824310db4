// page.cpp: stub
// SPDX-License-Identifier: MIT
#include "report.hpp"
#include <nlohmann/json.hpp>
namespace anel_bench {
std::string page_of(const nlohmann::ordered_json&) { return ""; }
}  // namespace anel_bench
