// generator_test.cpp: async_generator: its values, its end, errors, cancels, and being dropped.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/generator.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace anel {
namespace {

using namespace std::chrono_literals;

async_generator<int> count_to(int last) {
    for (int i = 1; i <= last; ++i) {
        if (i % 2 == 0) co_await yield();  // some values wait for something, others do not
        co_yield i;
    }
}

TEST(async_generator, gives_its_values_and_then_nothing) {
    const auto body = []() -> task<> {
        auto numbers = count_to(5);
        std::vector<int> seen;
        while (auto number = co_await numbers.next()) seen.push_back(*number);
        EXPECT_EQ(seen, (std::vector{1, 2, 3, 4, 5}));
        auto after_the_end = co_await numbers.next();
        EXPECT_FALSE(after_the_end.has_value());
    };
    run(body(), on_poll);
}

TEST(async_generator, moves_values_that_cannot_be_copied) {
    const auto make = [](int count) -> async_generator<std::unique_ptr<int>> {
        for (int i = 0; i < count; ++i) co_yield std::make_unique<int>(i);
    };
    const auto body = [&]() -> task<> {
        auto source = make(3);
        int sum = 0;
        while (auto item = co_await source.next()) sum += **item;
        EXPECT_EQ(sum, 3);
    };
    run(body(), on_poll);
}

TEST(async_generator, that_is_never_read_does_not_run) {
    bool ran = false;
    const auto make = [](bool& flag) -> async_generator<int> {
        flag = true;
        co_yield 1;
    };
    { auto unread = make(ran); }
    EXPECT_FALSE(ran);
}

struct counts_itself {
    explicit counts_itself(int& living) : living_(living) { living_ += 1; }
    counts_itself(const counts_itself&) = delete;
    counts_itself& operator=(const counts_itself&) = delete;
    ~counts_itself() { living_ -= 1; }
    int& living_;
};

TEST(async_generator, dropped_at_a_yield_destroys_what_it_holds) {
    const auto make = [](int& living) -> async_generator<int> {
        const counts_itself outer(living);
        for (int i = 0;; ++i) {
            const counts_itself inner(living);
            co_yield i;
        }
    };
    const auto body = [&]() -> task<> {
        int living = 0;
        {
            auto source = make(living);
            auto first = co_await source.next();
            auto second = co_await source.next();
            EXPECT_EQ(first, 0);
            EXPECT_EQ(second, 1);
            EXPECT_EQ(living, 2);
        }
        EXPECT_EQ(living, 0);
    };
    run(body(), on_poll);
}

TEST(async_generator, an_error_is_thrown_by_next_and_ends_the_sequence) {
    const auto make = []() -> async_generator<int> {
        co_yield 1;
        throw std::runtime_error("no more");
    };
    const auto body = [&]() -> task<> {
        auto source = make();
        auto first = co_await source.next();
        EXPECT_EQ(first, 1);
        std::string text;
        try {
            auto second = co_await source.next();
            ADD_FAILURE() << *second;
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "no more");
        auto third = co_await source.next();
        EXPECT_FALSE(third.has_value());
    };
    run(body(), on_poll);
}

TEST(async_generator, a_timeout_reaches_into_its_wait_and_ends_it) {
    const auto make = [](int& living) -> async_generator<int> {
        const counts_itself alive(living);
        co_yield 1;
        co_await sleep_for(1h);
        co_yield 2;
    };
    const auto body = [&]() -> task<> {
        int living = 0;
        auto source = make(living);
        auto first = co_await with_timeout(1h, source.next());
        EXPECT_EQ(first, 1);
        auto second = co_await as_result(with_timeout(1ms, source.next()));
        EXPECT_EQ(second.error(), std::errc::timed_out);
        EXPECT_EQ(living, 0) << "it unwound before the timeout was told";
        auto third = co_await source.next();
        EXPECT_FALSE(third.has_value());
    };
    run(body(), on_poll);
}

// The scope of next() counts, not that of the first call: a generator made and begun outside of a
// group is cancelled with the group while it is read there, and can be read on when it was not.
TEST(async_generator, runs_in_the_scope_of_whoever_reads_it) {
    const auto body = []() -> task<> {
        auto numbers = count_to(4);
        auto first = co_await numbers.next();
        co_await with_task_group([&](task_group& group) -> task<> {
            auto second = co_await numbers.next();
            EXPECT_EQ(second, 2);
            group.cancel();
            bool refused = false;
            try {
                auto third = co_await numbers.next();
                ADD_FAILURE() << *third;
            } catch (const task_cancelled&) {
                refused = true;
            }
            EXPECT_TRUE(refused);
        });
        auto third = co_await numbers.next();
        EXPECT_EQ(first, 1);
        EXPECT_EQ(third, 3) << "a refused next() takes nothing";
    };
    run(body(), on_poll);
}

TEST(async_generator, generators_nest) {
    const auto doubled = [](async_generator<int> inner) -> async_generator<int> {
        while (auto number = co_await inner.next()) {
            co_yield *number;
            co_yield *number;
        }
    };
    const auto body = [&]() -> task<> {
        auto numbers = doubled(doubled(count_to(2)));
        std::string seen;
        while (auto number = co_await numbers.next()) seen += std::to_string(*number);
        EXPECT_EQ(seen, "11112222");
    };
    run(body(), on_poll);
}

TEST(async_generator, a_million_values_need_no_stack) {
    const auto body = []() -> task<> {
        auto numbers = count_to(1'000'000);
        std::int64_t sum = 0;
        while (auto number = co_await numbers.next()) sum += *number;
        EXPECT_EQ(sum, 500'000'500'000);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
