// plots.cpp: the figures of a report, each made from the data of a comparison.
//
// See plots.hpp. Colours tell families apart and dashes the members, so that a figure can be read
// without telling colours apart.
//
// SPDX-License-Identifier: MIT
#include "report/plots.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "common/text.hpp"
#include "report/svg.hpp"

namespace anel_bench {
namespace {

constexpr int plot_width = 720;
constexpr double left = 84, right = plot_width - 20, top = 34;

std::string legend(const std::vector<std::string>& servers) {
    std::string text = "<p class=\"legend\">";
    for (const auto& name : servers) {
        text +=
            "<span><svg viewBox=\"0 0 26 10\" class=\"key\" aria-hidden=\"true\"><line x1=\"1\" "
            "y1=\"5\" x2=\"25\" y2=\"5\" class=\"curve " +
            series_of(name) + "\"/></svg> " + escaped(name) + "</span> ";
    }
    return text + "</p>\n";
}

/// Servers of a cell that have figures, the reference's repetition left out.
std::vector<json> measured(const json& cell) {
    std::vector<json> all;
    for (const auto& server : cell.at("servers")) {
        if (server.at("reference_again") == false && server.contains("requests_per_s")) {
            all.push_back(server);
        }
    }
    return all;
}

/// The frame of a plot: grid lines, numbers, what the axes are.
void frame(drawing& plot, const axis& x, const axis& y, double bottom, const std::string& x_name,
           const std::string& y_name, std::string (*x_text)(double),
           std::string (*y_text)(double)) {
    for (const double tick : y.ticks()) {
        plot.line({left, y(tick)}, {right, y(tick)}, "grid");
        plot.text({left - 8, y(tick) + 4}, y_text(tick), "number end");
    }
    for (const double tick : x.ticks()) {
        plot.line({x(tick), top}, {x(tick), bottom}, "grid");
        plot.text({x(tick), bottom + 18}, x_text(tick), "number middle");
    }
    plot.text({(left + right) / 2, bottom + 38}, x_name, "name middle");
    plot.text({4, 14}, y_name, "name");
}

struct bounds {
    double low = 1e300, high = 0;
    void include(double value) {
        if (value <= 0) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

std::string nines(double beyond) {
    if (beyond < 1.5) return "0 %";
    return format("%.6g %%", 100 * (1 - 1 / beyond));
}

}  // namespace

std::string series_of(const std::string& server) {
    static const std::map<std::string, const char*> known{{"uring", "s1"},
                                                          {"uring-multishot", "s1 d2"},
                                                          {"anel-io_uring", "s2 wide"},
                                                          {"epoll", "s3"},
                                                          {"epoll-edge", "s3 d2"},
                                                          {"anel-epoll", "s4 wide"},
                                                          {"poll", "s5"},
                                                          {"anel-poll", "s5 d2 wide"},
                                                          {"threads", "s6"},
                                                          {"pool", "s6 d2"},
                                                          {"asio", "s7"},
                                                          {"libuv", "s7 d2"},
                                                          {"go", "s8"},
                                                          {"asyncio", "s8 d2"}};
    const auto found = known.find(server);
    return found == known.end() ? "s8 d3" : found->second;
}

std::string figure(const std::string& id, const std::string& title, const std::string& content,
                   const std::string& caption) {
    return "<figure id=\"" + id + "\"><h3>" + escaped(title) + "</h3>\n<div class=\"scroll\">" +
           content + "</div>\n<figcaption>" + escaped(caption) + "</figcaption></figure>\n";
}

bool is_plain_echo(const json& load) {
    return load.at("mode") == "closed loop" && load.at("protocol") == "tcp" &&
           load.at("idle_connections") == 0 && load.at("slow_connections") == 0 &&
           load.at("in_flight_each") == 1 && load.at("work_us") == 0 &&
           load.at("connection_per_request") == false &&
           load.at("request_bytes") == load.at("reply_bytes");
}

std::string latency_against_rate(const json& data) {
    const auto& curves = data.at("curves");
    if (curves.empty()) return "";
    bounds rates, times;
    std::vector<std::string> names;
    for (const auto& curve : curves) {
        names.push_back(curve.at("server"));
        for (const auto& p : curve.at("points")) {
            rates.include(p.at("offered_per_s"));
            times.include(p.at("latency_ns").at("p50"));
            times.include(p.at("p99_ns_median_of_runs"));
        }
    }
    if (times.high == 0) return "";
    constexpr int height = 420;
    constexpr double bottom = height - 50;
    const axis x(axis::kind::linear, 0, rates.high, left, right);
    const axis y(axis::kind::logarithmic, times.low * 0.8, times.high * 1.2, bottom, top);
    drawing plot(plot_width, height, "Latency against rate, a line for each server");
    frame(plot, x, y, bottom, "offered requests/s", "latency", short_number, short_time);
    const double goal = curves.front().at("objective_p99_ns");
    plot.line({left, y(goal)}, {right, y(goal)}, "goal");
    plot.text({right, y(goal) - 5}, "objective: p99 ≤ " + short_time(goal), "number end");
    for (const auto& curve : curves) {
        const std::string name = curve.at("server"), series = series_of(name);
        std::vector<point> middle, tail;
        for (const auto& p : curve.at("points")) {
            if (p.at("latency_ns").at("p50") == 0) continue;
            const double rate = p.at("offered_per_s");
            middle.push_back({x(rate), y(p.at("latency_ns").at("p50"))});
            tail.push_back({x(rate), y(p.at("p99_ns_median_of_runs"))});
            const std::string why = p.at("invalid");
            const bool valid = why.empty();
            plot.dot(tail.back(), series + (valid ? " full" : " hollow"),
                     format("%s at %s/s: p99 %s, achieved %s/s%s", name.c_str(),
                            short_number(rate).c_str(),
                            short_time(p.at("p99_ns_median_of_runs")).c_str(),
                            short_number(p.at("achieved_per_s")).c_str(),
                            valid ? "" : (" INVALID: " + why).c_str()));
        }
        plot.band(tail, middle, "area " + series);
        plot.polyline(middle, "curve thin " + series);
        plot.polyline(tail, "curve " + series);
    }
    return figure(
        "latency-against-rate", "Latency against rate", plot.done() + legend(names),
        "Open loop, Poisson arrivals, ping-pong of 64 B over 64 connections; latency from "
        "the moment a request was due. Thin line p50, line with dots p99, the median of the runs. "
        "Hollow "
        "dots are INVALID: the generator sent late, or the run was disturbed.");
}

std::string cpu_against_rate(const json& data) {
    bounds rates, times;
    std::vector<std::string> names;
    for (const auto& curve : data.at("curves")) {
        names.push_back(curve.at("server"));
        for (const auto& p : curve.at("points")) {
            rates.include(p.at("offered_per_s"));
            times.include(p.at("cpu_ns_per_request"));
        }
    }
    if (times.high == 0) return "";
    constexpr int height = 340;
    constexpr double bottom = height - 50;
    const axis x(axis::kind::linear, 0, rates.high, left, right);
    const axis y(axis::kind::linear, 0, times.high * 1.1, bottom, top);
    drawing plot(plot_width, height, "CPU time per request against rate, a line for each server");
    frame(plot, x, y, bottom, "offered requests/s", "server CPU for a request", short_number,
          short_time);
    for (const auto& curve : data.at("curves")) {
        const std::string name = curve.at("server"), series = series_of(name);
        std::vector<point> line;
        for (const auto& p : curve.at("points")) {
            const double rate = p.at("offered_per_s"), cpu = p.at("cpu_ns_per_request");
            if (cpu == 0) continue;
            line.push_back({x(rate), y(cpu)});
            plot.dot(line.back(), series + " full",
                     format("%s at %s/s: %s a request", name.c_str(), short_number(rate).c_str(),
                            short_time(cpu).c_str()));
        }
        plot.polyline(line, "curve " + series);
    }
    return figure("cpu-against-rate", "CPU for a request against rate", plot.done() + legend(names),
                  "The same runs. A server with little to do sleeps and is woken for nearly every "
                  "request; one that is busy finds several at once.");
}

std::string percentile_spectrum(const json& cell) {
    bounds times, reach;
    std::vector<std::string> names;
    auto servers = measured(cell);
    std::erase_if(servers, [](const json& server) {
        return !server.at("invalid").get_ref<const std::string&>().empty();
    });
    for (const auto& server : servers) {
        names.push_back(server.at("server"));
        for (const auto& step : server.at("spectrum")) {
            reach.include(step.at(0));
            times.include(step.at(1));
        }
    }
    if (names.empty()) return "";
    constexpr int height = 400;
    constexpr double bottom = height - 50;
    const axis x(axis::kind::logarithmic, 1, reach.high, left, right);
    const axis y(axis::kind::logarithmic, times.low * 0.8, times.high * 1.2, bottom, top);
    drawing plot(plot_width, height, "Percentile spectrum, a line for each server");
    frame(plot, x, y, bottom, "percentile", "latency", nines, short_time);
    for (const auto& server : servers) {
        std::vector<point> line;
        for (const auto& step : server.at("spectrum")) line.push_back({x(step[0]), y(step[1])});
        plot.polyline(line, "curve " + series_of(server.at("server")));
    }
    const std::string name = cell.at("workload");
    const bool closed = cell.at("load").at("mode") == "closed loop";
    return figure(
        "spectrum-" + name, "Latency by percentile: " + name, plot.done() + legend(names),
        closed
            ? "Closed loop: every connection asks again as soon as it has its answer, so that a "
              "server that stalls is asked less. Compare tails under an open loop, not here."
            : "Open loop: all servers are asked at the same times, and latency counts from when a "
              "request was due. Of all runs together: a single disturbance shows at the end. "
              "Servers whose figures are INVALID are left out.");
}

std::string calls_against_connections(const json& data) {
    std::map<std::string, std::map<double, double>> lines;  // by server: connections, calls
    bounds connections, calls;
    for (const auto& cell : data.at("cells")) {
        const auto& load = cell.at("load");
        if (!is_plain_echo(load) || load.at("request_bytes") != 64) continue;
        for (const auto& server : measured(cell)) {
            if (server.at("system_calls_per_request").is_null()) continue;
            const double x = load.at("connections"), y = server.at("system_calls_per_request");
            lines[server.at("server")][x] = y;
            connections.include(x);
            calls.include(y);
        }
    }
    if (lines.empty()) return "";
    constexpr int height = 380;
    constexpr double bottom = height - 50;
    const axis x(axis::kind::logarithmic, connections.low, connections.high * 1.1, left, right);
    const axis y(axis::kind::logarithmic, calls.low * 0.7, calls.high * 1.4, bottom, top);
    drawing plot(plot_width, height, "System calls per request against connections");
    frame(plot, x, y, bottom, "connections", "system calls a request", short_number, short_number);
    std::vector<std::string> names;
    for (const auto& [name, values] : lines) {
        std::vector<point> line;
        for (const auto& [n, value] : values) {
            line.push_back({x(n), y(value)});
            plot.dot(line.back(), series_of(name) + " full",
                     format("%s, %.0f connections: %.3f calls a request", name.c_str(), n, value));
        }
        plot.polyline(line, "curve " + series_of(name));
        names.push_back(name);
    }
    return figure("calls-against-connections", "System calls for a request",
                  plot.done() + legend(names),
                  "The figure that explains the others: readiness and blocking make two calls or "
                  "more for every request; io_uring makes one for all that a turn gathered.");
}

std::string memory_per_connection(const json& data) {
    const json* most = nullptr;  // the cell with most connections says it best
    double connections = 0;
    for (const auto& cell : data.at("cells")) {
        const auto& load = cell.at("load");
        const double n =
            load.at("connections").get<double>() + load.at("idle_connections").get<double>();
        if (load.at("slow_connections") == 0 && load.at("protocol") == "tcp" && n > connections) {
            connections = n;
            most = &cell;
        }
    }
    if (!most || connections < 2) return "";
    bounds bytes;
    const auto servers = measured(*most);
    for (const auto& server : servers) bytes.include(server.at("resident_bytes_per_connection"));
    if (bytes.high == 0) return "";
    constexpr double from = 150, row = 26;
    const double bottom = 18 + row * static_cast<double>(servers.size());
    const axis x(axis::kind::logarithmic, std::max(10.0, bytes.low / 2), bytes.high * 1.5, from,
                 right - 60);
    drawing plot(plot_width, static_cast<int>(bottom) + 30,
                 "Memory per connection, a bar for each server");
    for (const double tick : x.ticks()) {
        plot.line({x(tick), 8}, {x(tick), bottom}, "grid");
        plot.text({x(tick), bottom + 18}, short_number(tick) + "B", "number middle");
    }
    double at = 14;
    for (const auto& server : servers) {
        const double value = server.at("resident_bytes_per_connection");
        const std::string name = server.at("server");
        const std::string tip = format("%s: %.0f bytes", name.c_str(), value);
        plot.text({from - 8, at + 13}, name, "number end");
        plot.box({from, at}, x(std::max(value, 1.0)) - from, row - 9, "bar " + series_of(name),
                 tip);
        plot.text({x(std::max(value, 1.0)) + 6, at + 13}, short_number(std::max(value, 0.0)) + "B",
                  "number");
        at += row;
    }
    return figure(
        "memory", "Resident memory for a connection", plot.done(),
        format("Growth of the server's resident memory with %s connections (%s), divided "
               "by them; logarithmic.%s The kernel's memory for sockets is not part of it.",
               grouped(static_cast<std::uint64_t>(connections)).c_str(),
               most->at("workload").get<std::string>().c_str(),
               connections < 1000 ? " With so few, what does not depend on their number "
                                    "weighs heavily: a full run has 10,100."
                                  : ""));
}

}  // namespace anel_bench
