// saturation.cpp: latency against rate, open loop, and the knee: the last rate that meets an
// objective.
//
// See saturation.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/saturation.hpp"

#include <cmath>

#include "common/statistics.hpp"
#include "compare/summary.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {
constexpr double achieved_min = 0.98;  // of what was offered: below, the server does not keep up
}

point_figures figures_of(const curve_point& point, const load_options& load) {
    point_figures all;
    std::vector<double> rates, tails, cpu;
    std::string why;
    load_result together;
    for (const run_result& run : point.runs) {
        if (!run.error.empty()) why = run.error;
        else if (!run.disturbed.empty()) why = run.disturbed;
        if (!counts(run)) continue;
        rates.push_back(requests_per_second(run.load));
        cpu.push_back(server_cpu_ns_per_request(run.load));
        tails.push_back(static_cast<double>(run.load.latency.percentile(99).count()));
        all.latency.merge(run.load.latency);
        together.slip.merge(run.load.slip);
        together.offered += run.load.offered;
        together.unsent += run.load.unsent;
        together.spare += run.load.spare;
        together.elapsed += run.load.elapsed;
    }
    all.achieved = median(rates);
    all.cpu_ns = median(cpu);
    all.p99 = std::chrono::nanoseconds(std::llround(median(tails)));
    all.slip = together.slip;
    if (point.runs.empty()) why = "not run";
    all.invalid = rates.empty() ? why : generator_bound(load, together);
    if (!rates.empty() && !all.invalid.empty()) all.invalid = "generator-bound: " + all.invalid;
    return all;
}

bool point_figures::meets_objective(double offered) const {
    return achieved >= achieved_min * offered && p99 <= objective;
}

knee knee_of(const saturation_curve& curve) {
    knee found;
    for (const curve_point& point : curve.points) {
        const point_figures figures = figures_of(point, curve.load);
        if (!figures.invalid.empty()) continue;
        if (!figures.meets_objective(point.offered)) {
            found.lower_bound = false;
            break;
        }
        found.rate = figures.achieved;
    }
    return found;
}

}  // namespace anel_bench
