// cross_check.hpp: the same points measured by a tool that nobody here wrote: wrk.
//
// wrk speaks HTTP, and a server here sends back what it gets: so a script of wrk's sends a response
// as its request, and the echo is one. Both clients have 64 connections, 64 bytes, one request in
// flight on each, and the same CPU. Where one of them comes to the end of its CPU, it is the client
// that is measured, and they need not agree.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/statistics.hpp"
#include "run/runner.hpp"

namespace anel_bench {

/// What one client saw of a server: a value for each run.
struct client_figures {
    std::vector<double> rates;          // requests/s
    std::vector<double> p50s;           // µs
    std::vector<double> server_cpu;     // ns of a request
    std::vector<double> client_shares;  // of a core; at 1 the client is what is measured
};

struct outside_point {
    std::string server;
    client_figures theirs, ours;
    std::string error;  // why there is no figure

    /// Our rate divided by theirs, and its 95 % interval.
    [[nodiscard]] double ratio() const;
    [[nodiscard]] interval ratio_range() const;
    /// "agree" when the ratio is 1 ± agreement_within; else "client-bound" when a client's core
    /// was full: it has measured itself; else "tie" when the interval holds 1; else "differ".
    /// "too few" when there are fewer than three runs.
    [[nodiscard]] const char* verdict() const;
};

inline constexpr double agreement_within = 0.05;

struct outside_measurement {
    std::string tool;  // with its version
    std::vector<outside_point> points;
};

inline constexpr std::chrono::nanoseconds outside_run = std::chrono::seconds(1);

/// `own`: warm-up and window of our runs. Nothing when the tool is not installed.
std::optional<outside_measurement>
check_with_outside_tool(const std::vector<server_spec>& specs, std::size_t rounds,
                        const load_options& own, const placement& places, const interrupts& ctrl_c);

}  // namespace anel_bench
