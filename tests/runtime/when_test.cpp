// when_test.cpp: when_all and when_any: results, errors, losers that are awaited.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>
#include <anel/when.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

namespace anel {
namespace {

using namespace std::chrono_literals;

task<int> number_after(int value, int turns) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return value;
}
task<std::unique_ptr<int>> owned(int value) { co_return std::make_unique<int>(value); }
task<int> fails() {
    co_await yield();
    throw std::runtime_error("one of them");
}
task<int> ends_late(bool& ended) {
    struct mark {
        bool& flag;
        ~mark() { flag = true; }
    } on_exit{ended};
    co_await sleep_until(never);
    co_return 0;
}

TEST(when_all, gives_every_result) {
    const auto body = []() -> task<> {
        auto results = co_await when_all(number_after(1, 5), owned(2), yield());
        EXPECT_EQ(std::get<0>(results), 1);
        EXPECT_EQ(*std::get<1>(results), 2);
    };
    run(body(), on_poll);
}

TEST(when_all, first_error_ends_the_others_before_it_is_thrown) {
    const auto body = []() -> task<> {
        bool ended = false;
        bool caught = false;
        try {
            std::ignore = co_await when_all(ends_late(ended), fails());
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
        EXPECT_TRUE(ended);
    };
    run(body(), on_poll);
}

TEST(when_any, cancels_and_awaits_the_losers) {
    const auto body = []() -> task<> {
        bool ended = false;
        auto winner = co_await when_any(ends_late(ended), number_after(4, 3));
        EXPECT_TRUE(ended);
        EXPECT_EQ(winner.first, 1U);
        EXPECT_EQ(std::get<1>(winner.results), 4);
        EXPECT_FALSE(std::get<0>(winner.results));
    };
    run(body(), on_poll);
}

TEST(when_any, keeps_the_result_of_one_that_could_not_be_cancelled_any_more) {
    const auto body = []() -> task<> {
        event happened;
        happened.set();
        auto both = co_await when_any(happened.wait(), number_after(9, 0));
        EXPECT_EQ(both.first, 0U);
        EXPECT_TRUE(std::get<0>(both.results));
    };
    run(body(), on_poll);
}

TEST(when_any, passes_a_cancel_from_outside_to_all) {
    const auto body = []() -> task<> {
        bool first = false;
        bool second = false;
        const auto inner = [](bool& a, bool& b) -> task<> {
            std::ignore = co_await when_any(ends_late(a), ends_late(b));
        };
        std::ignore = co_await as_result(with_timeout(1ms, inner(first, second)));
        EXPECT_TRUE(first);
        EXPECT_TRUE(second);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
