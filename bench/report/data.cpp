// data.cpp: a comparison as JSON, and the three files of a report.
//
// The schema is described in docs/benchmark_data.md. A field that goes, or means something else, is
// a change of `schema`; one more is none.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/environment.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "report/answer.hpp"
#include "report/report.hpp"
#include "report/tables.hpp"

namespace anel_bench {
namespace {

using json = nlohmann::ordered_json;

/// Five digits say all that is known, and keep the file small.
double shortened(double value) { return std::strtod(format("%.5g", value).c_str(), nullptr); }

/// A ratio with its interval; parts that are not known are null.
json json_of(const ratio_estimate& one) {
    json all{{"ratio", nullptr}, {"low", nullptr}, {"high", nullptr}};
    if (one.starts > 0) all["ratio"] = one.ratio;
    if (one.known()) {
        all["low"] = one.range.low;
        all["high"] = one.range.high;
    }
    all["pairs"] = one.pairs;
    all["starts"] = one.starts;
    return all;
}

json percentiles_of(const histogram& all) {
    return {{"p50", all.percentile(50).count()},
            {"p90", all.percentile(90).count()},
            {"p99", all.percentile(99).count()},
            {"p99.9", all.percentile(99.9).count()},
            {"max", all.max().count()}};
}

/// [1/(1-p), ns] at steps that look even on a logarithmic axis, as far as there are values.
json spectrum_of(const histogram& all) {
    json steps = json::array();
    for (double beyond = 1; beyond <= static_cast<double>(all.count()); beyond *= std::sqrt(2.0)) {
        steps.push_back({beyond, all.percentile(100 * (1 - 1 / beyond)).count()});
    }
    return steps;
}

json json_of(const load_options& load) {
    return {{"mode", name_of(load.mode)},
            {"connections", load.connections},
            {"idle_connections", load.idle},
            {"slow_connections", load.slow},
            {"offered_per_s", load.rate},
            {"request_bytes", load.size},
            {"reply_bytes", load.size * load.times},
            {"work_us", load.work.count()},
            {"in_flight_each", load.pipeline},
            {"connection_per_request", load.churn},
            {"protocol", load.udp   ? "udp"
                         : load.tls ? "tls"
                                    : "tcp"},
            {"resumed", load.resume}};
}

json json_of(const run_result& run, const load_options& load) {
    load_options asked = load;
    asked.server_pid = 1;  // any: the figures of the server were read
    json one = load_json(asked, run.load);
    one["counts"] = counts(run);
    one["error"] = run.error;
    one["disturbed"] = run.disturbed;
    return one;
}

json json_of(const ring_gain& gain) {
    const auto worth = gain.worth_of_calls(empty_system_call_ns());
    return {{"ring", gain.ring},
            {"other", gain.other},
            {"ring_cpu_ns", gain.ring_ns},
            {"other_cpu_ns", gain.other_ns},
            {"difference", gain.difference()},
            {"cpu", json_of(gain.against)},
            {"cpu_is", name_of(gain.cpu)},
            {"calls_saved", gain.calls_saved ? json(*gain.calls_saved) : json()},
            {"worth_of_calls", worth ? json(*worth) : json()}};
}

/// `found` with what it is called.
json told(const ratio_estimate& found, double noise, const char* verdict_key) {
    json all = json_of(found);
    all[verdict_key] = name_of(decide(found, noise));
    return all;
}

json against_reference(const measured_cell& cell, std::size_t who, const noise_floors& noise) {
    const duel_figures found = duel_of(cell, who, the_reference);
    json all{{"cpu_against_reference", told(found.cpu, noise.cpu, "cpu_is")},
             {"rate_against_reference", told(found.rate, noise.rate, "rate_is")}};
    if (cell.work.load.mode != load_mode::closed) {
        all["p99_against_reference"] = told(found.p99, noise.p99, "p99_is");
    }
    all["pairs_dropped"] = found.dropped;
    all["cpu_pairs"] = json::array();
    for (const auto& start : found.cpu_pairs) {
        json pairs = json::array();
        for (const double pair : start) pairs.push_back(shortened(pair));
        all["cpu_pairs"].push_back(std::move(pairs));
    }
    return all;
}

json json_of(const measured_cell& cell, std::size_t who, const noise_floors& noise) {
    const measured_server& server = cell.servers[who];
    json one{{"server", server.spec.name}, {"reference_again", server.reference_again}};
    if (!server.left_out.empty()) {
        one["left_out"] = server.left_out;
        return one;
    }
    const summary all = summarise(server, cell.work.load);
    one["details"] = all.details;
    one["starts"] = all.starts;
    one["errors"] = server.errors;
    if (!all.measured()) return one;
    const auto or_null = [](const std::optional<double>& value) {
        return value ? json(*value) : json();
    };
    const auto& counted = server.counted;
    one["requests_per_s"] = all.rate;
    one["cpu_ns_per_request"] = all.cpu_ns;
    one["invalid"] = all.invalid;
    one["system_share_of_cpu"] = all.system_share;
    one["context_switches_per_request"] = or_null(all.switches);
    one["system_calls_per_request"] = counted ? json(counted->calls) : json();
    one["calls_counted_with"] = counted ? counted->tool : "";
    one["completions_per_system_call"] =
        or_null(counted ? counted->completions_per_call : std::nullopt);
    one["submissions_per_request"] = or_null(counted ? counted->submissions : std::nullopt);
    one["resident_bytes_per_connection"] = all.connection_bytes;
    one["lost_share"] = all.lost_share;
    one["reply_megabytes_per_s"] = all.megabytes;
    one["generator_share"] = all.generator_share;
    one["generator_waited_share"] = all.generator_waited;
    one["latency_ns"] = percentiles_of(all.latency);
    one["connect_ns"] = percentiles_of(all.setup);
    one["spectrum"] = spectrum_of(all.latency);
    if (who != the_reference) one.update(against_reference(cell, who, noise));
    return one;
}

json or_null(double value) { return std::isfinite(value) ? json(value) : json(); }

json json_of(const measured_cell& cell) {
    const noise_floors noise = noise_of(cell);
    json one{{"workload", cell.work.name},
             {"title", cell.work.title},
             {"shows", cell.work.shows},
             {"load", json_of(cell.work.load)},
             {"reference", cell.servers.front().spec.name},
             {"noise_floor", or_null(noise.cpu)},
             {"noise_floor_rate", or_null(noise.rate)},
             {"noise_floor_p99", or_null(noise.p99)}};
    for (std::size_t who = 0; who < cell.servers.size(); ++who) {
        one["servers"].push_back(json_of(cell, who, noise));
    }
    one["duels"] = json::array();
    for (const pair_of_servers& pair : told_pairs()) {
        const auto found = duel_of(cell, pair.own, pair.other);
        if (!found || found->cpu.starts == 0) continue;
        one["duels"].push_back({{"own", pair.own}, {"other", pair.other}});
        one["duels"].back().update(told(found->cpu, noise.cpu, "cpu_is"));
    }
    one["io_uring_and_epoll"] = json::array();
    for (const ring_gain& gain : gains_of(cell)) {
        one["io_uring_and_epoll"].push_back(json_of(gain));
    }
    const auto counts_of = [](const score& all) {
        return json{{"better", all.wins}, {"ties", all.ties}, {"worse", all.losses}};
    };
    const scores all = scores_of(cell);
    one["io_uring_against_readiness"] = counts_of(all.readiness);
    one["io_uring_against_blocking"] = counts_of(all.blocking);
    one["where_io_uring_loses"] = json::array();
    for (const loss& lost : losses_of(cell)) {
        one["where_io_uring_loses"].push_back({{"server", lost.ring},
                                               {"against", lost.other},
                                               {"in", lost.what},
                                               {"times_worse", lost.factor}});
    }
    return one;
}

json json_of(const saturation_curve& curve) {
    const knee found = knee_of(curve);
    json one{{"server", curve.spec.name},      {"load", json_of(curve.load)},
             {"maximum_per_s", curve.maximum}, {"objective_p99_ns", objective.count()},
             {"knee_per_s", found.rate},       {"knee_is_lower_bound", found.lower_bound}};
    for (const curve_point& point : curve.points) {
        const point_figures figures = figures_of(point, curve.load);
        json runs = json::array();
        for (const run_result& run : point.runs) runs.push_back(json_of(run, curve.load));
        one["points"].push_back({{"share_of_maximum", point.share},
                                 {"offered_per_s", point.offered},
                                 {"achieved_per_s", figures.achieved},
                                 {"cpu_ns_per_request", figures.cpu_ns},
                                 {"latency_ns", percentiles_of(figures.latency)},
                                 {"p99_ns_median_of_runs", figures.p99.count()},
                                 {"slip_p99_ns", figures.slip.percentile(99).count()},
                                 {"invalid", figures.invalid},
                                 {"runs", runs}});
    }
    return one;
}

json json_of(const outside_measurement& out) {
    const auto seen_by = [](const client_figures& client) {
        return json{{"requests_per_s", client.rates},
                    {"p50_us", client.p50s},
                    {"server_cpu_ns_per_request", client.server_cpu},
                    {"client_share_of_core", client.client_shares}};
    };
    json points = json::array();
    for (const outside_point& point : out.points) {
        const interval range = point.ratio_range();
        points.push_back({{"server", point.server},
                          {"error", point.error},
                          {"ratio", point.ratio()},
                          {"ratio_low", range.low},
                          {"ratio_high", range.high},
                          {"verdict", point.error.empty() ? point.verdict() : "none"},
                          {"ours", seen_by(point.ours)},
                          {"theirs", seen_by(point.theirs)}});
    }
    return {{"tool", out.tool}, {"agreement_within", agreement_within}, {"points", points}};
}

/// What fits into a line is one, and so is a run: a file that a person can read and compare.
std::string laid_out(const json& value, std::size_t depth = 0) {
    constexpr std::size_t columns = 100, depth_of_runs = 6;
    std::string line = value.dump();
    if (line.size() + depth <= columns || depth >= depth_of_runs || value.is_primitive()) {
        return line;
    }
    std::string text(1, line.front());
    for (const auto& [key, item] : value.items()) {
        text += text.size() > 1 ? ",\n" : "\n";
        text.append(depth + 1, ' ');
        if (value.is_object()) text += json(key).dump() + ": ";
        text += laid_out(item, depth + 1);
    }
    text += "\n" + std::string(depth, ' ') + line.back();
    return text;
}

}  // namespace

json comparison_json(const comparison& all) {
    json data{{"tool", "anel-bench compare"},
              {"schema", data_schema},
              {"complete", all.complete},
              {"started", all.started},
              {"command", all.options.command},
              {"machine", environment_line()},
              {"empty_system_call_ns", empty_system_call_ns()},
              {"optimised_build", built_optimised()},
              {"disturbed_runs_count", all.options.count_disturbed},
              {"starts", all.options.starts},
              {"rounds", all.options.rounds},
              {"slice_s", std::chrono::duration<double>(all.options.slice).count()},
              {"server_cpu", all.places.server ? json(*all.places.server) : json()},
              {"load_cpu", all.places.load ? json(*all.places.load) : json()},
              {"cpus_share_a_core", all.places.siblings},
              {"interrupts_are_apart", all.places.interrupts_apart},
              {"topology", all.places.topology()}};
    for (const auto& group : read_environment()) {
        for (const auto& [name, value] : group.facts) {
            data["environment"][group.name][name] = value;
        }
    }
    data["servers"] = json::array();
    for (const auto& server : all.cells.front().servers) {
        if (server.reference_again) continue;
        data["servers"].push_back({{"name", server.spec.name}, {"what", server.spec.what}});
    }
    data["cells"] = json::array();
    for (const auto& cell : all.cells) {
        if (!cell.starts.empty()) data["cells"].push_back(json_of(cell));
    }
    data["curves"] = json::array();
    for (const auto& curve : all.curves) {
        if (!curve.points.front().runs.empty()) data["curves"].push_back(json_of(curve));
    }
    data["outside_tool"] = all.outside ? json_of(*all.outside) : json();
    return data;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file) throw std::runtime_error("write " + path + ": failed");
}

void write_report(const comparison& all) {
    const std::filesystem::path directory = all.options.directory;
    const json data = comparison_json(all);
    write_file(directory / "data.json", laid_out(data) + "\n");
    write_file(directory / "index.html", page_of(data));
    const std::string script = directory / "repro.sh";
    write_file(script, "#!/bin/sh\n# repro.sh: repeats this comparison, from the top of the source "
                       "tree.\nset -eu\n./dev build\nbuild/release/bench/" +
                           all.options.command + "\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_exec,
                                 std::filesystem::perm_options::add);
    std::printf("report: %s\n", (directory / "index.html").c_str());
}

}  // namespace anel_bench
