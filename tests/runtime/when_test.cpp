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
#include <utility>
#include <vector>

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

TEST(when_all, of_a_list_gives_every_result_in_the_order_of_the_list) {
    const auto body = []() -> task<> {
        std::vector<task<int>> numbers;
        for (int i = 0; i < 200; ++i) numbers.push_back(number_after(i, 200 - i));
        auto results = co_await when_all(std::move(numbers));
        EXPECT_EQ(results.size(), 200U);
        for (int i = 0; i < 200; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i);

        std::vector<task<std::unique_ptr<int>>> owners;
        owners.push_back(owned(7));
        auto objects = co_await when_all(std::move(owners));
        EXPECT_EQ(*objects.at(0), 7);
    };
    run(body(), on_poll);
}

TEST(when_all, of_a_list_without_results_or_without_anything_just_ends) {
    const auto body = []() -> task<> {
        int ended = 0;
        const auto counts = [&]() -> task<> {
            co_await yield();
            ended += 1;
        };
        std::vector<task<>> three;
        for (int i = 0; i < 3; ++i) three.push_back(counts());
        co_await when_all(std::move(three));
        EXPECT_EQ(ended, 3);
        auto none = co_await when_all(std::vector<task<int>>());
        EXPECT_TRUE(none.empty());
    };
    run(body(), on_poll);
}

TEST(when_all, of_a_list_ends_the_others_before_the_first_error_is_thrown) {
    const auto body = []() -> task<> {
        bool ended = false;
        bool caught = false;
        std::vector<task<int>> both;
        both.push_back(ends_late(ended));
        both.push_back(fails());
        try {
            std::ignore = co_await when_all(std::move(both));
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
        EXPECT_TRUE(ended);
    };
    run(body(), on_poll);
}

TEST(when_any, of_a_list_gives_the_first_and_ends_the_others) {
    const auto body = []() -> task<> {
        bool first = false;
        bool last = false;
        std::vector<task<int>> three;
        three.push_back(ends_late(first));
        three.push_back(number_after(5, 3));
        three.push_back(ends_late(last));
        auto either = co_await when_any(std::move(three));
        EXPECT_EQ(either.first, 1U);
        EXPECT_EQ(either.results.size(), 3U);
        EXPECT_EQ(either.results[1], 5);
        EXPECT_FALSE(either.results[0]);
        EXPECT_FALSE(either.results[2]);
        EXPECT_TRUE(first);
        EXPECT_TRUE(last);
    };
    run(body(), on_poll);
}

TEST(when_any, of_a_list_takes_operations_as_they_are) {
    const auto body = []() -> task<> {
        event never_set;
        event happened;
        happened.set();
        std::vector<event::wait_type> waits;
        waits.push_back(never_set.wait());
        waits.push_back(happened.wait());
        auto either = co_await when_any(std::move(waits));
        EXPECT_EQ(either.first, 1U);
    };
    run(body(), on_poll);
}

TEST(when_any, of_an_empty_list_is_an_error) {
    const auto body = []() -> task<> {
        auto none = co_await as_result(when_any(std::vector<task<int>>()));
        EXPECT_EQ(none.error(), std::errc::invalid_argument);
    };
    run(body(), on_poll);
}

TEST(when_any, of_a_list_passes_a_cancel_from_outside_to_all) {
    const auto body = []() -> task<> {
        bool first = false;
        bool second = false;
        const auto inner = [](bool& a, bool& b) -> task<> {
            std::vector<task<int>> both;
            both.push_back(ends_late(a));
            both.push_back(ends_late(b));
            std::ignore = co_await when_any(std::move(both));
        };
        auto cut = co_await as_result(with_timeout(1ms, inner(first, second)));
        EXPECT_EQ(cut.error(), std::errc::timed_out);
        EXPECT_TRUE(first);
        EXPECT_TRUE(second);
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
