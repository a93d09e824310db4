// compare_report.cpp: the figures of a comparison as a terminal table and as JSON.
//
// Rates and CPU times are medians over the runs that counted; percentiles come from the merged
// histograms of those runs. CPU time per request is the figure servers are ranked by: it stays
// meaningful when the generator, not the server, sets the rate.
//
// SPDX-License-Identifier: MIT
#include "compare_report.hpp"

#include <algorithm>
#include <cmath>

#include "environment.hpp"
#include "load_report.hpp"
#include "statistics.hpp"
#include "text.hpp"

namespace anel_bench {
namespace {

// Shares of the machine taken by others, above which a run says little.
constexpr double others_max = 0.05;
constexpr double stolen_max = 0.01;

struct summary {
    std::vector<double> rates;   // requests/s, a run each
    std::vector<double> cpu_ns;  // server CPU per request, a run each
    histogram latency;
    double generator = 0;  // largest share of a core
    double others = 0;     // largest share of the machine
    double stolen = 0;     // largest share of the machine
};

summary summarise(const measured_server& server, std::size_t cpus) {
    summary all;
    for (const run_result& run : server.runs) {
        if (!run.error.empty()) continue;
        all.rates.push_back(requests_per_second(run.load));
        all.cpu_ns.push_back(server_cpu_ns_per_request(run.load));
        all.latency.merge(run.load.latency);
        all.generator = std::max(all.generator, generator_share(run.load));
        all.others = std::max(all.others, others_share(run.load, cpus));
        all.stolen = std::max(all.stolen, stolen_share(run.load, cpus));
    }
    return all;
}

std::string percent(double share, int decimals) { return format("%.*f%%", decimals, 100 * share); }

std::string half_range_text(const std::vector<double>& values) {
    return values.size() < 2 ? "n/a" : percent(half_range(values), 1);
}

std::string ratio_text(const summary& reference, const summary& server,
                       std::optional<double> floor) {
    const double ratio = median(reference.cpu_ns) / median(server.cpu_ns);
    return format("%.2f%s", ratio, floor && std::abs(ratio - 1) <= *floor ? " tie" : "");
}

std::string calls_text(const measured_server& server) {
    if (!server.syscall_run || !server.syscall_run->syscalls_per_request) return "n/a";
    const double calls = *server.syscall_run->syscalls_per_request;
    return format("%.*f", calls < 1 ? 3 : 2, calls);
}

std::vector<std::string> row_of(const measured_server& server, const summary& figures,
                                const summary& reference, std::optional<double> floor) {
    const std::string name = server.reference_again ? "reference again" : server.spec.name;
    if (figures.rates.empty()) return {name, "failed"};
    const bool is_reference = &figures == &reference;
    std::string ratio = "1.00";
    if (!is_reference) {
        ratio = reference.rates.empty() ? "n/a" : ratio_text(reference, figures, floor);
    }
    const auto rate = static_cast<std::uint64_t>(std::llround(median(figures.rates)));
    return {name,
            grouped(rate),
            half_range_text(figures.rates),
            grouped(static_cast<std::uint64_t>(std::llround(median(figures.cpu_ns)))),
            half_range_text(figures.cpu_ns),
            ratio,
            human(figures.latency.percentile(50)),
            human(figures.latency.percentile(99)),
            percent(figures.generator, 0),
            server.reference_again ? "" : calls_text(server)};
}

std::vector<summary> summarise_all(const measured_cell& cell, std::size_t cpus) {
    std::vector<summary> all;
    all.reserve(cell.servers.size());
    for (const measured_server& server : cell.servers) all.push_back(summarise(server, cpus));
    return all;
}

std::string warnings(const measured_cell& cell, const std::vector<summary>& figures) {
    std::string text;
    for (const measured_server& server : cell.servers) {
        for (std::size_t round = 0; round < server.runs.size(); ++round) {
            const std::string& error = server.runs[round].error;
            if (error.empty()) continue;
            text += wrapped(format("! %s, round %zu, does not count: %s", server.spec.name.c_str(),
                                   round + 1, error.c_str()));
        }
        if (server.syscall_run && !server.syscall_run->error.empty()) {
            text += wrapped(format("! %s, counting system calls: %s", server.spec.name.c_str(),
                                   server.syscall_run->error.c_str()));
        }
    }
    const auto largest = [&](double summary::* member) {
        double value = 0;
        for (const summary& one : figures) value = std::max(value, one.*member);
        return value;
    };
    if (largest(&summary::generator) > generator_bound) {
        text += "! load at 95% of its core or more: it may set the rate and the latency; "
                "compare the CPU time.\n";
    }
    if (const double others = largest(&summary::others); others > others_max) {
        text += format("! other processes took up to %s of the machine: figures are rough.\n",
                       percent(others, 0).c_str());
    }
    if (const double stolen = largest(&summary::stolen); stolen > stolen_max) {
        text += format("! the hypervisor took up to %s of the machine: figures are rough.\n",
                       percent(stolen, 1).c_str());
    }
    return text;
}

bool counts_syscalls(const measured_cell& cell) {
    return std::any_of(cell.servers.begin(), cell.servers.end(), [](const measured_server& server) {
        return server.syscall_run.has_value();
    });
}

void add_summary_fields(json_writer& json, const summary& figures) {
    json.field("requests_per_s", median(figures.rates));
    json.field("requests_per_s_half_range", half_range(figures.rates));
    json.field("cpu_ns_per_request", median(figures.cpu_ns));
    json.field("cpu_ns_per_request_half_range", half_range(figures.cpu_ns));
    json.key("latency_ns").begin_object();
    json.field("p50", figures.latency.percentile(50).count());
    json.field("p99", figures.latency.percentile(99).count());
    json.field("p99.9", figures.latency.percentile(99.9).count());
    json.field("max", figures.latency.max().count());
    json.end_object();
}

void add_server(json_writer& json, const measured_server& server, const summary& figures,
                const load_options& load) {
    json.begin_object();
    json.field("name", server.spec.name);
    json.field("reference_again", server.reference_again);
    json.field("what", server.spec.what);
    json.field("program", server.spec.program);
    json.key("environment").begin_object();
    for (const auto& [name, value] : server.spec.environment) json.field(name, value);
    json.end_object();
    if (!figures.rates.empty()) add_summary_fields(json, figures);
    if (server.syscall_run && server.syscall_run->syscalls_per_request) {
        json.field("system_calls_per_request", *server.syscall_run->syscalls_per_request);
    }
    json.key("runs").begin_array();
    for (const run_result& run : server.runs) {
        json.begin_object();
        json.field("counts", run.error.empty());
        json.field("error", run.error);
        load_options asked = load;
        asked.server_pid = 1;  // any: the figures of the server were read
        add_load_fields(json, asked, run.load);
        json.end_object();
    }
    json.end_array().end_object();
}

}  // namespace

std::string compare_heading(const compare_options& options, const cpu_plan& cpus) {
    std::string text = environment_line() + "\n";
    if (cpus.server && cpus.load) {
        text += format("server on CPU %d, load on CPU %d, loopback: no network card.", *cpus.server,
                       *cpus.load);
    } else {
        text += "fewer than two usable CPUs: nothing is pinned; loopback.";
    }
    text += format(" Closed loop, every byte checked.\n"
                   "%zu round%s of %.1f s: figures are medians, ± is half the range\n",
                   options.rounds, options.rounds == 1 ? "" : "s",
                   std::chrono::duration<double>(options.window).count());
    if (!built_optimised()) text += "! this build is not optimised: its figures mean nothing\n";
    return text;
}

std::string cell_text(const measured_cell& cell, const cpu_plan& cpus) {
    const auto figures = summarise_all(cell, cpus.online);
    const auto floor = noise_floor(figures.front().cpu_ns, figures.back().cpu_ns);
    std::vector<std::vector<std::string>> rows{{"server", "requests/s", "±", "CPU ns/req", "±",
                                                "ratio", "p50", "p99", "load", "calls/req"}};
    for (std::size_t i = 0; i < cell.servers.size(); ++i) {
        rows.push_back(row_of(cell.servers[i], figures[i], figures.front(), floor));
    }
    if (!counts_syscalls(cell)) {
        const std::size_t columns = rows.front().size() - 1;
        for (auto& row : rows) row.resize(std::min(row.size(), columns));
    }
    std::string text = format("\n%zu connections × %zu B, %zu in flight each\n",
                              cell.load.connections, cell.load.size, cell.load.pipeline);
    text += table(rows);
    const char* reference = cell.servers.front().spec.name.c_str();
    text += wrapped(format("ratio: server CPU per request, %s ÷ this one: above 1 is cheaper. "
                           "load: CPU of the generator.",
                           reference));
    if (floor) {
        text += format("noise floor ±%s: %s measured twice comes out that far apart; below it, a "
                       "tie.\n",
                       percent(*floor, 1).c_str(), reference);
    } else {
        text += "noise floor unknown: it takes two rounds; a difference may mean nothing.\n";
    }
    return text + warnings(cell, figures);
}

bool every_run_counted(const measured_cell& cell) {
    const auto counted = [](const run_result& run) { return run.error.empty(); };
    return std::all_of(cell.servers.begin(), cell.servers.end(),
                       [&](const measured_server& server) {
                           return std::all_of(server.runs.begin(), server.runs.end(), counted) &&
                                  (!server.syscall_run || counted(*server.syscall_run));
                       });
}

std::string compare_json(const compare_options& options, const cpu_plan& cpus,
                         const std::vector<measured_cell>& cells) {
    json_writer json;
    json.begin_object();
    json.field("tool", "anel-bench compare");
    json.field("rounds", options.rounds);
    json.field("server_cpu", cpus.server.value_or(-1));
    json.field("load_cpu", cpus.load.value_or(-1));
    json.key("environment").begin_object();
    add_environment_fields(json, read_environment());
    json.end_object();
    json.key("cells").begin_array();
    for (const measured_cell& cell : cells) {
        const auto figures = summarise_all(cell, cpus.online);
        json.begin_object();
        json.field("mode", "closed loop");
        json.field("connections", cell.load.connections);
        json.field("size_bytes", cell.load.size);
        json.field("pipeline", cell.load.pipeline);
        const auto floor = noise_floor(figures.front().cpu_ns, figures.back().cpu_ns);
        json.field("noise_floor", floor.value_or(std::nan("")));
        json.key("servers").begin_array();
        for (std::size_t i = 0; i < cell.servers.size(); ++i) {
            add_server(json, cell.servers[i], figures[i], cell.load);
        }
        json.end_array().end_object();
    }
    json.end_array().end_object();
    return json.text();
}

}  // namespace anel_bench
