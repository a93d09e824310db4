// timer_test.cpp: the heap against a model, ties, and deadlines at the ends of the clock.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/detail/timer.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

namespace anel {
using namespace detail;
namespace {

using namespace std::chrono_literals;

struct numbered : timer {
    numbered(int value, std::vector<int>& log)
        : timer(&numbered::on_fire), number(value), fired(&log) {}
    static void on_fire(timer& item) noexcept {
        auto& self = static_cast<numbered&>(item);
        self.fired->push_back(self.number);
    }
    int number;
    std::vector<int>* fired;
};

time_point at(std::int64_t ns) { return time_point(duration(ns)); }

TEST(timer_heap, fires_in_order_of_deadlines_and_ties_first_in_first_out) {
    timer_heap heap;
    std::vector<int> fired;
    std::deque<numbered> timers;
    const std::int64_t deadlines[] = {30, 10, 20, 10, 30, 10};
    for (int i = 0; i < 6; ++i) heap.add(timers.emplace_back(i, fired), at(deadlines[i]));
    EXPECT_EQ(heap.next_deadline(), at(10));
    EXPECT_EQ(heap.fire_due(at(9)), 0U);
    EXPECT_EQ(heap.fire_due(at(25)), 4U);
    EXPECT_EQ(heap.fire_due(at(30)), 2U);
    EXPECT_EQ(fired, (std::vector{1, 3, 5, 2, 0, 4}));
    EXPECT_TRUE(heap.empty());
    EXPECT_EQ(heap.next_deadline(), never);
}

TEST(timer_heap, behaves_as_a_sorted_map_does) {
    std::mt19937 random(20240607);  // a fixed seed: the same run every time
    timer_heap heap;
    std::vector<int> fired;
    std::vector<int> expected;
    std::deque<numbered> timers;
    std::multimap<std::int64_t, int> model;  // equal keys keep their order of insertion
    std::int64_t now = 0;
    for (int step = 0; step < 20'000; ++step) {
        const auto choice = random() % 10;
        if (choice < 6) {
            const std::int64_t deadline = now + static_cast<std::int64_t>(random() % 50);
            const int number = static_cast<int>(timers.size());
            heap.add(timers.emplace_back(number, fired), at(deadline));
            model.emplace(deadline, number);
        } else if (choice < 9 && !model.empty()) {
            auto victim = std::next(model.begin(), static_cast<long>(random() % model.size()));
            heap.cancel(timers[static_cast<std::size_t>(victim->second)]);
            model.erase(victim);
        } else {
            now += static_cast<std::int64_t>(random() % 20);
            for (auto due = model.begin(); due != model.end() && due->first <= now;) {
                expected.push_back(due->second);
                due = model.erase(due);
            }
            heap.fire_due(at(now));
            ASSERT_EQ(fired, expected) << "at step " << step;
        }
        ASSERT_EQ(heap.next_deadline(), model.empty() ? never : at(model.begin()->first));
    }
    for (numbered& item : timers) heap.cancel(item);
    EXPECT_TRUE(heap.empty());
}

TEST(timer_heap, cancel_of_a_timer_that_is_not_armed_does_nothing) {
    timer_heap heap;
    std::vector<int> fired;
    numbered item(1, fired);
    heap.cancel(item);
    heap.add(item, at(5));
    heap.fire_due(at(5));
    heap.cancel(item);
    EXPECT_EQ(fired.size(), 1U);
}

TEST(timer_heap, timer_armed_while_others_fire_waits_for_the_next_call) {
    timer_heap heap;
    struct again : timer {
        explicit again(timer_heap& in) : timer(&again::on_fire), heap(in) {}
        static void on_fire(timer& item) noexcept {
            auto& self = static_cast<again&>(item);
            self.count += 1;
            self.heap.add(self, at(0));
        }
        timer_heap& heap;
        int count = 0;
    } item(heap);
    heap.add(item, at(0));
    EXPECT_EQ(heap.fire_due(at(10)), 1U);
    EXPECT_EQ(heap.fire_due(at(10)), 1U);
    EXPECT_EQ(item.count, 2);
    heap.cancel(item);
}

TEST(timer_heap, million_timers_most_of_them_cancelled) {
    timer_heap heap;
    std::vector<int> fired;
    std::deque<numbered> timers;
    for (int i = 0; i < 1'000'000; ++i) heap.add(timers.emplace_back(i, fired), at(i % 1000));
    for (int i = 0; i < 1'000'000; ++i) {
        if (i % 1000 != 7) heap.cancel(timers[static_cast<std::size_t>(i)]);
    }
    EXPECT_EQ(heap.fire_due(at(1000)), 1000U);
}

TEST(time, sums_saturate) {
    EXPECT_EQ(after(at(5), 10ns), at(15));
    EXPECT_EQ(after(at(5), -10ns), at(5));
    EXPECT_EQ(after(at(5), duration::max()), never);
    EXPECT_EQ(saturate(std::chrono::hours::max()), duration::max());
    EXPECT_EQ(saturate(std::chrono::hours::min()), duration::min());
    EXPECT_EQ(saturate(std::chrono::duration<double>(1e300)), duration::max());
    EXPECT_EQ(saturate(std::chrono::duration<double, std::nano>(1.5)), 2ns);
}

TEST(sleep, is_never_short) {
    const auto body = []() -> task<> {
        for (const auto wait : {1ns, 999'999ns, 1'000'000ns, 2'500'001ns}) {
            const time_point before = co_await current_time();
            co_await sleep_for(wait);
            const time_point later = co_await current_time();
            EXPECT_GE(later - before, wait);
        }
    };
    run(body(), on_poll);
}

TEST(sleep, of_zero_or_less_lets_others_run_first) {
    const auto body = []() -> task<> {
        std::vector<int> order;
        const auto other = [](std::vector<int>& log) -> task<> {
            log.push_back(1);
            co_return;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(other, std::ref(order));
            co_await sleep_for(-1s);
            order.push_back(2);
        });
        EXPECT_EQ(order, (std::vector{1, 2}));
    };
    run(body(), on_poll);
}

TEST(sleep, for_ever_can_be_cancelled) {
    const auto body = []() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn([]() -> task<> { co_await sleep_for(std::chrono::hours::max()); });
            group.spawn([]() -> task<> { co_await sleep_until(never); });
            co_await yield();
            group.cancel();
        });
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
