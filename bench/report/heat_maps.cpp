// heat_maps.cpp: who needs less CPU time, as tables whose colours are ratios from duels.
//
// See plots.hpp. Losses have the strength of colour that wins have; ties have none.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "common/text.hpp"
#include "report/plots.hpp"
#include "report/svg.hpp"

namespace anel_bench {
namespace {

using names = std::pair<std::string, std::string>;

const json* find_duel(const json& cell, const names& pair) {
    for (const auto& duel : cell.at("duels")) {
        if (duel.at("own") == pair.first && duel.at("other") == pair.second) return &duel;
    }
    return nullptr;
}

/// The CPU time that one needs of the other's, as a coloured cell.
std::string ratio_of(const json* cell, const names& pair) {
    const json* duel = cell ? find_duel(*cell, pair) : nullptr;
    if (!duel) return "<td class=\"none\">–</td>";
    const double ratio = duel->at("ratio");
    const bool tie = duel->at("cpu_is") == "tie";
    // Half as much is as dark as twice as much.
    const double strength = std::min(1.0, std::abs(std::log2(ratio)));
    return format("<td class=\"%s\" style=\"--strength:%.0f%%\">%.2f%s</td>",
                  tie         ? "tie"
                  : ratio < 1 ? "win"
                              : "loss",
                  15 + 75 * strength, ratio, tie ? " tie" : "");
}

}  // namespace

std::string heat_map(const json& data) {
    std::vector<names> shown;
    for (const auto& cell : data.at("cells")) {
        for (const auto& duel : cell.at("duels")) {
            const names pair{duel.at("own"), duel.at("other")};
            if (std::find(shown.begin(), shown.end(), pair) == shown.end()) shown.push_back(pair);
        }
    }
    std::string rows = "<table class=\"heat\"><thead><tr><th></th>";
    for (const auto& [own, other] : shown) {
        rows += "<th>" + escaped(own) + "<br>÷ " + escaped(other) + "</th>";
    }
    if (shown.empty()) return "";
    rows += "</tr></thead><tbody>";
    for (const auto& cell : data.at("cells")) {
        rows += "<tr><th>" + escaped(cell.at("workload")) + "</th>";
        for (const auto& pair : shown) rows += ratio_of(&cell, pair);
        rows += "</tr>";
    }
    return figure(
        "heat-map", "Who needs less CPU for a request", rows + "</tbody></table>",
        "CPU time for a request, the first named divided by the second, from duels: below "
        "1 (blue) it needs less, above 1 (orange) more; grey is a tie. Both directions "
        "are drawn with the same strength.");
}

std::string size_map(const json& data) {
    std::map<std::pair<std::size_t, std::size_t>, const json*> cells;  // by size and connections
    std::set<std::size_t> sizes, connections;
    for (const auto& cell : data.at("cells")) {
        const auto& load = cell.at("load");
        if (!is_plain_echo(load)) continue;
        const std::size_t size = load.at("request_bytes"), count = load.at("connections");
        cells[{size, count}] = &cell;
        sizes.insert(size);
        connections.insert(count);
    }
    if (sizes.size() < 2 || connections.size() < 2) return "";
    std::string tables;
    for (const auto& pair : {names{"uring", "epoll"}, names{"anel-io_uring", "anel-epoll"}}) {
        tables += format("<table class=\"heat\"><caption>%s ÷ %s</caption><thead><tr><th></th>",
                         pair.first.c_str(), pair.second.c_str());
        for (const std::size_t count : connections) {
            tables += "<th>" + grouped(count) + (count == 1 ? " connection" : "") + "</th>";
        }
        tables += "</tr></thead><tbody>";
        for (const std::size_t size : sizes) {
            tables += "<tr><th>" + size_text(size) + "</th>";
            for (const std::size_t count : connections) {
                const auto found = cells.find({size, count});
                tables += ratio_of(found == cells.end() ? nullptr : found->second, pair);
            }
            tables += "</tr>";
        }
        tables += "</tbody></table>\n";
    }
    return figure(
        "size-map", "io_uring against epoll, by size and connections", tables,
        "One request at a time on each connection, echoed. CPU time for a request, as above; – was "
        "not measured.");
}

}  // namespace anel_bench
