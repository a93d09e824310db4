// sync_test.cpp: semaphore, mutex and channel: order, cancels, and nothing lost.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/channel.hpp>
#include <anel/mutex.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace anel {
namespace {

using namespace std::chrono_literals;

TEST(mutex, keeps_others_out_over_an_await_and_is_fair) {
    const auto body = []() -> task<> {
        mutex door;
        int inside = 0;
        std::string order;
        const auto enter = [](mutex& m, int& count, std::string& log, char name) -> task<> {
            for (int i = 0; i < 3; ++i) {
                auto guard = co_await m.lock();
                EXPECT_EQ(++count, 1);
                co_await yield();
                log += name;
                --count;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (const char name : {'a', 'b', 'c'}) {
                group.spawn(enter, std::ref(door), std::ref(inside), std::ref(order), name);
            }
            co_return;
        });
        EXPECT_EQ(order, "abcabcabc");
        EXPECT_FALSE(door.is_locked());
    };
    run(body(), on_poll);
}

TEST(mutex, cancelled_waiter_does_not_take_it) {
    const auto body = []() -> task<> {
        mutex door;
        {
            auto guard = co_await door.lock();
            auto second = co_await as_result(with_timeout(1ms, door.lock()));
            EXPECT_EQ(second.error(), std::errc::timed_out);
        }
        EXPECT_FALSE(door.is_locked());
        auto again = co_await door.lock();
        EXPECT_TRUE(door.is_locked());
    };
    run(body(), on_poll);
}

TEST(mutex, granted_and_cancelled_in_one_turn_is_given_back) {
    const auto body = []() -> task<> {
        mutex door;
        bool had_it = false;
        auto guard = co_await door.lock();
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto waiter = [](mutex& m, bool& flag) -> task<> {
                auto held = co_await m.lock();
                flag = true;
                co_await yield();  // cancelled: throws, and the guard goes
                ADD_FAILURE() << "went on";
            };
            group.spawn(waiter, std::ref(door), std::ref(had_it));
            co_await yield();
            guard.unlock();
            group.cancel();
        });
        EXPECT_TRUE(had_it);
        EXPECT_FALSE(door.is_locked());
    };
    run(body(), on_poll);
}

TEST(semaphore, lets_in_as_many_as_it_has_permits) {
    const auto body = []() -> task<> {
        semaphore permits(3);
        int inside = 0;
        int most = 0;
        const auto user = [](semaphore& s, int& now, int& max) -> task<> {
            co_await s.acquire();
            max = std::max(max, ++now);
            co_await yield();
            --now;
            s.release();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 20; ++i) {
                group.spawn(user, std::ref(permits), std::ref(inside), std::ref(most));
            }
            co_return;
        });
        EXPECT_EQ(most, 3);
        EXPECT_EQ(permits.available(), 3U);
    };
    run(body(), on_poll);
}

class channels : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(capacities, channels, ::testing::Values(0, 1, 2, 7, 1000));

TEST_P(channels, keep_the_order_and_move_every_item_once) {
    const auto body = [](std::size_t capacity) -> task<> {
        channel<std::unique_ptr<int>> pipe(capacity);
        std::vector<int> got;
        const auto producer = [](channel<std::unique_ptr<int>>& out) -> task<> {
            for (int i = 0; i < 500; ++i) {
                auto item = std::make_unique<int>(i);
                bool taken = co_await out.send(std::move(item));
                EXPECT_TRUE(taken);
            }
            out.close();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(producer, std::ref(pipe));
            while (auto item = co_await pipe.recv()) got.push_back(**item);
        });
        EXPECT_EQ(got.size(), 500U);
        for (int i = 0; i < static_cast<int>(got.size()); ++i)
            EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
    };
    run(body(GetParam()), on_poll);
}

// Senders and receivers are cancelled at random; an item is received, or its sender was told that
// it was not taken: never both, never neither.
TEST_P(channels, lose_and_double_nothing_under_cancels) {
    struct counts {
        int sent = 0;
        int received = 0;
    };
    const auto body = [](std::size_t capacity) -> task<> {
        channel<int> pipe(capacity);
        counts seen;
        std::mt19937 random(7);
        const auto producer = [](channel<int>& out, counts& count, int pause) -> task<> {
            for (int i = 0; i < pause % 3; ++i) co_await yield();
            bool taken = co_await out.send(pause);
            count.sent += taken;
        };
        const auto consumer = [](channel<int>& in, counts& count, int pause) -> task<> {
            for (int i = 0; i < pause % 3; ++i) co_await yield();
            auto item = co_await in.recv();
            count.received += item.has_value();
        };
        for (int round = 0; round < 300; ++round) {
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 6; ++i) {
                    const int pause = static_cast<int>(random() % 100);
                    if (random() % 2) group.spawn(producer, std::ref(pipe), std::ref(seen), pause);
                    else group.spawn(consumer, std::ref(pipe), std::ref(seen), pause);
                }
                const auto turns = random() % 4;
                for (unsigned i = 0; i < turns; ++i) co_await yield();
                group.cancel();
            });
        }
        EXPECT_EQ(seen.sent, seen.received + static_cast<int>(pipe.size()));
        EXPECT_GT(seen.received, 100);
    };
    run(body(GetParam()), on_poll);
}

TEST(channel, closed_refuses_senders_and_ends_receivers) {
    const auto body = []() -> task<> {
        channel<int> pipe(1);
        bool put = co_await pipe.send(1);
        EXPECT_TRUE(put);
        int refused = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sender = [](channel<int>& out, int& count) -> task<> {
                bool taken = co_await out.send(2);
                count += !taken;
            };
            group.spawn(sender, std::ref(pipe), std::ref(refused));
            co_await yield();
            pipe.close();
        });
        EXPECT_EQ(refused, 1);
        auto left = co_await pipe.recv();
        EXPECT_EQ(left, 1);
        auto none = co_await pipe.recv();
        EXPECT_FALSE(none);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
