// deadlock_test.cpp: a loop whose tasks all wait for each other knows it, and no other loop does.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"
#include "tests/support/standard_error.hpp"

#include <anel/channel.hpp>
#include <anel/error.hpp>
#include <anel/event.hpp>
#include <anel/mutex.hpp>
#include <anel/offload.hpp>
#include <anel/post.hpp>
#include <anel/run.hpp>
#include <anel/signal.hpp>
#include <anel/sleep.hpp>
#include <anel/thread_channel.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include <unistd.h>

namespace anel::test {
using namespace detail;
namespace {

class deadlock : public testing::TestWithParam<backend_kind> {
protected:
    run_options that(deadlock_action action) const {
        run_options options;
        options.backend.kind = GetParam();
        options.on_deadlock = action;
        return options;
    }
};
ANEL_OVER_KERNELS(deadlock);

task<> take_both(mutex& first, mutex& second) {
    auto one = co_await first.lock();
    co_await yield();
    auto other = co_await second.lock();
}

task<> take_crosswise() {
    mutex left;
    mutex right;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(&take_both, std::ref(left), std::ref(right));
        group.spawn(&take_both, std::ref(right), std::ref(left));
        co_return;
    });
}

TEST_P(deadlock, ends_the_run_with_an_error_where_that_is_asked_for) {
    standard_error errors;
    std::error_code code;
    try {
        run(take_crosswise(), that(deadlock_action::fail));
    } catch (const io_error& error) {
        code = error.code();
    }
    EXPECT_EQ(code, std::errc::resource_deadlock_would_occur);
    const std::string text = errors.read_all();
    EXPECT_NE(text.find(": none can go on unless a signal comes:\n"), text.npos) << text;
    EXPECT_NE(text.find("2 × mutex (held since deadlock_test.cpp:"), text.npos) << text;
}

TEST_P(deadlock, is_said_once_and_a_signal_ends_it_as_ever) {
    standard_error errors;
    std::thread another([&] {
        errors.read_until("mutex");
        ::kill(::getpid(), SIGUSR1);  // it wakes, and finds itself in the same state
        errors.read_until("\ntasks of a loop");
        ::kill(::getpid(), SIGTERM);
    });
    const auto program = []() -> task<> {
        co_await with_task_group([](task_group& group) -> task<> {
            group.spawn(&take_crosswise);
            event nobody_sets_it;
            co_await nobody_sets_it.wait();
        });
    };
    run_options options = that(deadlock_action::report);
    options.dump_on = SIGUSR1;
    EXPECT_EQ(run(program(), options), 0);
    another.join();
    const std::string text = errors.read_all();
    EXPECT_EQ(text.find("none can go on"), text.rfind("none can go on")) << text;
}

TEST_P(deadlock, is_not_seen_by_who_does_not_want_to) {
    standard_error errors;
    const auto program = [](mutex& taken) -> task<> {
        auto one = co_await taken.lock();
        auto again = co_await with_timeout(std::chrono::milliseconds(1), taken.lock());
    };
    mutex taken;
    EXPECT_THROW(run(program(taken), that(deadlock_action::report)), io_error);
    EXPECT_EQ(errors.read_all(), "");
}

/// How often a loop has asked the kernel, and perhaps slept there.
std::uint64_t waits_of(const loop& of) { return of.backend().counters().waits; }

/// Waits, on another thread, until a loop that had gone to sleep `before` times sleeps once more.
void until_it_waits(const loop& of, std::uint64_t before) {
    while (waits_of(of) == before) std::this_thread::yield();
}

// Everything that can still come from outside of the tasks.
TEST_P(deadlock, is_not_what_waits_for_a_thread_a_helper_a_timer_or_a_signal) {
    const auto by_thread = []() -> task<> {
        frame& self = co_await this_frame();
        const loop& owner = self.scope->owner();
        thread_channel<int> numbers(1);
        std::thread another([&, before = waits_of(owner)] {
            until_it_waits(owner, before);
            static_cast<void>(numbers.try_send(1));
        });
        auto number = co_await numbers.recv();
        another.join();
        EXPECT_EQ(number, 1);
    };
    const auto by_helper = []() -> task<> {
        frame& self = co_await this_frame();
        const loop& owner = self.scope->owner();
        const auto wait = [&, before = waits_of(owner)] { until_it_waits(owner, before); };
        co_await offload(wait);
    };
    const auto by_timer = []() -> task<> {
        event never_set;
        auto late =
            co_await as_result(with_timeout(std::chrono::milliseconds(20), never_set.wait()));
        EXPECT_FALSE(late);
    };
    const auto by_signal = []() -> task<> {
        frame& self = co_await this_frame();
        const loop& owner = self.scope->owner();
        std::thread another([&, before = waits_of(owner)] {
            until_it_waits(owner, before);
            ::kill(::getpid(), SIGUSR2);
        });
        co_await signal_received(SIGUSR2);
        another.join();
    };
    standard_error errors;
    struct sigaction former{};
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGUSR2, &ignored, &former);  // it may come before somebody waits for it
    for (int i = 0; i < 3; ++i) {
        run(by_thread(), that(deadlock_action::fail));
        run(by_helper(), that(deadlock_action::fail));
        run(by_timer(), that(deadlock_action::fail));
        run(by_signal(), that(deadlock_action::fail));
    }
    ::sigaction(SIGUSR2, &former, nullptr);
    EXPECT_EQ(errors.read_all(), "");
}

TEST_P(deadlock, tells_whether_a_signal_could_end_it) {
    standard_error errors;
    run_options options = that(deadlock_action::fail);
    options.signals = false;
    options.dump_on = SIGUSR1;
    EXPECT_THROW(run(take_crosswise(), options), io_error);
    const std::string text = errors.read_all();
    EXPECT_NE(text.find(": none can go on:\n"), text.npos) << text;
}

TEST_P(deadlock, that_no_cancel_can_end_ends_the_program) {
    const auto program = []() -> task<> {
        event nobody_sets_it;
        co_await shielded(nobody_sets_it.wait());
    };
    EXPECT_DEATH(run(program(), that(deadlock_action::fail)),
                 "none can go on.*\n.*event.*\n.*deadlock of shielded tasks");
}

}  // namespace
}  // namespace anel::test
