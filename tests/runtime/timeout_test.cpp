// timeout_test.cpp: with_timeout as a duration and as a deadline, nested, late and in the past.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <string>

namespace anel {
namespace {

using namespace std::chrono_literals;

template <awaitable A>
task<std::string> failure_of(A inner) {
    try {
        co_await inner;
    } catch (const io_error& error) {
        co_return error.what();
    }
    co_return "";
}

TEST(with_timeout, several_steps_share_a_deadline) {
    const auto body = []() -> task<> {
        const time_point start = co_await current_time();
        const time_point deadline = start + 20ms;
        int steps = 0;
        std::error_code error;
        while (!error) {
            auto step = co_await as_result(with_timeout(deadline, sleep_for(6ms)));
            error = step.error();
            steps += !error;
        }
        const time_point end = co_await current_time();
        EXPECT_EQ(error, std::errc::timed_out);
        EXPECT_GE(end, deadline);
        EXPECT_LE(steps, 3);
    };
    run(body(), on_poll);
}

TEST(with_timeout, the_error_names_the_time) {
    const auto body = []() -> task<> {
        const time_point now = co_await current_time();
        const std::string waited = co_await failure_of(with_timeout(1ms, sleep_for(1h)));
        EXPECT_EQ(waited, "timeout of 0.001 s: Connection timed out (ETIMEDOUT)");
        const std::string until = co_await failure_of(with_timeout(now, sleep_for(1h)));
        EXPECT_EQ(until, "deadline: Connection timed out (ETIMEDOUT)");
    };
    run(body(), on_poll);
}

TEST(with_timeout, what_needs_no_wait_is_done_after_the_deadline_too) {
    const auto body = []() -> task<> {
        const time_point now = co_await current_time();
        event happened;
        happened.set();
        co_await with_timeout(now - 1s, happened.wait());
        co_await with_timeout(-1s, happened.wait());
        co_await with_timeout(never, happened.wait());
    };
    run(body(), on_poll);
}

TEST(with_timeout, the_outer_one_is_told_from_the_inner_one) {
    const auto body = []() -> task<> {
        const std::string inner =
            co_await failure_of(with_timeout(1h, with_timeout(2ms, sleep_for(2h))));
        EXPECT_EQ(inner, "timeout of 0.002 s: Connection timed out (ETIMEDOUT)");
        const std::string outer =
            co_await failure_of(with_timeout(3ms, with_timeout(1h, sleep_for(2h))));
        EXPECT_EQ(outer, "timeout of 0.003 s: Connection timed out (ETIMEDOUT)");
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
