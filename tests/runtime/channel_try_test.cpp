// channel_try_test.cpp: a channel's calls that never wait.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/channel.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace anel {
namespace {

TEST(channel, try_send_fills_it_and_leaves_alone_what_does_not_fit) {
    channel<std::string> two(2);
    EXPECT_TRUE(two.try_send("first"));
    EXPECT_TRUE(two.try_send("second"));
    std::string third = "third";
    EXPECT_FALSE(two.try_send(std::move(third)));
    EXPECT_EQ(third, "third");
    EXPECT_EQ(two.try_recv(), "first");
    EXPECT_TRUE(two.try_send(std::move(third)));
    two.close();
    EXPECT_FALSE(two.try_send("refused"));
    EXPECT_EQ(two.try_recv(), "second");
    EXPECT_EQ(two.try_recv(), "third");
    EXPECT_EQ(two.try_recv(), std::nullopt);
}

TEST(channel, carries_what_can_be_moved_and_not_assigned) {
    struct sealed {
        const int value;
        explicit sealed(int given) : value(given) {}
        sealed(sealed&&) = default;
    };
    const auto body = []() -> task<> {
        channel<sealed> one(1);
        const bool sent = co_await one.send(sealed(1));
        EXPECT_TRUE(sent);
        EXPECT_FALSE(one.try_send(sealed(2)));
        auto first = co_await one.recv();
        EXPECT_EQ(first->value, 1);
        EXPECT_TRUE(one.try_send(sealed(3)));
        auto second = one.try_recv();
        EXPECT_EQ(second->value, 3);
    };
    run(body(), on_poll);
}

TEST(channel, try_calls_serve_those_who_wait) {
    const auto body = []() -> task<> {
        channel<int> hand_to_hand(0);
        EXPECT_FALSE(hand_to_hand.try_send(1)) << "nobody waits";
        EXPECT_EQ(hand_to_hand.try_recv(), std::nullopt);
        const auto take = [](channel<int>& from, int& got) -> task<> {
            auto item = co_await from.recv();
            got = item.value_or(0);
        };
        const auto give = [](channel<int>& into) -> task<> {
            const bool taken = co_await into.send(3);
            EXPECT_TRUE(taken);
        };
        int got = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(hand_to_hand), std::ref(got));
            co_await yield();
            EXPECT_TRUE(hand_to_hand.try_send(2));
            co_await yield();
            EXPECT_EQ(got, 2);
            group.spawn(give, std::ref(hand_to_hand));
            co_await yield();
            EXPECT_EQ(hand_to_hand.try_recv(), 3);
        });
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
