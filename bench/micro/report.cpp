// report.cpp: collects the repetitions of all benchmarks and makes a table of pairs, with ratios.
//
// See report.hpp.
// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>

#include "common/statistics.hpp"
#include "common/text.hpp"

namespace anel_bench {
namespace {

std::string nanoseconds(const std::vector<double>& values) {
    const double middle = median(values);
    const interval range = median_interval(values);
    const int decimals = middle < 100 ? 1 : 0;
    return format("%.*f ± %.*f", decimals, middle, decimals, (range.high - range.low) / 2);
}

/// What is the same in steady state rounds to 0: a pool that grows once is no cost of a pass.
std::string per_pass(double allocations) {
    return allocations < 0.005 ? "0" : format("%.2f", allocations);
}

/// What a run that failed says, or null. Google Benchmark 1.8 changed the names.
template <class Run>
const std::string* failure_of(const Run& run) {
    if constexpr (requires { run.error_occurred; }) {
        return run.error_occurred ? &run.error_message : nullptr;
    } else {
        return run.skipped ? &run.skip_message : nullptr;
    }
}

}  // namespace

void pair_reporter::ReportRuns(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
        const std::string name = run.run_name.function_name;
        if (const std::string* failure = failure_of(run)) {
            errors_ += "! " + name + ": " + *failure + "\n";
        } else if (run.run_type == Run::RT_Iteration) {
            figures& all = figures_[name];
            const bool elapsed = run.run_name.time_type == "real_time";
            all.ns.push_back(elapsed ? run.GetAdjustedRealTime() : run.GetAdjustedCPUTime());
            all.allocations = std::max(all.allocations, run.counters.at("allocations").value);
        }
    }
}

const pair_reporter::figures* pair_reporter::find(const std::string& name) const {
    const auto found = figures_.find(name);
    return found == figures_.end() ? nullptr : &found->second;
}

std::string pair_reporter::text(const std::vector<std::string>& names) const {
    std::vector<std::vector<std::string>> rows{
        {"ns", "anel", "Asio", "ratio", "95 %", "allocations", "Asio's"}};
    for (const std::string& name : names) {
        const figures* own = find("anel/" + name.substr(0, name.find(" (")));
        const figures* peer = find("asio/" + name);
        if (!own) continue;
        rows.push_back({name, nanoseconds(own->ns)});
        auto& cells = rows.back();
        if (peer) {
            const interval ratio = ratio_of_medians(peer->ns, own->ns);
            cells.push_back(nanoseconds(peer->ns));
            cells.push_back(ratio.low <= 1 && ratio.high >= 1
                                ? "tie"
                                : format("%.2f", median(peer->ns) / median(own->ns)));
            cells.push_back(format("%.2f–%.2f", ratio.low, ratio.high));
        } else {
            cells.resize(5);
        }
        cells.push_back(per_pass(own->allocations));
        if (peer) cells.push_back(per_pass(peer->allocations));
    }
    return errors_ + table(rows);
}

}  // namespace anel_bench
