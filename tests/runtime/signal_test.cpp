// signal_test.cpp: signal_received: what comes while waiting, before, twice; and what is put back.
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>
#include <anel/signal.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>

#include <unistd.h>

namespace anel {
namespace {

using namespace std::chrono_literals;

// Lets what was raised arrive: the hub's receive, and the tasks it tells.
task<> let_it_arrive() {
    for (int i = 0; i < 5; ++i) co_await sleep_for(0s);
}

void nothing(int) {}

TEST(signal_received, ends_a_wait) {
    const auto body = []() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto hup = []() -> task<> {
                co_await let_it_arrive();
                ::kill(::getpid(), SIGHUP);
            };
            group.spawn(hup);
            co_await with_timeout(20s, signal_received(SIGHUP));
        });
    };
    run(body());
}

TEST(signal_received, one_that_came_while_nobody_waited_is_not_lost_and_counts_once) {
    const auto body = []() -> task<> {
        auto first = co_await as_result(with_timeout(1ms, signal_received(SIGUSR1)));
        EXPECT_EQ(first.error(), std::errc::timed_out);
        std::raise(SIGUSR1);
        std::raise(SIGUSR1);
        co_await let_it_arrive();
        co_await with_timeout(20s, signal_received(SIGUSR1));
        auto again = co_await as_result(with_timeout(5ms, signal_received(SIGUSR1)));
        EXPECT_EQ(again.error(), std::errc::timed_out);
    };
    run(body());
}

TEST(signal_received, every_waiter_is_told) {
    const auto body = []() -> task<> {
        int told = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto wait = [](int& count) -> task<> {
                co_await with_timeout(20s, signal_received(SIGUSR2));
                count += 1;
            };
            for (int i = 0; i < 3; ++i) group.spawn(wait, std::ref(told));
            co_await let_it_arrive();
            std::raise(SIGUSR2);
        });
        EXPECT_EQ(told, 3);
    };
    run(body());
}

TEST(signal_received, the_former_disposition_is_back_after_run) {
    struct sigaction mine{};
    struct sigaction before{};
    mine.sa_handler = &nothing;
    ::sigaction(SIGHUP, &mine, &before);
    const auto body = []() -> task<> {
        auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGHUP)));
        EXPECT_FALSE(waited);
        struct sigaction now{};
        ::sigaction(SIGHUP, nullptr, &now);
        EXPECT_NE(now.sa_handler, &nothing);
    };
    run(body());
    struct sigaction after{};
    ::sigaction(SIGHUP, &before, &after);
    EXPECT_EQ(after.sa_handler, &nothing);
}

TEST(signal_received, works_without_the_stop_signals_of_run) {
    const auto body = []() -> task<> {
        std::raise(SIGCONT);  // ignored by default
        auto before = co_await as_result(with_timeout(1ms, signal_received(SIGCONT)));
        EXPECT_EQ(before.error(), std::errc::timed_out);
        std::raise(SIGCONT);
        co_await with_timeout(20s, signal_received(SIGCONT));
    };
    run_options options;
    options.signals = false;
    run(body(), options);
}

TEST(signal_received, takes_sigterm_over_from_run) {
    bool went_on = false;
    const auto body = [&]() -> task<> {
        auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGTERM)));
        EXPECT_FALSE(waited);
        std::raise(SIGTERM);
        co_await let_it_arrive();
        co_await with_timeout(20s, signal_received(SIGTERM));
        std::raise(SIGTERM);  // the second one, too, is only told
        co_await with_timeout(20s, signal_received(SIGTERM));
        went_on = true;
    };
    run(body());
    EXPECT_TRUE(went_on);
}

TEST(signal_received, sigterm_still_cancels_when_another_signal_is_awaited) {
    bool cancelled = false;
    const auto body = [&]() -> task<> {
        std::raise(SIGTERM);
        try {
            co_await signal_received(SIGHUP);
        } catch (const task_cancelled&) {
            cancelled = true;
            throw;
        }
    };
    run(body());
    EXPECT_TRUE(cancelled);
}

TEST(signal_received, refuses_what_cannot_be_caught) {
    const auto body = []() -> task<> {
        for (const int number : {SIGKILL, SIGSTOP, 0, -1, 65, 1000}) {
            std::string text;
            try {
                co_await signal_received(number);
            } catch (const io_error& error) {
                text = error.what();
            }
            EXPECT_EQ(text, "signal " + std::to_string(number) + ": Invalid argument (EINVAL)");
        }
    };
    run(body());
}

}  // namespace
}  // namespace anel
