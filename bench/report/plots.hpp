// plots.hpp: the figures of a report, each made from the data of a comparison.
//
// A figure whose data is missing, from a partial run say, is empty text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace anel_bench {

using json = nlohmann::ordered_json;

/// A figure with its caption.
std::string figure(const std::string& id, const std::string& title, const std::string& content,
                   const std::string& caption);

/// A load of one request at a time on each of some connections, echoed, and nothing else: such
/// loads differ in two numbers, and can be put along axes.
bool is_plain_echo(const json& load);

std::string latency_against_rate(const json& data);
std::string cpu_against_rate(const json& data);
std::string percentile_spectrum(const json& cell);
std::string calls_against_connections(const json& data);
/// Pairs of servers in every workload, and all servers against the reference in one.
std::string duels_over_workloads(const json& data);
std::string duels_of_workload(const json& cell);
std::string heat_map(const json& data);
/// Nothing unless there are several sizes and several numbers of connections.
std::string size_map(const json& data);
std::string memory_per_connection(const json& data);

/// The class that gives a server its colour and, for lines, its dashes.
std::string series_of(const std::string& server);

}  // namespace anel_bench
