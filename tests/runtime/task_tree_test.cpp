// task_tree_test.cpp: a listing of what every task waits for.
// SPDX-License-Identifier: MIT
#include <anel/error.hpp>
#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/task_tree.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

task<> waits_for(event& what) { co_await what.wait(); }
task<> sleeps() { co_await sleep_for(1h); }
task<> waits_below(event& what) { co_await with_timeout(1h, waits_for(what)); }

TEST(task_tree, lists_every_wait_of_the_loop_and_the_way_to_it) {
    std::string waits;
    std::string afterwards;
    const auto body = [&]() -> task<> {
        event go_on;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(waits_below, std::ref(go_on));
            for (int i = 0; i < 5; ++i) group.spawn_named("sleeper", &sleeps);
            co_await sleep_for(0s);
            waits = co_await current_tasks();
            go_on.set();
            group.cancel();
        });
        afterwards = co_await current_tasks();
    };
    run_options options;
    options.signals = false;  // what waits for them would have a line, too
    run(body(), options);
    EXPECT_EQ(std::count(waits.begin(), waits.end(), '\n'), 3) << waits;
    EXPECT_TRUE(waits.starts_with("  group\n    limited: event, 59 min left, at ")) << waits;
    const auto event_line = waits.find("left, at task_tree_test.cpp:");
    ASSERT_NE(event_line, waits.npos) << waits;
    EXPECT_NE(waits.find(" <- task_tree_test.cpp:", event_line), waits.npos) << waits;
    EXPECT_NE(waits.find("    5 × sleeper: sleep ("), waits.npos) << waits;
    EXPECT_NE(waits.find(" left) …, at task_tree_test.cpp:"), waits.npos) << waits;
    EXPECT_EQ(afterwards, "");
}

task<> waits_in_a_group(event& what) {
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(waits_for, std::ref(what));
        co_await what.wait();
    });
}

TEST(task_tree, branches_that_are_alike_are_one) {
    std::string waits;
    const auto body = [&]() -> task<> {
        event go_on;
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 1000; ++i) group.spawn(waits_in_a_group, std::ref(go_on));
            group.spawn([]() -> task<> { co_await sleep_until(never); });
            co_await sleep_for(0s);
            co_await sleep_for(0s);
            waits = co_await current_tasks();
            go_on.set();
            group.cancel();
        });
    };
    run_options options;
    options.signals = false;
    run(body(), options);
    EXPECT_EQ(std::count(waits.begin(), waits.end(), '\n'), 5) << waits;
    EXPECT_NE(waits.find("\n    1000 × group\n      event, at "), waits.npos) << waits;
    EXPECT_NE(waits.find("\n    sleep, at "), waits.npos) << waits;
}

TEST(task_tree, a_signal_that_cannot_ask_for_a_dump_is_refused) {
    for (const int number : {-1, SIGKILL, SIGTERM, 1000}) {
        bool began = false;
        const auto body = [&]() -> task<> {
            began = true;
            co_return;
        };
        run_options options;
        options.dump_on = number;
        EXPECT_THROW(run(body(), options), io_error) << number;
        EXPECT_FALSE(began) << number;
    }
}

}  // namespace
}  // namespace anel::test
