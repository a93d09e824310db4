// interval_test.cpp: ticks at regular times, and those that a busy task misses.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/interval.hpp>

namespace anel::test {
namespace {

class intervals : public over_backends {
protected:
    /// Times since the start: when each of four ticks was due, and when it came. Behind the first
    /// one the task is busy for three and a half periods. Exact in virtual time.
    struct ticks {
        std::vector<duration> due;
        std::vector<duration> came;
    };
    ticks four_ticks(missed_ticks policy) {
        ticks seen;
        run([&]() -> task<> {
            const time_point start = co_await current_time();
            interval every(10ms, policy);
            for (int i = 0; i < 4; ++i) {
                const time_point due = co_await every.tick();
                const time_point now = co_await current_time();
                seen.due.push_back(due - start);
                seen.came.push_back(now - start);
                if (i == 0) co_await sleep_for(35ms);
            }
        });
        for (std::size_t i = 0; i < 4; ++i) EXPECT_GE(seen.came[i], seen.due[i]) << "never early";
        return seen;
    }
    static bool exact() { return GetParam() == backend_kind::sim; }
    static std::vector<duration> at(std::initializer_list<duration> times) { return times; }
    /// A simulated host takes some time for what it does: less than a microsecond here.
    static std::vector<duration> in_ms(std::vector<duration> times) {
        for (duration& each : times) each = std::chrono::floor<std::chrono::milliseconds>(each);
        return times;
    }
};
ANEL_OVER_BACKENDS(intervals);

TEST_P(intervals, burst_makes_up_for_each_tick) {
    const ticks seen = four_ticks(missed_ticks::burst);
    for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(seen.due[i] - seen.due[i - 1], 10ms);
    if (!exact()) return;
    EXPECT_EQ(in_ms(seen.due), at({10ms, 20ms, 30ms, 40ms}));
    EXPECT_EQ(in_ms(seen.came), at({10ms, 45ms, 45ms, 45ms}));
}

TEST_P(intervals, delay_begins_anew_behind_a_late_tick) {
    const ticks seen = four_ticks(missed_ticks::delay);
    EXPECT_GE(seen.due[2], seen.came[0] + 45ms);
    if (!exact()) return;
    EXPECT_EQ(in_ms(seen.due), at({10ms, 20ms, 55ms, 65ms}));
    EXPECT_EQ(in_ms(seen.came), at({10ms, 45ms, 55ms, 65ms}));
}

TEST_P(intervals, skip_keeps_the_times_and_leaves_ticks_out) {
    const ticks seen = four_ticks(missed_ticks::skip);
    for (const duration due : seen.due) EXPECT_EQ((due - seen.due[0]) % 10ms, 0ms);
    EXPECT_GE(seen.due[2], seen.due[0] + 40ms);
    if (!exact()) return;
    EXPECT_EQ(in_ms(seen.due), at({10ms, 20ms, 50ms, 60ms}));
    EXPECT_EQ(in_ms(seen.came), at({10ms, 45ms, 50ms, 60ms}));
}

TEST_P(intervals, a_tick_that_was_not_waited_for_comes_with_the_next_call) {
    run([]() -> task<> {
        interval every(1s);
        EXPECT_EQ(every.period(), 1s);
        const time_point start = co_await current_time();
        auto late = co_await as_result(with_timeout(1ms, every.tick()));
        EXPECT_EQ(late.error(), std::errc::timed_out);
        if (!exact()) co_return;  // seconds of real time
        const time_point due = co_await every.tick();
        EXPECT_EQ(due - start, 1s);
        co_await sleep_for(500ms);
        every.restart();
        const time_point next = co_await every.tick();
        EXPECT_EQ(std::chrono::floor<std::chrono::milliseconds>(next - start), 2500ms);
    });
}

TEST(interval, refuses_a_period_that_is_not_above_zero) {
    EXPECT_THROW(interval(0s), std::invalid_argument);
    try {
        const interval backwards(-1s);
        FAIL();
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(error.what(), "interval: a period of -1000000000 ns is not above zero");
    }
    const interval longest(std::chrono::hours::max());
    EXPECT_EQ(longest.period(), duration::max());
}

}  // namespace
}  // namespace anel::test
