// load_report.cpp: the result of one load run, for people and for programs.
//
// See load_report.hpp.
//
// SPDX-License-Identifier: MIT
#include "load_report.hpp"

#include <algorithm>
#include <cmath>

#include "text.hpp"

namespace anel_bench {
namespace {

double ns(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count()); }

double seconds(std::chrono::nanoseconds duration) { return ns(duration) / 1e9; }

double divided(double value, double by) { return by > 0 ? value / by : 0; }

}  // namespace

double requests_per_second(const load_result& result) {
    return divided(static_cast<double>(result.requests), seconds(result.elapsed));
}

double server_cpu_ns_per_request(const load_result& result) {
    return divided(ns(result.server_cpu), static_cast<double>(result.requests));
}

double generator_share(const load_result& result) {
    if (result.requests == 0) return 0;  // the window may have closed as it opened
    return divided(ns(result.own_cpu), ns(result.elapsed));
}

double others_share(const load_result& result, std::size_t cpus) {
    const double others = ns(result.machine_busy) - ns(result.own_cpu) - ns(result.server_cpu);
    return std::max(0.0, divided(others, ns(result.elapsed) * static_cast<double>(cpus)));
}

double stolen_share(const load_result& result, std::size_t cpus) {
    return divided(ns(result.machine_stolen), ns(result.elapsed) * static_cast<double>(cpus));
}

std::string load_text(const load_options& options, const load_result& result) {
    const histogram& latency = result.latency;
    std::string text = format(
        "closed loop: %zu connections × %zu B to %s, %zu in flight each, %.2f s after %.2f s of "
        "warm-up\n",
        options.connections, options.size, options.server.c_str(), options.pipeline,
        seconds(result.elapsed), seconds(options.warmup));
    const auto rate = static_cast<std::uint64_t>(std::llround(requests_per_second(result)));
    text += format("  requests/s     %s\n", grouped(rate).c_str());
    text += format("  latency        p50 %s   p90 %s   p99 %s   p99.9 %s   max %s\n",
                   human(latency.percentile(50)).c_str(), human(latency.percentile(90)).c_str(),
                   human(latency.percentile(99)).c_str(), human(latency.percentile(99.9)).c_str(),
                   human(latency.max()).c_str());
    if (result.requests == 0) text += "  nothing was measured: no reply within the window\n";
    const double share = generator_share(result);
    text += format("  generator CPU  %.0f %% of a core%s\n", 100 * share,
                   share > generator_bound ? ": generator-bound, the server may be faster" : "");
    if (options.server_pid != 0) {
        text += format("  server CPU     %.0f ns a request, %.0f %% of a core\n",
                       server_cpu_ns_per_request(result),
                       100 * divided(ns(result.server_cpu), ns(result.elapsed)));
    }
    if (result.errors() == 0) return text + "  errors         none; every byte was right\n";
    return text + format("  errors         %llu connections: %llu corrupted, %llu broken off, "
                         "%llu unanswered\n                 first: %s\n",
                         static_cast<unsigned long long>(result.errors()),
                         static_cast<unsigned long long>(result.corrupted),
                         static_cast<unsigned long long>(result.broken),
                         static_cast<unsigned long long>(result.unanswered),
                         result.first_error.data());
}

void add_load_fields(json_writer& json, const load_options& options, const load_result& result) {
    json.field("mode", "closed loop");
    json.field("connections", options.connections);
    json.field("size_bytes", options.size);
    json.field("pipeline", options.pipeline);
    json.field("warmup_s", seconds(options.warmup));
    json.field("window_s", seconds(result.elapsed));
    json.field("requests", result.requests);
    json.field("requests_per_s", requests_per_second(result));
    json.key("latency_ns").begin_object();
    json.field("min", result.latency.min().count());
    json.field("p50", result.latency.percentile(50).count());
    json.field("p90", result.latency.percentile(90).count());
    json.field("p99", result.latency.percentile(99).count());
    json.field("p99.9", result.latency.percentile(99.9).count());
    json.field("max", result.latency.max().count());
    json.end_object();
    json.key("errors").begin_object();
    json.field("corrupted", result.corrupted);
    json.field("broken_off", result.broken);
    json.field("unanswered", result.unanswered);
    json.field("first", result.first_error.data());
    json.end_object();
    json.field("generator_cpu_ns", result.own_cpu.count());
    json.field("generator_bound", generator_share(result) > generator_bound);
    if (options.server_pid != 0) {
        json.field("server_cpu_ns", result.server_cpu.count());
        json.field("server_cpu_ns_per_request", server_cpu_ns_per_request(result));
    }
    json.field("machine_busy_ns", result.machine_busy.count());
    json.field("machine_stolen_ns", result.machine_stolen.count());
}

}  // namespace anel_bench
