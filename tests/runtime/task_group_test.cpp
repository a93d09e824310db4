// task_group_test.cpp: nothing outlives its group; the first error wins; a cancel reaches
// everything.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace anel {
namespace {

using namespace std::chrono_literals;

/// Counts what is alive.
struct counted {
    explicit counted(int& count) : alive(&count) { ++*alive; }
    counted(counted&& other) noexcept : alive(other.alive) { ++*alive; }
    counted(const counted& other) : alive(other.alive) { ++*alive; }
    ~counted() { --*alive; }
    int* alive;
};

task<> wait_for_ever(counted) { co_await sleep_until(never); }
task<> fail_after_a_turn(std::string text) {
    co_await yield();
    throw std::runtime_error(text);
}

TEST(task_group, ends_when_all_children_have_ended) {
    const auto body = []() -> task<> {
        int ended = 0;
        const auto child = [](int turns, int& count) -> task<> {
            for (int i = 0; i < turns; ++i) co_await yield();
            ++count;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 100; ++i) group.spawn(child, i, std::ref(ended));
            EXPECT_EQ(group.size(), 100U);
            co_return;
        });
        EXPECT_EQ(ended, 100);
    };
    run(body(), on_poll);
}

TEST(task_group, gives_what_its_body_returns) {
    const auto body = []() -> task<std::unique_ptr<int>> {
        auto made = co_await with_task_group(
            [](task_group&) -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
        co_return made;
    };
    EXPECT_EQ(*run(body(), on_poll), 5);
}

TEST(task_group, keeps_functions_and_arguments_as_long_as_the_child) {
    const auto body = []() -> task<> {
        int alive = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            {
                const counted captured(alive);
                const auto closure = [captured](const std::string& text) -> task<> {
                    co_await yield();
                    EXPECT_EQ(text, "an argument taken by reference");
                    EXPECT_GE(*captured.alive, 1);
                };
                group.spawn(closure, std::string("an argument taken by reference"));
            }
            co_return;
        });
        EXPECT_EQ(alive, 0);
    };
    run(body(), on_poll);
}

TEST(task_group, first_error_cancels_the_others_waits_for_them_and_is_rethrown) {
    const auto body = []() -> task<> {
        int alive = 0;
        std::string text;
        try {
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 10; ++i) group.spawn(wait_for_ever, counted(alive));
                group.spawn(fail_after_a_turn, "first");
                group.spawn(fail_after_a_turn, "second");
                co_await sleep_until(never);  // the body is cancelled as well
                ADD_FAILURE() << "the body went on";
            });
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "first");
        EXPECT_EQ(alive, 0);
    };
    run(body(), on_poll);
}

TEST(task_group, error_of_the_body_cancels_the_children) {
    const auto body = []() -> task<> {
        int alive = 0;
        bool caught = false;
        try {
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(wait_for_ever, counted(alive));
                co_await yield();
                throw std::runtime_error("body");
            });
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
        EXPECT_EQ(alive, 0);
    };
    run(body(), on_poll);
}

TEST(task_group, cancelled_by_itself_ends_normally) {
    const auto body = []() -> task<> {
        int alive = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 10; ++i) group.spawn(wait_for_ever, counted(alive));
            co_await yield();
            group.cancel();
            group.cancel();
        });
        EXPECT_EQ(alive, 0);
        co_await yield();  // the scope outside was not cancelled
    };
    run(body(), on_poll);
}

TEST(task_group, child_cancelled_before_its_first_step_never_runs) {
    const auto body = []() -> task<> {
        int alive = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto child = [](counted) -> task<> {
                ADD_FAILURE() << "it ran";
                co_return;
            };
            group.spawn(child, counted(alive));
            EXPECT_EQ(alive, 1);
            group.cancel();
            co_return;
        });
        EXPECT_EQ(alive, 0);
    };
    run(body(), on_poll);
}

TEST(task_group, child_may_cancel_the_group_it_is_in) {
    const auto body = []() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto child = [](task_group& own) -> task<> {
                co_await yield();
                own.cancel();
                EXPECT_TRUE(own.scope().cancelled());
            };
            group.spawn(child, std::ref(group));
            co_await sleep_until(never);
        });
    };
    run(body(), on_poll);
}

TEST(task_group, cancel_reaches_through_any_depth) {
    const auto body = []() -> task<> {
        struct nest {
            static task<> down(int levels, int& ended, event& bottom) {
                bool cancelled = false;
                try {
                    if (levels == 0) {
                        bottom.set();
                        co_await sleep_until(never);
                    } else {
                        co_await with_task_group([&](task_group& group) -> task<> {
                            group.spawn(&nest::down, levels - 1, std::ref(ended), std::ref(bottom));
                            co_await sleep_until(never);
                        });
                    }
                } catch (const task_cancelled&) {
                    cancelled = true;
                }
                EXPECT_TRUE(cancelled);
                ++ended;
            }
        };
        int ended = 0;
        event bottom;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&nest::down, 500, std::ref(ended), std::ref(bottom));
            co_await bottom.wait();
            group.cancel();
        });
        EXPECT_EQ(ended, 501);
    };
    run(body(), on_poll);
}

TEST(task_group, every_await_after_a_cancel_throws_except_a_shielded_one) {
    const auto body = []() -> task<> {
        int thrown = 0;
        bool shielded_went_through = false;
        const auto child = [](int& count, bool& through) -> task<> {
            try {
                co_await sleep_until(never);
            } catch (const task_cancelled&) {
                ++count;
            }
            const auto tries = [](int& inner_count) -> task<> {
                ADD_FAILURE() << "a task started in a cancelled scope";
                ++inner_count;
                co_return;
            };
            event unset;
            try {
                co_await yield();
            } catch (const task_cancelled&) {
                ++count;
            }
            try {
                co_await unset.wait();
            } catch (const task_cancelled&) {
                ++count;
            }
            try {
                co_await tries(count);
            } catch (const task_cancelled&) {
                ++count;
            }
            co_await shielded(sleep_for(1ms));
            through = true;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(child, std::ref(thrown), std::ref(shielded_went_through));
            co_await yield();
            group.cancel();
        });
        EXPECT_EQ(thrown, 4);
        EXPECT_TRUE(shielded_went_through);
    };
    run(body(), on_poll);
}

TEST(task_group, hundred_thousand_children) {
    const auto body = []() -> task<> {
        int ended = 0;
        const auto child = [](int& count) -> task<> {
            co_await yield();
            ++count;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 100'000; ++i) group.spawn(child, std::ref(ended));
            co_return;
        });
        EXPECT_EQ(ended, 100'000);
    };
    run(body(), on_poll);
}

TEST(with_timeout, gives_a_result_that_is_there) {
    const auto body = []() -> task<int> {
        const auto ready = []() -> task<int> { co_return 4; };
        int value = co_await with_timeout(0ns, ready());
        co_return value;
    };
    EXPECT_EQ(run(body(), on_poll), 4);
}

TEST(with_timeout, says_how_long_it_waited) {
    const auto body = []() -> task<std::string> {
        try {
            co_await with_timeout(2ms, sleep_until(never));
        } catch (const io_error& error) {
            EXPECT_EQ(error.code(), std::errc::timed_out);
            co_return error.what();
        }
        co_return "no error";
    };
    EXPECT_EQ(run(body(), on_poll), "timeout of 0.002 s: Connection timed out (ETIMEDOUT)");
}

TEST(with_timeout, inner_one_fires_and_the_outer_goes_on) {
    const auto body = []() -> task<> {
        const auto inner = []() -> task<int> {
            auto slept = co_await as_result(with_timeout(1ms, sleep_until(never)));
            EXPECT_EQ(slept.error(), std::errc::timed_out);
            co_await yield();
            co_return 1;
        };
        int value = co_await with_timeout(10s, inner());
        EXPECT_EQ(value, 1);
    };
    run(body(), on_poll);
}

TEST(with_timeout, outer_cancel_is_not_a_timeout) {
    const auto body = []() -> task<> {
        bool cancelled = false;
        const auto child = [](bool& flag) -> task<> {
            try {
                co_await with_timeout(10s, sleep_until(never));
            } catch (const task_cancelled&) {
                flag = true;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(child, std::ref(cancelled));
            co_await yield();
            group.cancel();
        });
        EXPECT_TRUE(cancelled);
    };
    run(body(), on_poll);
}

TEST(with_timeout, longest_duration_is_not_an_overflow) {
    const auto body = []() -> task<> { co_await with_timeout(std::chrono::years::max(), yield()); };
    run(body(), on_poll);
}

TEST(event, wakes_waiters_in_order) {
    const auto body = []() -> task<> {
        event happened;
        std::string order;
        const auto waiter = [](event& on, std::string& log, char name) -> task<> {
            co_await on.wait();
            log += name;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (const char name : {'a', 'b', 'c'}) {
                group.spawn(waiter, std::ref(happened), std::ref(order), name);
            }
            co_await yield();
            happened.set();
        });
        EXPECT_EQ(order, "abc");
        co_await happened.wait();  // set already: at once
        happened.reset();
        EXPECT_FALSE(happened.is_set());
    };
    run(body(), on_poll);
}

TEST(event, that_was_set_before_the_cancel_of_the_same_turn_stands) {
    const auto body = []() -> task<> {
        event happened;
        bool got_it = false;
        const auto waiter = [](event& on, bool& flag) -> task<> {
            co_await on.wait();
            flag = true;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(waiter, std::ref(happened), std::ref(got_it));
            co_await yield();
            happened.set();
            group.cancel();
        });
        EXPECT_TRUE(got_it);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
