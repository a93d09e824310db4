// saturation.hpp: latency against rate, open loop, and the knee: the last rate that meets an
// objective.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "run/runner.hpp"

namespace anel_bench {

struct curve_point {
    double share = 0;    // of the server's own closed-loop maximum
    double offered = 0;  // requests/s
    std::vector<run_result> runs;
};

struct saturation_curve {
    server_spec spec;
    load_options load;   // Poisson; the rate is each point's
    double maximum = 0;  // requests/s, closed loop
    std::vector<curve_point> points;
};

/// p99 that a rate must not exceed to count as served.
inline constexpr std::chrono::nanoseconds objective = std::chrono::milliseconds(1);

/// What a point says.
struct point_figures {
    double achieved = 0;              // median of the runs
    double cpu_ns = 0;                // of the server, for a request; median of the runs
    std::chrono::nanoseconds p99{0};  // median of the runs: one disturbance must not decide
    histogram latency;                // of all runs together
    histogram slip;
    std::string invalid;  // why it must not be believed; empty when it may
    [[nodiscard]] bool meets_objective(double offered) const;
};
point_figures figures_of(const curve_point& point, const load_options& load);

/// The highest rate of the curve up to which every valid point meets the objective.
struct knee {
    double rate = 0;  // requests/s; 0: none
    /// No valid point above it misses the objective: the generator, or the curve, came to its end.
    bool lower_bound = true;
};
knee knee_of(const saturation_curve& curve);

}  // namespace anel_bench
