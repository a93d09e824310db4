// interval.hpp: ticks at regular times, and what becomes of those that came too early for a task.
//
//     interval beat(5s, missed_ticks::skip);
//     for (;;) {
//         co_await beat.tick();
//         co_await send_heartbeat();
//     }
//
// Knows: the loop's clock, virtual or not. Must not know: what is done at a tick.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>
#include <anel/time.hpp>

#include <chrono>
#include <cstdint>

namespace anel {

/// What an interval does about ticks that were due while its task was busy.
enum class missed_ticks : std::uint8_t {
    burst,  ///< all of them come, at once, one after the other: none is lost
    delay,  ///< one comes at once, and the next a period after that: the times shift
    skip,   ///< one comes at once, and the next when it would have been due: the times stay
};

/// Ticks at a period; a loop around sleep_for() would add the time that the work takes to each.
/// Thread  one task at a time; it may be moved while nobody waits.
class interval {
public:
    /// The first tick is due a period after the first tick() is asked for.
    /// Errors  std::invalid_argument for a period that is not above zero.
    template <class Rep, class Period>
    explicit interval(std::chrono::duration<Rep, Period> period,
                      missed_ticks policy = missed_ticks::skip)
        : interval(nanoseconds_tag{}, saturate(period), policy) {}

    /// Waits for the next tick.
    /// Returns  when it was due: now, unless the task is late.
    /// Errors   task_cancelled: then no tick is taken, and the next call waits for the same.
    /// Cost     a coroutine, and a timer of the loop.
    task<time_point> tick();
    /// The next tick is due a period from now.
    void restart() noexcept { begun_ = false; }

    /// The time between two ticks.
    [[nodiscard]] duration period() const noexcept { return period_; }

private:
    struct nanoseconds_tag {};
    interval(nanoseconds_tag, duration period, missed_ticks policy);
    [[nodiscard]] time_point following(time_point due, time_point now) const noexcept;

    duration period_;
    time_point next_{};
    missed_ticks policy_;
    bool begun_ = false;
};

}  // namespace anel
