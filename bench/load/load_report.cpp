// load_report.cpp: the result of one load run, for people and for programs.
//
// See load_report.hpp.
//
// SPDX-License-Identifier: MIT
#include "load/load_report.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace anel_bench {
namespace {

double ns(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count()); }

// So late it must not send: a tenth of the smallest objective anybody states, 1 ms.
constexpr std::chrono::nanoseconds slip_max = std::chrono::microseconds(100);

// An open loop that never finds nothing to do is itself what the replies wait for.
constexpr double spare_min = 0.05;

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
    // One that does not sleep has used a whole core, of which it needed less.
    return divided(ns(std::min(result.own_cpu, result.elapsed - result.spare)), ns(result.elapsed));
}

double unanswered_share(const load_result& result) {
    const auto offered = static_cast<double>(result.offered);
    return std::max(0.0, divided(offered - static_cast<double>(result.latency.count()), offered));
}

double unsent_share(const load_result& result) {
    return divided(static_cast<double>(result.unsent), static_cast<double>(result.offered));
}

double waited_share(const load_result& result) {
    return divided(ns(result.own_waited), ns(result.elapsed));
}

double others_share(const load_result& result, std::size_t cpus) {
    const double others = ns(result.machine_busy) - ns(result.own_cpu) - ns(result.server_cpu);
    return std::max(0.0, divided(others, ns(result.elapsed) * static_cast<double>(cpus)));
}

double stolen_share(const load_result& result, std::size_t cpus) {
    return divided(ns(result.machine_stolen), ns(result.elapsed) * static_cast<double>(cpus));
}

double server_system_share(const load_result& result) {
    return std::min(1.0, divided(ns(result.server_system), ns(result.server_cpu)));
}

std::string generator_bound(const load_options& options, const load_result& result) {
    if (options.mode == load_mode::closed) {
        const double share = generator_share(result);
        const bool server_full =
            options.server_pid != 0 &&
            divided(ns(result.server_cpu), ns(result.elapsed)) > generator_full;
        if (server_full) return "";
        if (const double waited = waited_share(result); waited > waited_max) {
            return format("it waited for a CPU for %.0f %% of the time", 100 * waited);
        }
        return share > generator_full ? format("it used %.0f %% of its core", 100 * share) : "";
    }
    const double unsent = unsent_share(result);
    if (unsent > unsent_max)
        return format("it did not come to %.0f %% of what was due", 100 * unsent);
    const auto slip = result.slip.percentile(99);
    if (slip > slip_max) return "it sent up to " + human(slip) + " late (p99)";
    const double spare = divided(ns(result.spare), ns(result.elapsed));
    return spare < spare_min ? format("it had %.1f %% of its time to spare", 100 * spare) : "";
}

std::string describe(const load_options& options) {
    std::string text = format("%s%s%s: %zu %s%s × %zu B", name_of(options.mode),
                              options.churn ? ", a connection for each request" : "",
                              options.resume ? ", TLS resumed"
                              : options.tls  ? ", TLS"
                                             : "",
                              options.connections, options.udp ? "UDP socket" : "connection",
                              options.connections == 1 ? "" : "s", options.size);
    if (options.times > 1) text += format(" → %zu B", options.size * options.times);
    if (options.mode == load_mode::closed) {
        text +=
            format(", %zu in flight%s", options.pipeline, options.connections == 1 ? "" : " each");
    }
    if (options.work.count() > 0) {
        text += format(", %lld µs of work", static_cast<long long>(options.work.count()));
    }
    if (options.idle > 0) text += format(", beside %zu idle", options.idle);
    if (options.slow > 0) text += format(", beside %zu that hardly read", options.slow);
    return text;
}

std::string load_text(const load_options& options, const load_result& result) {
    const histogram& latency = result.latency;
    std::string text = format("%s\n  server         %s, %.2f s after %.2f s of warm-up\n",
                              describe(options).c_str(), options.server.c_str(),
                              seconds(result.elapsed), seconds(options.warmup));
    const auto rate = static_cast<std::uint64_t>(std::llround(requests_per_second(result)));
    text += format("  requests/s     %s", grouped(rate).c_str());
    if (options.mode != load_mode::closed) {
        const double offered =
            divided(static_cast<double>(result.offered), seconds(result.elapsed));
        text += format(" of %s offered",
                       grouped(static_cast<std::uint64_t>(std::llround(offered))).c_str());
    }
    if (const double share = unanswered_share(result); share > 0) {
        text += format("\n  unanswered     %.2f %% of what was due; latencies are of the others",
                       100 * share);
    }
    text += format("\n  latency        p50 %s   p90 %s   p99 %s   p99.9 %s   max %s\n",
                   human(latency.percentile(50)).c_str(), human(latency.percentile(90)).c_str(),
                   human(latency.percentile(99)).c_str(), human(latency.percentile(99.9)).c_str(),
                   human(latency.max()).c_str());
    if (result.requests == 0) text += "  nothing was measured: no reply within the window\n";
    if (options.udp) {
        text += format("  lost           %llu datagrams\n",
                       static_cast<unsigned long long>(result.lost));
    }
    text += format("  generator CPU  %.0f %% of a core\n", 100 * generator_share(result));
    if (const auto why = generator_bound(options, result); !why.empty()) {
        text += "  INVALID        generator-bound: " + why + "\n";
    }
    if (options.server_pid != 0) {
        text += format("  server CPU     %.0f ns a request (%.0f %% in the kernel), %.0f %% of a "
                       "core\n",
                       server_cpu_ns_per_request(result), 100 * server_system_share(result),
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

nlohmann::ordered_json load_json(const load_options& options, const load_result& result) {
    const auto percentiles = [](const histogram& all) {
        return nlohmann::ordered_json{{"count", all.count()},
                                      {"min", all.min().count()},
                                      {"p50", all.percentile(50).count()},
                                      {"p90", all.percentile(90).count()},
                                      {"p99", all.percentile(99).count()},
                                      {"p99.9", all.percentile(99.9).count()},
                                      {"max", all.max().count()}};
    };
    nlohmann::ordered_json json{{"mode", name_of(options.mode)},
                                {"window_s", seconds(result.elapsed)},
                                {"requests", result.requests},
                                {"requests_per_s", requests_per_second(result)},
                                {"latency_ns", percentiles(result.latency)},
                                {"connect_ns", percentiles(result.setup)}};
    if (options.mode != load_mode::closed) {
        json["offered_per_s"] =
            divided(static_cast<double>(result.offered), seconds(result.elapsed));
        json["unsent"] = result.unsent;
        json["slip_ns"] = percentiles(result.slip);
        json["spare_ns"] = result.spare.count();
        json["unanswered_share"] = unanswered_share(result);
    }
    if (options.udp) json["lost"] = result.lost;
    json["reply_bytes"] = result.reply_bytes;
    json["errors"] = {{"corrupted", result.corrupted},
                      {"broken_off", result.broken},
                      {"unanswered", result.unanswered},
                      {"first", result.first_error.data()}};
    json["generator_waited_ns"] = result.own_waited.count();
    json["generator_cpu_ns"] = result.own_cpu.count();
    json["generator_bound"] = generator_bound(options, result);
    if (options.server_pid != 0) {
        json["server_cpu_ns"] = result.server_cpu.count();
        json["server_cpu_ns_per_request"] = server_cpu_ns_per_request(result);
        json["server_system_ns"] = result.server_system.count();
        if (options.mode == load_mode::closed) {
            json["server_context_switches"] = result.server_switches;
        }
        json["server_resident_bytes"] = result.server_resident;
    }
    json["machine_busy_ns"] = result.machine_busy.count();
    json["machine_stolen_ns"] = result.machine_stolen.count();
    return json;
}

std::string hdr_text(const histogram& latency) {
    std::string text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    const auto total = static_cast<double>(latency.count());
    latency.for_each([&](std::chrono::nanoseconds highest, std::uint64_t so_far) {
        const double share = static_cast<double>(so_far) / total;
        text += format("%12.3f %14.12f %10llu", ns(highest) / 1e3, share,
                       static_cast<unsigned long long>(so_far));
        text += so_far == latency.count() ? "\n" : format(" %14.2f\n", 1 / (1 - share));
    });
    // HdrHistogram's own reader takes the figures from these lines; a mean is not recorded here.
    return text + format("#[Max     = %12.3f, Total count    = %12llu]\n", ns(latency.max()) / 1e3,
                         static_cast<unsigned long long>(latency.count()));
}

}  // namespace anel_bench
