// thread_channel_test.cpp: channels between loops and threads: nothing lost, nothing twice, in
// order.
// SPDX-License-Identifier: MIT
#include "tests/support/joining_thread.hpp"

#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/thread_channel.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

namespace anel {
namespace {

using namespace std::chrono_literals;

const run_options quiet{.backend = {}, .signals = false};

task<> send_range(thread_channel<int>& to, int first, int last) {
    for (int i = first; i < last; ++i) {
        const bool sent = co_await to.send(i);
        EXPECT_TRUE(sent);
    }
}

task<> receive_into(thread_channel<int>& from, std::vector<int>& seen) {
    while (auto item = co_await from.recv()) seen.push_back(*item);
}

TEST(thread_channel, carries_items_between_two_loops_in_order) {
    for (const std::size_t capacity : {0U, 1U, 16U}) {
        thread_channel<int> items(capacity);
        std::vector<int> seen;
        test::joining_thread other([&] { run(receive_into(items, seen), quiet); });
        run(send_range(items, 0, 5000), quiet);
        items.close();
        other.join();
        ASSERT_EQ(seen.size(), 5000U) << "capacity " << capacity;
        EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    }
}

TEST(thread_channel, many_senders_and_receivers_in_many_loops_lose_nothing) {
    constexpr int loops = 3;
    constexpr int each = 2000;
    thread_channel<int> items(4);
    std::vector<std::vector<int>> seen(2 * loops);
    {
        std::vector<test::joining_thread> receivers;
        for (int i = 0; i < loops; ++i) {
            receivers.emplace_back([&, i] {
                const auto two = [&]() -> task<> {
                    co_await with_task_group([&](task_group& group) -> task<> {
                        for (int k = 2 * i; k < 2 * i + 2; ++k) {
                            auto& mine = seen[static_cast<std::size_t>(k)];
                            group.spawn(receive_into, std::ref(items), std::ref(mine));
                        }
                        co_return;
                    });
                };
                run(two(), quiet);
            });
        }
        std::vector<test::joining_thread> senders;
        for (int i = 0; i < loops; ++i) {
            senders.emplace_back(
                [&, i] { run(send_range(items, i * each, (i + 1) * each), quiet); });
        }
        senders.clear();
        items.close();
    }
    std::vector<int> all;
    for (const auto& part : seen) all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), static_cast<std::size_t>(loops * each));
    for (int i = 0; i < loops * each; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(thread_channel, a_plain_thread_sends_without_waiting) {
    thread_channel<std::unique_ptr<int>> items(2);
    EXPECT_TRUE(items.try_send(std::make_unique<int>(1)));
    EXPECT_TRUE(items.try_send(std::make_unique<int>(2)));
    auto refused = std::make_unique<int>(3);
    EXPECT_FALSE(items.try_send(std::move(refused)));
    ASSERT_TRUE(refused) << "what was not sent is untouched";
    EXPECT_EQ(*refused, 3);
    auto first = items.try_recv();
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(**first, 1);
    items.close();
    EXPECT_FALSE(items.try_send(std::move(refused)));
    EXPECT_EQ(items.size(), 1U);
}

TEST(thread_channel, a_sleeping_loop_is_woken_by_a_plain_thread) {
    thread_channel<int> items(1);
    test::joining_thread other([&] {
        for (int i = 0; i < 300; ++i) {
            while (!items.try_send(int(i))) std::this_thread::yield();
        }
        items.close();
    });
    std::vector<int> seen;
    run(receive_into(items, seen), quiet);
    EXPECT_EQ(seen.size(), 300U);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// A receiver that gives up again and again while another thread sends: each item is received once,
// whether it came before, with or after the timeout.
TEST(thread_channel, cancelled_receivers_lose_nothing) {
    constexpr int total = 3000;
    thread_channel<int> items(2);
    test::joining_thread other([&] { run(send_range(items, 0, total), quiet); });
    const auto impatient = [&]() -> task<> {
        int next = 0;
        while (next < total) {
            auto item = co_await as_result(with_timeout(5us, items.recv()));
            if (!item) continue;
            EXPECT_EQ(**item, next);
            ++next;
        }
    };
    run(impatient(), quiet);
    other.join();
    EXPECT_EQ(items.size(), 0U);
}

TEST(thread_channel, cancelled_senders_send_nothing) {
    thread_channel<int> items(0);
    const auto body = [&]() -> task<> {
        auto given_up = co_await as_result(with_timeout(1ms, items.send(1)));
        EXPECT_EQ(given_up.error(), std::errc::timed_out);
        EXPECT_FALSE(items.try_recv().has_value());
    };
    run(body(), quiet);
}

TEST(thread_channel, close_ends_waits_in_other_loops) {
    thread_channel<int> items(1);
    std::vector<int> seen;
    test::joining_thread other([&] { run(receive_into(items, seen), quiet); });
    items.close();
    other.join();
    const auto late = [&]() -> task<> {
        const bool sent = co_await items.send(1);
        EXPECT_FALSE(sent);
    };
    run(late(), quiet);
}

}  // namespace
}  // namespace anel
