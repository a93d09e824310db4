// task_test.cpp: task<T>: laziness, results, exceptions, and a stack that stays flat.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/event.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include "runtime/system/sanitizer.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

namespace anel {
using namespace detail;
namespace {

task<int> number(int value) { co_return value; }

TEST(task, does_not_start_until_it_is_awaited) {
    bool started = false;
    const auto body = [](bool& flag) -> task<> {
        flag = true;
        co_return;
    };
    run(
        [](auto make, bool& flag) -> task<> {
            auto later = make(flag);
            EXPECT_FALSE(flag);
            co_await later;
            EXPECT_TRUE(flag);
        }(body, started),
        on_poll);
}

TEST(task, that_is_never_awaited_is_destroyed_without_running) {
    const auto keep = std::make_shared<int>(1);
    const auto body = [](std::shared_ptr<int>) -> task<> {
        ADD_FAILURE() << "it ran";
        co_return;
    };
    {
        auto never = body(keep);
        EXPECT_EQ(keep.use_count(), 2);
    }
    EXPECT_EQ(keep.use_count(), 1);
}

TEST(task, hands_over_move_only_results) {
    const auto body = []() -> task<std::unique_ptr<int>> {
        const auto inner = []() -> task<std::unique_ptr<int>> {
            co_return std::make_unique<int>(7);
        };
        auto made = co_await inner();
        co_return made;
    };
    EXPECT_EQ(*run(body(), on_poll), 7);
}

TEST(task, hands_over_references) {
    int value = 1;
    const auto body = [](int& target) -> task<> {
        const auto inner = [](int& same) -> task<int&> { co_return same; };
        int& back = co_await inner(target);
        back = 2;
    };
    run(body(value), on_poll);
    EXPECT_EQ(value, 2);
}

TEST(task, rethrows_what_its_coroutine_threw) {
    const auto fails = []() -> task<int> {
        throw std::runtime_error("from inside");
        co_return 1;
    };
    const auto body = [](auto inner) -> task<std::string> {
        try {
            int never_set = co_await inner();
            co_return std::to_string(never_set);
        } catch (const std::runtime_error& error) {
            co_return error.what();
        }
    };
    EXPECT_EQ(run(body(fails), on_poll), "from inside");
}

TEST(task, error_of_the_root_is_thrown_by_run) {
    const auto body = []() -> task<> {
        co_await yield();
        throw std::logic_error("root");
    };
    EXPECT_THROW(run(body(), on_poll), std::logic_error);
}

TEST(task, knows_who_awaits_it_and_from_where) {
    const auto body = []() -> task<> {
        frame& outer = co_await detail::this_frame();
        const auto inner = [](frame& awaiter) -> task<> {
            frame& self = co_await detail::this_frame();
            EXPECT_EQ(self.awaiter, &awaiter);
            EXPECT_STREQ(std::strrchr(awaiter.file, '/'), "/task_test.cpp");
            EXPECT_GT(self.line, 0U);
            EXPECT_GT(awaiter.line, self.line);
        };
        co_await inner(outer);
    };
    run(body(), on_poll);
}

TEST(task, run_gives_an_int_result_as_exit_code) { EXPECT_EQ(run(number(3), on_poll), 3); }

// --- the stack ----------------------------------------------------------------------------------

/// Runs `body` on a thread with a stack of 256 KiB, where a frame per await would overflow at once.
template <class Body>
void on_small_stack(Body body) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
    pthread_t thread{};
    const auto start = [](void* argument) -> void* {
        (*static_cast<Body*>(argument))();
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, start, &body), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
}

constexpr long many_awaits = 10'000'000;  // in every build: a frame per await overflows far sooner

task<> count_up(long& count) {
    ++count;
    co_return;
}
task<> await_in_a_row(long rounds, long& count) {
    for (long i = 0; i < rounds; ++i) co_await count_up(count);
}
task<> chain(long levels, long& count) {
    if (levels > 0) {
        auto next = chain(levels - 1, count);
        co_await next;
    }
    ++count;
}
task<> chain_that_waits(long levels, long& count, event& leaf) {
    if (levels > 0) {
        auto next = chain_that_waits(levels - 1, count, leaf);
        co_await next;
    } else {
        co_await leaf.wait();
    }
    ++count;
}
task<> chain_that_fails(long levels) {
    if (levels == 0) throw std::runtime_error("at the leaf");
    auto next = chain_that_fails(levels - 1);
    co_await next;
}

TEST(task, ten_million_ready_awaits_need_no_stack) {
    on_small_stack([] {
        long count = 0;
        run(await_in_a_row(many_awaits, count), on_poll);
        EXPECT_EQ(count, many_awaits);
    });
}

TEST(task, chain_of_a_hundred_thousand_needs_no_stack) {
    on_small_stack([] {
        long count = 0;
        run(chain(100'000, count), on_poll);
        EXPECT_EQ(count, 100'001);
    });
}

TEST(task, chain_of_a_hundred_thousand_that_waits_at_its_leaf_needs_no_stack) {
    on_small_stack([] {
        long count = 0;
        const auto body = [](long& total) -> task<> {
            event leaf;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(chain_that_waits, 100'000, std::ref(total), std::ref(leaf));
                co_await yield();
                leaf.set();
            });
        };
        run(body(count), on_poll);
        EXPECT_EQ(count, 100'001);
    });
}

TEST(task, error_unwinds_a_deep_chain_without_stack) {
    on_small_stack(
        [] { EXPECT_THROW(run(chain_that_fails(20'000), on_poll), std::runtime_error); });
}

TEST(task, cancel_unwinds_a_deep_chain_without_stack) {
    on_small_stack([] {
        long count = 0;
        const auto body = [](long& total) -> task<> {
            event never_set;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(chain_that_waits, 20'000, std::ref(total), std::ref(never_set));
                co_await yield();
                group.cancel();
            });
        };
        run(body(count), on_poll);
        EXPECT_EQ(count, 0);
    });
}

// --- fairness and frames ------------------------------------------------------------------------

TEST(task, that_never_waits_lets_others_run) {
    const auto body = []() -> task<> {
        bool stop = false;
        long spins = 0;
        const auto hog = [](bool& flag, long& count) -> task<> {
            while (!flag) co_await count_up(count);
        };
        const auto other = [](bool& flag) -> task<> {
            co_await sleep_for(std::chrono::milliseconds(1));
            flag = true;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(hog, std::ref(stop), std::ref(spins));
            group.spawn(other, std::ref(stop));
            co_return;
        });
        EXPECT_GT(spins, 0);
    };
    run(body(), on_poll);
}

TEST(task, frames_are_recycled) {
    if (address_sanitizer) GTEST_SKIP() << "frames are not recycled under AddressSanitizer";
    const auto body = []() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        long count = 0;
        co_await await_in_a_row(10, count);
        const auto before = owner.counters().frames_new;
        co_await await_in_a_row(100'000, count);
        EXPECT_LE(owner.counters().frames_new - before, 1U);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
