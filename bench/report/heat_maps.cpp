// heat_maps.cpp: who needs less CPU time, as tables whose colours are ratios.
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
#include "compare/summary.hpp"
#include "report/plots.hpp"
#include "report/svg.hpp"

namespace anel_bench {
namespace {

struct pair_of_servers {
    const char* own;
    const char* other;
};

const json* find_server(const json& cell, const std::string& name) {
    for (const auto& server : cell.at("servers")) {
        if (server.at("server") == name && server.at("reference_again") == false &&
            server.contains("requests_per_s")) {
            return &server;
        }
    }
    return nullptr;
}

estimate estimate_in(const json& value) {
    return {value.at("median"), {value.at("low"), value.at("high")}, value.at("runs")};
}

/// The requests that `own` serves for the CPU time of one of `other`.
std::string ratio_of(const json* cell, const pair_of_servers& pair) {
    const json* own = cell ? find_server(*cell, pair.own) : nullptr;
    const json* other = cell ? find_server(*cell, pair.other) : nullptr;
    if (!own || !other) return "<td class=\"none\">–</td>";
    const auto& a = own->at("cpu_ns_per_request");
    const auto& b = other->at("cpu_ns_per_request");
    const double ratio = b.at("median").get<double>() / a.at("median").get<double>();
    const auto& noise = cell->at("noise_floor");
    const bool tie = noise.is_null() ||
                     compare(estimate_in(a), estimate_in(b), noise.get<double>()) == verdict::tie;
    // Twice as good is as dark as twice as bad.
    const double strength = std::min(1.0, std::abs(std::log2(ratio)));
    return format("<td class=\"%s\" style=\"--strength:%.0f%%\">%.2f%s</td>",
                  tie         ? "tie"
                  : ratio > 1 ? "win"
                              : "loss",
                  15 + 75 * strength, ratio, tie ? " tie" : "");
}

}  // namespace

std::string heat_map(const json& data) {
    constexpr pair_of_servers pairs[] = {
        {"uring", "epoll"},         {"anel-io_uring", "anel-epoll"},
        {"anel-io_uring", "uring"}, {"anel-epoll", "epoll"},
        {"uring", "threads"},       {"anel-io_uring", "asio"},
        {"anel-io_uring", "tokio"}};
    std::string rows = "<table class=\"heat\"><thead><tr><th></th>";
    std::vector<pair_of_servers> shown;
    for (const auto& pair : pairs) {
        const bool any =
            std::any_of(data.at("cells").begin(), data.at("cells").end(), [&](const json& cell) {
                return find_server(cell, pair.own) && find_server(cell, pair.other);
            });
        if (!any) continue;
        shown.push_back(pair);
        rows += std::string("<th>") + pair.own + "<br>÷ " + pair.other + "</th>";
    }
    if (shown.empty()) return "";
    rows += "</tr></thead><tbody>";
    for (const auto& cell : data.at("cells")) {
        rows += "<tr><th>" + escaped(cell.at("workload")) + "</th>";
        for (const auto& pair : shown) rows += ratio_of(&cell, pair);
        rows += "</tr>";
    }
    return figure("heat-map", "Who needs less CPU for a request", rows + "</tbody></table>",
                  "Requests for the same CPU time, the first named against the second: above 1 "
                  "(blue) it does more, below 1 (orange) less; grey is a tie. Both directions are "
                  "drawn with the same strength.");
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
    for (const auto& pair :
         {pair_of_servers{"uring", "epoll"}, pair_of_servers{"anel-io_uring", "anel-epoll"}}) {
        tables += format("<table class=\"heat\"><caption>%s ÷ %s</caption><thead><tr><th></th>",
                         pair.own, pair.other);
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
        "One request at a time on each connection, echoed. Requests for the same CPU time, "
        "as above; – was not measured.");
}

}  // namespace anel_bench
