// threads_test.cpp: what crosses threads: post, offload, several loops; and signals.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#include <anel/event.hpp>
#include <anel/offload.hpp>
#include <anel/post.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace anel {
namespace {

using namespace std::chrono_literals;

class threads : public ::testing::TestWithParam<backend_kind> {
protected:
    template <class T>
    auto go(task<T> work, std::chrono::nanoseconds spin = {}) {
        return run(std::move(work),
                   {.backend = {.kind = GetParam()}, .signals = false, .spin = spin});
    }
    void ping_pong(int rounds, std::chrono::nanoseconds spin);
};

INSTANTIATE_TEST_SUITE_P(backends, threads, ::testing::ValuesIn(test::kernels_here()),
                         test::name_of_parameter);

TEST_P(threads, posts_from_many_threads_all_arrive_in_each_ones_order) {
    constexpr int senders = 4;
    constexpr int each = 20'000;
    const auto body = []() -> task<> {
        const poster post = co_await get_poster();
        std::vector<int> last(senders, -1);
        int arrived = 0;
        event all;
        std::vector<std::thread> others;
        for (int sender = 0; sender < senders; ++sender) {
            others.emplace_back([&, sender] {
                for (int i = 0; i < each; ++i) {
                    post([&, sender, i] {
                        EXPECT_EQ(last[static_cast<std::size_t>(sender)], i - 1);
                        last[static_cast<std::size_t>(sender)] = i;
                        if (++arrived == senders * each) all.set();
                    });
                }
            });
        }
        co_await all.wait();
        for (std::thread& other : others) other.join();
    };
    go(body());
}

// A lost wake-up would be a hang: each side sleeps until the other has posted.
void threads::ping_pong(int rounds, std::chrono::nanoseconds spin) {
    struct side {
        std::optional<poster> post;
        event turn;
        std::atomic<bool> ready{false};
    };
    side left;
    side right;
    const auto player = [rounds](side& mine, side& other, bool first) -> task<> {
        mine.post = co_await get_poster();
        mine.ready = true;
        while (!other.ready) co_await yield();
        for (int i = 0; i < rounds; ++i) {
            if (!first || i > 0) {
                co_await mine.turn.wait();
                mine.turn.reset();
            }
            side* peer = &other;
            (*other.post)([peer] { peer->turn.set(); });
        }
        if (first) co_await mine.turn.wait();
        mine.turn.reset();
    };
    std::thread second([&] { go(player(right, left, false), spin); });
    go(player(left, right, true), spin);
    second.join();
}

TEST_P(threads, ping_pong_between_two_loops_loses_no_wake_up) {
    ping_pong(test::rounds(20'000), 0ns);
}

TEST_P(threads, nor_between_two_that_look_before_they_sleep) {
    ping_pong(test::rounds(20'000), 50us);
}

TEST_P(threads, post_to_a_loop_that_has_ended_is_refused) {
    std::optional<poster> kept;
    const auto body = [](std::optional<poster>& out) -> task<> { out = co_await get_poster(); };
    go(body(kept));
    auto alive = std::make_shared<int>(1);
    EXPECT_FALSE((*kept)([alive] { ADD_FAILURE() << "it ran"; }));
    EXPECT_EQ(alive.use_count(), 1);
}

TEST_P(threads, offload_runs_elsewhere_and_gives_the_result) {
    const auto body = []() -> task<> {
        const auto here = std::this_thread::get_id();
        const auto where = co_await offload([] { return std::this_thread::get_id(); });
        EXPECT_NE(here, where);
        int ran = 0;
        co_await offload([&] { ran = 1; });
        EXPECT_EQ(ran, 1);
    };
    go(body());
}

TEST_P(threads, offload_rethrows) {
    const auto body = []() -> task<> {
        bool caught = false;
        try {
            co_await offload([] { throw std::runtime_error("over there"); });
        } catch (const std::runtime_error&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
    };
    go(body());
}

TEST_P(threads, offload_does_not_stop_the_loop) {
    const auto body = []() -> task<> {
        std::atomic<bool> released{false};
        int turns = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto blocked = [](std::atomic<bool>& flag) -> task<> {
                co_await offload([&] { flag.wait(false); });
            };
            group.spawn(blocked, std::ref(released));
            for (; turns < 100; ++turns) co_await sleep_for(10us);
            released = true;
            released.notify_all();
        });
        EXPECT_EQ(turns, 100);
    };
    go(body());
}

TEST_P(threads, cancelled_offload_that_runs_is_waited_for) {
    const auto body = []() -> task<> {
        std::atomic<bool> started{false};
        std::atomic<bool> released{false};
        bool value_arrived = false;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto blocked = [](std::atomic<bool>& in, std::atomic<bool>& out,
                                    bool& flag) -> task<> {
                int value = co_await offload([&] {
                    in = true;
                    out.wait(false);
                    return 9;
                });
                flag = value == 9;
            };
            group.spawn(blocked, std::ref(started), std::ref(released), std::ref(value_arrived));
            while (!started) co_await sleep_for(100us);
            group.cancel();
            released = true;
            released.notify_all();
        });
        EXPECT_TRUE(value_arrived);  // it happened, so it stands
    };
    go(body());
}

TEST_P(threads, more_offloads_than_fit_are_refused_and_the_others_end) {
    const auto body = []() -> task<> {
        std::atomic<bool> released{false};
        int ended = 0;
        int refused = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto blocked = [](std::atomic<bool>& flag, int& good, int& bad) -> task<> {
                auto done = co_await as_result(offload([&] { flag.wait(false); }));
                if (done) ++good;
                else if (done.error() == std::errc::resource_unavailable_try_again) ++bad;
            };
            for (int i = 0; i < 400; ++i) {
                group.spawn(blocked, std::ref(released), std::ref(ended), std::ref(refused));
            }
            while (refused == 0) co_await yield();
            released = true;
            released.notify_all();
        });
        EXPECT_EQ(ended + refused, 400);
        EXPECT_GE(ended, 256);
    };
    go(body());
}

TEST_P(threads, first_sigterm_cancels_the_root_and_the_handler_is_put_back) {
    struct sigaction before{};
    ::sigaction(SIGTERM, nullptr, &before);
    const auto body = []() -> task<> {
        std::raise(SIGTERM);
        co_await sleep_until(never);
    };
    EXPECT_EQ(run(body(), {.backend = {.kind = GetParam()}}), 0);
    struct sigaction now{};
    ::sigaction(SIGTERM, nullptr, &now);
    EXPECT_EQ(now.sa_handler, before.sa_handler);
}

TEST_P(threads, two_loops_in_two_threads) {
    const auto body = []() -> task<int> {
        int sum = 0;
        for (int i = 0; i < 1000; ++i) {
            co_await yield();
            sum += i;
        }
        co_return sum;
    };
    int other = 0;
    std::thread second([&] { other = go(body()); });
    EXPECT_EQ(go(body()), 499'500);
    second.join();
    EXPECT_EQ(other, 499'500);
}

TEST_P(threads, a_loop_inside_a_task_of_another) {
    const auto inner = []() -> task<int> {
        co_await sleep_for(1ms);
        co_return 6;
    };
    const auto body = [](auto make, backend_kind kind) -> task<int> {
        const int value = run(make(), {.backend = {.kind = kind}, .signals = false});
        co_await yield();
        co_return value;
    };
    EXPECT_EQ(go(body(inner, GetParam())), 6);
}

}  // namespace
}  // namespace anel
