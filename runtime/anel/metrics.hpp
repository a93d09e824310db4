// metrics.hpp: what a loop has done so far, as numbers that any thread may read.
//
// The loop counts in any case. Reading takes a lock that the loop takes once, when it ends.
// Knows: the loop's counters. Must not know: who asks, and how the numbers travel.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/cancel_scope.hpp>
#include <anel/detail/loop.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel {

/// One loop at one moment. Each number is right by itself; they are not read at one instant.
struct metrics {
    std::string_view backend;  ///< "io_uring", "epoll", "poll" or "sim"

    std::uint64_t turns = 0;        ///< rounds of the loop
    std::uint64_t resumes = 0;      ///< coroutines that ran
    std::uint64_t resumes_max = 0;  ///< in one turn, at most
    std::uint64_t frames_new = 0;   ///< frames that had to be allocated, not recycled
    std::uint64_t timers_fired = 0;
    std::chrono::nanoseconds timers_late{};      ///< altogether, the first of those in a turn
    std::chrono::nanoseconds timers_late_max{};  ///< how late one of these was

    std::uint64_t operations = 0;   ///< submitted that were not control calls
    std::uint64_t completions = 0;  ///< operations done
    std::uint64_t in_flight = 0;    ///< submitted and not done
    std::uint64_t cancels = 0;      ///< cancels of operations
    std::uint64_t waits = 0;        ///< system calls that wait
    std::uint64_t calls = 0;        ///< made for operations on the loop's thread
    std::uint64_t bytes = 0;  ///< that these calls moved; what io_uring moves is not known here

    /// Pieces of 64 KiB for what is received that are not free: lent to the program, or, on
    /// io_uring, with the kernel or unread.
    std::uint64_t chunks = 0;
    std::uint64_t chunks_max = 0;    ///< the most there were
    std::uint64_t helper_calls = 0;  ///< with helper threads: queued, or at work

    std::uint64_t sessions_begun = 0;  ///< of serve()
    std::uint64_t sessions_ended = 0;
    std::uint64_t accepts_failed = 0;  ///< for want of descriptors, memory or permission
    /// Sessions that ended by an error, by its errno: 0 for any other error. The first 15 kinds.
    std::vector<std::pair<int, std::uint64_t>> sessions_failed;
};

/// Reads the metrics of one loop. A copy is cheap, and may outlive the loop.
class metrics_source {
public:
    /// Returns  nothing once the loop has ended.
    /// Errors   std::bad_alloc.
    /// Thread   any.
    [[nodiscard]] std::optional<metrics> read() const;

private:
    friend class current_metrics;
    explicit metrics_source(std::shared_ptr<detail::loop_gate> gate) noexcept
        : gate_(std::move(gate)) {}
    std::shared_ptr<detail::loop_gate> gate_;
};

/// The source of the loop that runs this task: `auto source = co_await current_metrics();`
/// From the first call on the loop counts the errors of sessions by kind.
/// Errors  std::bad_alloc.
class current_metrics {
public:
    bool start(detail::cancel_scope& scope, detail::frame&) {
        gate_ = scope.owner().gate();
        return false;
    }
    metrics_source finish() noexcept { return metrics_source(std::move(gate_)); }

private:
    std::shared_ptr<detail::loop_gate> gate_;
};

/// Loops as text for a monitoring system to collect: OpenMetrics, which Prometheus reads. Each has
/// its place in `loops` as a label. Serve it as
/// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
/// Errors  std::bad_alloc.
[[nodiscard]] std::string openmetrics(std::span<const metrics> loops);

}  // namespace anel
