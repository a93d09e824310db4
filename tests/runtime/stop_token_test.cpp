// stop_token_test.cpp: with_stop_token: a stop from this thread and from others, and races with it.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/stop_token.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#ifdef __cpp_lib_jthread
namespace anel {
namespace {

using namespace std::chrono_literals;

task<int> value_after_yield(int value) {
    co_await yield();
    co_return value;
}

TEST(with_stop_token, gives_the_result_when_no_stop_comes) {
    const auto body = []() -> task<> {
        std::stop_source source;
        auto value = co_await with_stop_token(source.get_token(), value_after_yield(7));
        EXPECT_EQ(value, 7);
        auto without_source = co_await with_stop_token(std::stop_token(), value_after_yield(8));
        EXPECT_EQ(without_source, 8);
    };
    run(body(), on_poll);
}

TEST(with_stop_token, a_stop_that_was_requested_before_refuses_to_start) {
    const auto body = []() -> task<> {
        std::stop_source source;
        source.request_stop();
        auto stopped = co_await as_result(with_stop_token(source.get_token(), sleep_for(1h)));
        EXPECT_EQ(stopped.error(), std::errc::operation_canceled);
    };
    run(body(), on_poll);
}

TEST(with_stop_token, the_error_says_what_happened) {
    const auto body = []() -> task<> {
        std::stop_source source;
        source.request_stop();
        std::string text;
        try {
            co_await with_stop_token(source.get_token(), sleep_for(1h));
        } catch (const io_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "stop requested: Operation canceled (ECANCELED)");
    };
    run(body(), on_poll);
}

TEST(with_stop_token, another_thread_ends_the_wait) {
    const auto body = []() -> task<> {
        std::stop_source source;
        std::atomic<bool> waiting{false};
        std::jthread other([&] {
            while (!waiting) std::this_thread::yield();
            source.request_stop();
        });
        waiting = true;
        auto stopped = co_await as_result(with_stop_token(source.get_token(), sleep_for(1h)));
        EXPECT_EQ(stopped.error(), std::errc::operation_canceled);
        co_await yield();  // this task itself is not cancelled
    };
    run(body(), on_poll);
}

TEST(with_stop_token, a_cancel_from_outside_is_no_stop) {
    const auto body = []() -> task<> {
        std::stop_source source;
        bool cancelled = false;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.cancel();
            source.request_stop();
            try {
                co_await with_stop_token(source.get_token(), sleep_for(1h));
            } catch (const task_cancelled&) {
                cancelled = true;
            }
        });
        EXPECT_TRUE(cancelled);
    };
    run(body(), on_poll);
}

TEST(with_stop_token, a_result_that_is_there_wins) {
    const auto body = []() -> task<> {
        std::stop_source source;
        event happened;
        bool had_it = false;
        const auto waiter = [](std::stop_token token, event& what, bool& flag) -> task<> {
            co_await with_stop_token(token, what.wait());
            flag = true;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(waiter, source.get_token(), std::ref(happened), std::ref(had_it));
            co_await yield();
            happened.set();
            source.request_stop();
        });
        EXPECT_TRUE(had_it);
    };
    run(body(), on_poll);
}

// Every wait ends once, by its own result or by the stop; what is still on its way to the loop when
// the wait ends must not touch the awaiter, which is gone.
TEST(with_stop_token, races_with_other_threads_end_each_wait_once) {
    const auto body = []() -> task<> {
        int stopped = 0;
        int ended = 0;
        for (int round = 0; round < 2000; ++round) {
            std::stop_source source;
            std::atomic<bool> go{false};
            std::jthread other([&] {
                while (!go) std::this_thread::yield();
                source.request_stop();
            });
            go = true;
            auto waited = round % 2 == 0 ? sleep_for(0s) : sleep_for(20us);
            auto outcome =
                co_await as_result(with_stop_token(source.get_token(), std::move(waited)));
            (outcome ? ended : stopped) += 1;
        }
        EXPECT_EQ(ended + stopped, 2000);
        EXPECT_GT(ended, 0);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel

#endif
