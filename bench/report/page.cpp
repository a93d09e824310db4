// page.cpp: the report as one page: text, figures, tables; no script, nothing from outside.
//
// Made from the data of a comparison alone, so that it can be made again from data.json. Says what
// was lost as loudly as what was won: that section is computed and cannot be left out.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/statistics.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "report/page_style.hpp"
#include "report/plots.hpp"
#include "report/report.hpp"
#include "report/svg.hpp"

namespace anel_bench {
namespace {

std::string text_of(const json& value) { return escaped(value.get<std::string>()); }

std::string whole(const json& value) {
    return grouped(static_cast<std::uint64_t>(value.get<double>() + 0.5));
}

std::string head(const json& data) {
    std::string text = "<h1>io_uring, epoll, poll and blocking threads</h1>\n<p class=\"lead\">" +
                       text_of(data.at("machine")) + " · " + text_of(data.at("started")) +
                       "</p>\n<p>";
    if (data.at("server_cpu").is_null()) {
        text += "Fewer than two usable CPUs: nothing is pinned. ";
    } else {
        text += format("Server on CPU %d, load on CPU %d. ", data.at("server_cpu").get<int>(),
                       data.at("load_cpu").get<int>());
    }
    text += format(
        "Between them %s: no network card, no interrupts. Every byte is checked. All servers of a "
        "workload live at once and are asked in turn: %d starts of %d rounds, slices of %.0f ms. "
        "Ratios come from pairs of slices, with their 95 %% intervals over the starts; an interval "
        "that holds 1, or a difference below the noise floor, is a tie.</p>\n",
        text_of(data.at("topology")).c_str(), data.at("starts").get<int>(),
        data.at("rounds").get<int>(), 1000 * data.at("slice_s").get<double>());
    if (data.at("cpus_share_a_core") == true) {
        text += "<p class=\"warning\">Server and load share a core, and slow each other.</p>\n";
    }
    if (data.at("interrupts_are_apart") == true) {
        text += "<p class=\"warning\">This kernel keeps the time of interrupts apart: that of the "
                "server’s CPU is added to its own.</p>\n";
    }
    if (data.at("complete") == false) {
        text += "<p class=\"warning\">This run was interrupted: what is here is complete, the rest "
                "is missing.</p>\n";
    }
    if (data.at("disturbed_runs_count") == true) {
        text += "<p class=\"warning\">Latency against rate: runs during which others used the "
                "machine are "
                "counted like the rest.</p>\n";
    }
    if (data.at("optimised_build") == false) {
        text += "<p class=\"warning\">This build is not optimised: its figures mean nothing.</p>\n";
    }
    return text;
}

/// How small a difference this run could see: "±1.1 to ±5.6 %"; empty when that is not known.
std::string noise_floors_of(const json& data) {
    double lowest = 1e300, highest = 0;
    for (const auto& cell : data.at("cells")) {
        if (cell.at("noise_floor").is_null()) continue;
        lowest = std::min(lowest, cell.at("noise_floor").get<double>());
        highest = std::max(highest, cell.at("noise_floor").get<double>());
    }
    if (lowest > highest) return "";
    return format("±%.1f to ±%.1f %%", 100 * lowest, 100 * highest);
}

std::string signed_percent(double share) {
    return format("%s%.1f %%", share < 0 ? "−" : "+", 100 * std::abs(share));
}

/// A difference in CPU time as a table cell; less is blue.
std::string difference_of(const json& gain) {
    const std::string cpu = gain.at("cpu_is");
    return "<td class=\"" +
           std::string(cpu == "tie"     ? "tie"
                       : cpu == "lower" ? "win"
                                        : "loss") +
           "\">" + signed_percent(gain.at("difference")) + (cpu == "tie" ? " tie" : "") + "</td>";
}

/// What the comparison is made for: by hand, and anel beside it; or anel alone.
std::string answer(const json& data) {
    bool by_hand = false;
    for (const auto& cell : data.at("cells")) {
        for (const auto& gain : cell.at("io_uring_and_epoll")) {
            by_hand = by_hand || gain.at("ring") == "uring";
        }
    }
    const std::string main = by_hand ? "uring" : "anel-io_uring";
    std::string rows;
    int loads = 0, less = 0, more = 0;
    for (const auto& cell : data.at("cells")) {
        std::string figures = "<td>–</td><td>–</td><td>–</td><td>–</td><td>–</td>", anel;
        for (const auto& gain : cell.at("io_uring_and_epoll")) {
            if (gain.at("ring") != main) {
                anel = difference_of(gain);
                continue;
            }
            ++loads;
            const bool counted = !gain.at("calls_saved").is_null();
            figures = "<td>" + whole(gain.at("other_cpu_ns")) + "</td><td>" +
                      whole(gain.at("ring_cpu_ns")) + "</td>" + difference_of(gain) + "<td>" +
                      (counted ? format("%.2f", gain.at("calls_saved").get<double>()) : "–") +
                      "</td><td>" + (counted ? signed_percent(gain.at("worth_of_calls")) : "–") +
                      "</td>";
            less += gain.at("cpu_is") == "lower" ? 1 : 0;
            more += gain.at("cpu_is") == "higher" ? 1 : 0;
        }
        if (cell.at("io_uring_and_epoll").empty()) continue;
        if (by_hand && anel.empty()) anel = "<td>–</td>";
        rows += "<tr><th>" + text_of(cell.at("workload")) + "</th>" + figures + anel + "</tr>\n";
    }
    if (rows.empty()) return "";
    std::string text = "<section id=\"answer\"><h2>Is io_uring faster here?</h2>\n<p>";
    text += format("%s, it needs less CPU time for a request than epoll in <b>%d of %d</b> loads, "
                   "more in <b>%d</b>; the others are ties. ",
                   by_hand ? "By hand" : "With anel", less, loads, more);
    if (const auto floors = noise_floors_of(data); !floors.empty()) {
        text += "The reference against itself reaches " + floors +
                ", depending on the load: less than that cannot be seen in this run. ";
    }
    text += format(
        "What it surely saves are system calls. An empty one takes %.0f ns on this machine, so the "
        "calls saved are worth what the column says; where that is far from what was measured, "
        "something else decides.</p>\n",
        data.at("empty_system_call_ns").get<double>());
    return text +
           "<div class=\"scroll\"><table><thead><tr><th>CPU ns a request</th><th>epoll</th>"
           "<th>io_uring</th><th>difference</th><th>calls saved</th><th>worth</th>" +
           (by_hand ? "<th>the same of anel</th>" : "") + "</tr></thead><tbody>" + rows +
           "</tbody></table></div></section>\n";
}

/// The headline of a server: not the peak, but the last rate that meets the objective.
std::string knees(const json& data) {
    if (data.at("curves").empty()) return "";
    std::string rows;
    for (const auto& curve : data.at("curves")) {
        const double knee = curve.at("knee_per_s");
        const bool lower_bound = curve.at("knee_is_lower_bound");
        std::string found = (lower_bound ? "≥ " : "") + whole(curve.at("knee_per_s"));
        if (knee == 0) found = lower_bound ? "not known" : "none";
        rows += "<tr><th>" + text_of(curve.at("server")) + "</th><td>" + found + "</td><td>" +
                whole(curve.at("maximum_per_s")) + "</td></tr>\n";
    }
    return "<section id=\"knees\"><h2>What each serves within the "
           "objective</h2>\n<div class=\"scroll\"><table><thead><tr>"
           "<th>server</th><th>requests/s with p99 ≤ 1 ms</th><th>closed-loop maximum</th></tr>"
           "</thead><tbody>" +
           rows +
           "</tbody></table></div>\n<p>The first figure is the highest rate measured up to which "
           "every "
           "valid point meets the objective, with requests that arrive at random whether the "
           "server "
           "is ready or not. Points at which the generator itself was late say nothing; where no "
           "valid point above misses the objective, the figure is a lower bound (≥).</p>"
           "</section>\n";
}

std::string losses(const json& data) {
    std::string rows;
    std::array<int, 3> readiness{}, blocking{};
    const auto add = [](std::array<int, 3>& sum, const json& score) {
        sum[0] += score.at("better").get<int>();
        sum[1] += score.at("ties").get<int>();
        sum[2] += score.at("worse").get<int>();
    };
    for (const auto& cell : data.at("cells")) {
        add(readiness, cell.at("io_uring_against_readiness"));
        add(blocking, cell.at("io_uring_against_blocking"));
        for (const auto& lost : cell.at("where_io_uring_loses")) {
            rows += "<tr><th>" + text_of(cell.at("workload")) + "</th><td>" +
                    text_of(lost.at("server")) + "</td><td>" + text_of(lost.at("against")) +
                    "</td><td>" + text_of(lost.at("in")) + "</td><td>" +
                    format("%.2f×", lost.at("times_worse").get<double>()) + "</td></tr>\n";
        }
    }
    std::string text = "<section id=\"where-io-uring-loses\"><h2>Where io_uring loses</h2>\n";
    text +=
        format("<p>Servers on io_uring by hand against the others by hand, and anel’s among "
               "themselves: in CPU time, in the rate where the servers set it and not the "
               "generator, and in p99 where an open loop asks all at the same times. Against "
               "epoll and poll(2) %d came out better, %d as ties and %d worse; against blocking "
               "threads %d, %d and %d. These are the worse ones, all of them:</p>\n",
               readiness[0], readiness[1], readiness[2], blocking[0], blocking[1], blocking[2]);
    if (rows.empty()) return text + "<p>None in this run.</p></section>\n";
    return text +
           "<div class=\"scroll\"><table><thead><tr><th>workload</th><th>on io_uring</th>"
           "<th>worse than</th><th>in</th><th>by</th></tr></thead><tbody>" +
           rows + "</tbody></table></div></section>\n";
}

std::string row_of(const json& server, const json& cell) {
    const bool again = server.at("reference_again");
    std::string name = text_of(server.at("server"));
    if (again) name += " <small>again</small>";
    if (server.contains("left_out")) {
        return "<tr><th>" + name + "</th><td colspan=\"10\" class=\"none\">" +
               text_of(server.at("left_out")) + "</td></tr>\n";
    }
    if (!server.contains("requests_per_s")) {
        std::string why = "not measured";
        if (!server.at("errors").empty()) why = text_of(server.at("errors").front());
        return "<tr><th>" + name + "</th><td colspan=\"10\" class=\"none\">" + why + "</td></tr>\n";
    }
    const auto& latency = server.at("latency_ns");
    const auto time = [&](const char* which) {
        if (!server.at("invalid").get<std::string>().empty()) return std::string("INVALID");
        return short_time(latency.at(which));
    };
    const auto optional = [&](const char* key) {
        const auto& value = server.at(key);
        return value.is_null() ? std::string("–") : format("%.3g", value.get<double>());
    };
    std::string ratio = "–";
    if (server.contains("cpu_against_reference")) {
        const auto& against = server.at("cpu_against_reference");
        if (!against.at("ratio").is_null())
            ratio = format("%.2f", against.at("ratio").get<double>());
        if (!against.at("low").is_null()) {
            ratio += format(" <small>%.2f–%.2f</small>", against.at("low").get<double>(),
                            against.at("high").get<double>());
        }
        if (against.at("cpu_is") == "tie") ratio += " <small>tie</small>";
    }
    std::string row = "<tr><th>" + name + "</th>";
    for (const std::string& cell_text :
         {whole(server.at("requests_per_s")), whole(server.at("cpu_ns_per_request")),
          format("%.0f %%", 100 * server.at("system_share_of_cpu").get<double>()), ratio,
          time("p50"), time("p90"), time("p99"), time("p99.9"), time("max"),
          optional("system_calls_per_request"), optional("completions_per_system_call"),
          optional("context_switches_per_request")}) {
        row += "<td>" + cell_text + "</td>";
    }
    if (cell.at("load").at("protocol") == "udp") {
        row += format("<td>%.4f %%</td>", 100 * server.at("lost_share").get<double>());
    } else if (cell.at("load").at("connection_per_request") == true) {
        row += "<td>" + short_time(server.at("connect_ns").at("p50")) + "</td>";
    } else {
        row += format("<td>%.0f</td>", server.at("reply_megabytes_per_s").get<double>());
    }
    return row + "</tr>\n";
}

std::string floor_of(const json& share) {
    return share.is_null() ? "unknown" : format("±%.1f %%", 100 * share.get<double>());
}

std::string table_of(const json& cell) {
    const char* last = cell.at("load").at("protocol") == "udp"                ? "lost"
                       : cell.at("load").at("connection_per_request") == true ? "connect p50"
                                                                              : "MB/s";
    std::string text = "<div class=\"scroll\"><table><thead><tr><th>server</th>";
    for (const char* name :
         {"requests/s", "CPU ns a request", "kernel", "ratio", "p50", "p90", "p99", "p99.9", "max",
          "calls a request", "completions a call", "switches a request", last}) {
        text += std::string("<th>") + name + "</th>";
    }
    text += "</tr></thead><tbody>";
    int dropped = 0;
    double generator = 0;
    for (const auto& server : cell.at("servers")) {
        text += row_of(server, cell);
        generator = std::max(generator, server.value("generator_share", 0.0));
        dropped += server.value("pairs_dropped", 0);
    }
    std::string due;
    if (cell.at("load").at("offered_per_s") > 0) {
        due = format(" %s requests/s are due, whatever the server does; noise floor of p99 %s.",
                     whole(cell.at("load").at("offered_per_s")).c_str(),
                     floor_of(cell.at("noise_floor_p99")).c_str());
    }
    due += format(" The generator used up to %.0f %% of its CPU%s.", 100 * generator,
                  generator > generator_full ? ": it may set the rate, compare the CPU time" : "");
    return text +
           format(
               "</tbody></table></div>\n<p class=\"note\">Ratio: CPU time for a request ÷ that of "
               "the reference (%s), from pairs; below 1 needs less. Noise floor %s: the reference "
               "against itself.%s Pairs dropped: %d.</p>\n",
               text_of(cell.at("reference")).c_str(), floor_of(cell.at("noise_floor")).c_str(),
               due.c_str(), dropped);
}

std::string cells(const json& data) {
    std::string text = "<section id=\"workloads\"><h2>Every workload</h2>\n";
    for (const auto& cell : data.at("cells")) {
        text += "<article><h3 id=\"" + text_of(cell.at("workload")) + "\">" +
                text_of(cell.at("title")) + "</h3>\n<p>" + text_of(cell.at("shows")) + ".</p>\n" +
                duels_of_workload(cell) + table_of(cell) + percentile_spectrum(cell) +
                "</article>\n";
    }
    return text + "</section>\n";
}

std::string agreement(const json& data) {
    std::string text = "<section id=\"agreement\"><h2>Agreement with another tool</h2>\n";
    const auto& out = data.at("outside_tool");
    if (out.is_null()) {
        return text +
               "<p>Not checked: wrk is not installed, or the run was interrupted.</p></section>\n";
    }
    text +=
        "<p>" + text_of(out.at("tool")) +
        " and our generator ask the same servers for 64 bytes on 64 connections, one request in "
        "flight on each, from the same CPU. Medians; the ratio with its 95 % interval.</p>\n"
        "<div class=\"scroll\"><table><thead><tr><th>server</th><th>requests/s</th><th>wrk’s"
        "</th><th>ratio</th><th></th><th>server’s CPU ns</th><th>wrk’s</th></tr></thead>"
        "<tbody>\n";
    for (const auto& point : out.at("points")) {
        const auto middle = [&](const char* client, const char* figure) {
            const double value = median(point.at(client).at(figure));
            return "<td>" + grouped(static_cast<std::uint64_t>(value)) + "</td>";
        };
        const auto error = point.at("error").get<std::string>();
        text += "<tr><th>" + text_of(point.at("server")) + "</th>" +
                middle("ours", "requests_per_s") + middle("theirs", "requests_per_s") +
                format("<td>%.2f (%.2f–%.2f)</td>", point.at("ratio").get<double>(),
                       point.at("ratio_low").get<double>(), point.at("ratio_high").get<double>()) +
                "<td>" + (error.empty() ? text_of(point.at("verdict")) : escaped(error)) + "</td>" +
                middle("ours", "server_cpu_ns_per_request") +
                middle("theirs", "server_cpu_ns_per_request") + "</tr>\n";
    }
    return text + "</tbody></table></div></section>\n";
}

std::string foot(const json& data) {
    std::string text =
        "<section id=\"limits\"><h2>What was not measured</h2>\n<p>Real network cards "
        "and their interrupts, more than one server thread, zero copy (loopback always "
        "copies), SQPOLL, kernels other than this one. A peak is not a service "
        "level.</p></section>\n<section id=\"servers\"><h2>The servers</h2>\n<dl>";
    for (const auto& server : data.at("servers")) {
        std::string details;
        for (const auto& cell : data.at("cells")) {
            for (const auto& row : cell.at("servers")) {
                if (row.at("server") == server.at("name") && row.contains("details") &&
                    details.empty()) {
                    details = text_of(row.at("details"));
                }
            }
        }
        text += "<dt>" + text_of(server.at("name")) + "</dt><dd>" + text_of(server.at("what")) +
                (details.empty() ? "" : ": " + details) + "</dd>\n";
    }
    text += "</dl></section>\n<section id=\"repeat\"><h2>To repeat it</h2>\n<pre>./dev build\n"
            "build/release/bench/" +
            text_of(data.at("command")) +
            "</pre></section>\n<section id=\"environment\"><h2>Environment</h2>\n<details><summary>"
            "everything that decides the result</summary>";
    for (const auto& [group, facts] : data.at("environment").items()) {
        text += "<h3>" + escaped(group) + "</h3><div class=\"scroll\"><table>";
        for (const auto& [name, value] : facts.items()) {
            text += "<tr><th>" + escaped(name) + "</th><td class=\"fact\">" + text_of(value) +
                    "</td></tr>\n";
        }
        text += "</table></div>";
    }
    return text + "</details></section>\n";
}

}  // namespace

std::string page_of(const json& data) {
    return std::string("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<link rel=\"icon\" href=\"data:,\">\n"
                       "<title>anel-bench: io_uring compared</title>\n<style>") +
           page_style + "</style></head>\n<body><main>\n" + head(data) + answer(data) +
           duels_over_workloads(data) + heat_map(data) + size_map(data) + losses(data) +
           knees(data) + latency_against_rate(data) + cpu_against_rate(data) +
           calls_against_connections(data) + memory_per_connection(data) + cells(data) +
           agreement(data) + foot(data) + "</main></body></html>\n";
}

}  // namespace anel_bench
