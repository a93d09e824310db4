// duel_report.cpp: what a duel found, for people and for programs.
//
// See duel_report.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/duel_report.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

std::string text_of(const ratio_estimate& one) {
    if (one.starts == 0) return "an unknown share";
    if (!one.known()) return format("%.2f [unknown]", one.ratio);
    // Where 1 % decides, a hundredth is too coarse.
    const int digits = one.reach() < 0.01 ? 3 : 2;
    return format("%.*f [%.*f, %.*f]", digits, one.ratio, digits, one.range.low, digits,
                  one.range.high);
}

std::string counted(std::size_t number, const char* what) {
    return format("%zu %s%s", number, what, number == 1 ? "" : "s");
}

/// Three digits: "0.0123", "1.85", "1,234".
std::string count_text(double value) {
    if (value >= 1000) return grouped(static_cast<std::uint64_t>(std::llround(value)));
    return format("%.3g", value);
}

std::string signed_ns(double ns) { return format("%+.0f ns", ns); }

std::string causes_text(const duel_causes& duel) {
    std::vector<std::vector<std::string>> rows{{"for one request", "A", "B", "B - A"}};
    for (const cause& line : causes_of(duel)) {
        const auto value = [&](double one) {
            return line.in == cause::unit::ns ? format("%.0f", one) : count_text(one);
        };
        rows.push_back({std::string(static_cast<std::size_t>(2 * line.depth), ' ') + line.what,
                        value(line.a), value(line.b),
                        line.adds ? signed_ns(line.difference_ns) : ""});
    }
    std::string text = "where it comes from\n" + table(rows);
    if (!duel.a.counted || !duel.b.counted) {
        text += "System calls were not counted: no perf and no strace, or not allowed.\n";
    }
    return text;
}

nlohmann::ordered_json json_of(const duel_causes& duel) {
    auto lines = nlohmann::ordered_json::array();
    for (const cause& line : causes_of(duel)) {
        lines.push_back({{"what", line.what},
                         {"depth", line.depth},
                         {"unit", line.in == cause::unit::ns ? "ns" : "count"},
                         {"a", line.a},
                         {"b", line.b}});
        if (line.adds) lines.back()["difference_ns"] = line.difference_ns;
    }
    return lines;
}

nlohmann::ordered_json json_of(const ratio_estimate& one) {
    nlohmann::ordered_json json{{"ratio", nullptr}, {"low", nullptr}, {"high", nullptr}};
    if (one.starts > 0) json["ratio"] = one.ratio;
    if (one.known()) {
        json["low"] = one.range.low;
        json["high"] = one.range.high;
    }
    return json;
}

nlohmann::ordered_json json_of(const duel_figures& figures) {
    return {{"cpu", json_of(figures.cpu)},      {"requests_per_s", json_of(figures.rate)},
            {"pairs", figures.cpu.pairs},       {"starts", figures.cpu.starts},
            {"dropped_pairs", figures.dropped}, {"cpu_pairs", figures.cpu_pairs}};
}

}  // namespace

std::string duel_text(const duel_options& options, const duel_result& result) {
    const duel_figures &b = result.b, &again = result.again;
    std::string text =
        format("A: %s, B: %s; %s; slices of %.0f ms\n", options.a.c_str(), options.b.c_str(),
               describe(options.load).c_str(), 1000 * seconds(options.slice));
    text += format("B needs %s of A's CPU a request: %s of %s, %zu dropped; "
                   "A against itself %s\n",
                   text_of(b.cpu).c_str(), counted(b.cpu.pairs, "pair").c_str(),
                   counted(b.cpu.starts, "start").c_str(), b.dropped, text_of(again.cpu).c_str());
    if (options.load.mode == load_mode::closed) {
        text += format("B answers %s of A's requests/s; A against itself %s\n",
                       text_of(b.rate).c_str(), text_of(again.rate).c_str());
    }
    const double reach = 100 * b.cpu.reach();
    const std::string causes = result.causes ? causes_text(*result.causes) : "";
    if (result.narrow) {
        return text + causes +
               format("narrow enough after %.0f s: ±%.1f %%\n", seconds(result.took), reach);
    }
    const auto how =
        std::isinf(reach) ? std::string("without an interval") : format("at ±%.1f %%", reach);
    return text + causes +
           format("time is up after %.0f s, %s, not ±%.1f %%\n", seconds(result.took), how.c_str(),
                  100 * options.within);
}

nlohmann::ordered_json duel_json(const duel_options& options, const duel_result& result) {
    return {
        {"tool", "anel-bench duel"},
        {"causes", result.causes ? json_of(*result.causes) : nlohmann::ordered_json()},
        {"a", options.a},
        {"b", options.b},
        {"load", describe(options.load)},
        {"rate", options.load.rate},
        {"slice_s", seconds(options.slice)},
        {"within", options.within},
        {"seed", options.seed},
        {"b_against_a", json_of(result.b)},
        {"a_against_itself", json_of(result.again)},
        {"wait_max", {wait_bound(result.starts, duelist_a), wait_bound(result.starts, duelist_b)}},
        {"ended", result.narrow ? "narrow enough" : "time is up"},
        {"took_s", seconds(result.took)}};
}

}  // namespace anel_bench
