// sync_sweep_test.cpp: waits of tasks for each other: nothing that was granted gets lost.
//
// These waits end without the backend, so the points at which a cancel can come between a grant and
// the task that was granted it are the scenarios' own.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/interval.hpp>

#include <atomic>

namespace anel::test {
namespace {

struct sleep : scenario {
    using scenario::scenario;
    task<> body() {
        co_await sleep_for(0s);
        slept += 1;
        co_await sleep_for(100us);
        slept += 1;
        auto now = co_await current_time();
        co_await sleep_until(now + 100us);
        slept += 1;
    }
    task<> check(const report& said) {
        EXPECT_EQ(slept == 3, said.completed);
        co_return;  // that no timer is left is asserted by the loop
    }
    int slept = 0;
};
ANEL_SWEEP(sleep);

struct ticking : scenario {
    using scenario::scenario;
    task<> body() {
        for (int i = 0; i < 3; ++i) {
            co_await every.tick();
            ticked += 1;
        }
    }
    task<> check(const report& said) {
        EXPECT_EQ(ticked == 3, said.completed);
        co_await every.tick();
    }
    interval every{std::chrono::microseconds(100)};
    int ticked = 0;
};
ANEL_SWEEP(ticking);

struct yielding : scenario {
    using scenario::scenario;
    task<> body() {
        const auto child = [&]() -> task<> {
            for (int i = 0; i < 3; ++i) {
                co_await yield();
                steps += 1;
                point();
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(child);
            group.spawn(child);
            co_return;
        });
    }
    task<> check(const report& said) {
        if (said.completed) {
            EXPECT_EQ(steps, 6);
        }
        co_return;
    }
    int steps = 0;
};
ANEL_SWEEP(yielding);

struct event_wait : scenario {
    using scenario::scenario;
    task<> body() {
        const auto waits = [&]() -> task<> {
            co_await happened.wait();
            woken += 1;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 3; ++i) group.spawn(waits);
            co_await next_turn();
            waiting = 3;
            happened.set();
            point();  // set, and nobody has run yet: each of them has it
        });
    }
    task<> check(const report& said) {
        if (!said.error) {
            EXPECT_EQ(woken, waiting);
        }
        co_return;  // that nobody waits any more is asserted by the event
    }
    event happened;
    int waiting = 0;
    int woken = 0;
};
ANEL_SWEEP(event_wait);

struct mutex_lock : scenario {
    using scenario::scenario;
    task<> body() {
        const auto works = [&]() -> task<> {
            for (int i = 0; i < 2; ++i) {
                auto guard = co_await lock.lock();
                most = std::max(most, ++inside);
                const leaves on_exit{inside};
                if (i == 0) co_await next_turn();
            }
            point();  // whoever waited longest was granted the lock, and has not run
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 3; ++i) group.spawn(works);
            co_return;
        });
    }
    task<> check(const report&) {
        EXPECT_LE(most, 1);
        EXPECT_EQ(inside, 0);
        EXPECT_FALSE(lock.is_locked());
        co_return;
    }
    struct leaves {
        int& count;
        ~leaves() { count -= 1; }
    };
    mutex lock;
    int inside = 0;
    int most = 0;
};
ANEL_SWEEP(mutex_lock);

struct semaphore_acquire : scenario {
    using scenario::scenario;
    task<> body() {
        const auto works = [&]() -> task<> {
            for (int i = 0; i < 2; ++i) {
                co_await permits.acquire();
                const gives_back on_exit{permits};
                if (i == 0) co_await next_turn();
            }
            point();  // whoever waited longest was granted the permit, and has not run
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 5; ++i) group.spawn(works);
            co_return;
        });
    }
    task<> check(const report&) {
        EXPECT_EQ(permits.available(), 2U);
        co_return;
    }
    struct gives_back {
        semaphore& from;
        ~gives_back() { from.release(); }
    };
    semaphore permits{2};
};
ANEL_SWEEP(semaphore_acquire);

/// Two senders and two receivers, of what can only be moved.
struct channel_exchange : scenario {
    using scenario::scenario;
    static constexpr int each = 5;
    task<> body() {
        const auto sends = [&](int first) -> task<> {
            for (int i = first; i < first + each; ++i) {
                auto item = std::make_unique<int>(i);
                offered += 1;
                const bool taken = co_await between.send(std::move(item));
                sent += taken;
                point();
            }
            if (++finished == 2) between.close();
        };
        const auto receives = [&]() -> task<> {
            while (auto item = co_await between.recv()) {
                received += 1;
                point();
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends, 0);
            group.spawn(receives);
            group.spawn(sends, 100);
            co_await next_turn();
            point();
            group.spawn(receives);
        });
    }
    // send() said true for what went in; what went in came out, or is inside.
    task<> check(const report& said) {
        EXPECT_EQ(static_cast<std::size_t>(sent - received), between.size());
        if (said.completed) {
            EXPECT_EQ(received, 2 * each);
        }
        co_return;
    }
    explicit channel_exchange(probe& control, std::size_t capacity = 2)
        : scenario(control), between(capacity) {}
    channel<std::unique_ptr<int>> between;
    int offered = 0;
    int sent = 0;
    int received = 0;
    int finished = 0;
};
using buffered_channel = channel_exchange;
ANEL_SWEEP(buffered_channel);

struct hand_over_channel : channel_exchange {
    explicit hand_over_channel(probe& control) : channel_exchange(control, 0) {}
};
ANEL_SWEEP(hand_over_channel);

struct offloading : scenario {
    using scenario::scenario;
    task<> body() {
        began = true;
        value = co_await offload([&] {
            ran += 1;
            return 42;
        });
        bool thrown = false;
        try {
            co_await offload([] { throw of_the_call{}; });
        } catch (const of_the_call&) {
            thrown = true;
        }
        threw = thrown;
    }
    task<> check(const report& said) {
        EXPECT_LE(ran, 1);
        if (!began) {
            EXPECT_EQ(ran, 0);
        }
        EXPECT_TRUE(value == 0 || (value == 42 && ran == 1));
        if (said.completed && !said.struck) {
            EXPECT_TRUE(threw);
        }
        co_return;
    }
    struct of_the_call {};
    bool began = false;
    int ran = 0;
    int value = 0;
    bool threw = false;
};
ANEL_SWEEP(offloading);

/// A call that ends early when it is told of the cancel.
struct offloading_with_stop : scenario {
    using scenario::scenario;
    task<> body() {
        value = co_await offload([&](const stop_request& stop) {
            ran += 1;
            const when_stopped hook(stop, [&] { told += 1; });
            if (stop.stop_requested()) throw task_cancelled{};
            return 42;
        });
    }
    task<> check(const report& said) {
        EXPECT_LE(ran, 1);
        EXPECT_LE(told, ran);
        EXPECT_TRUE(value == 0 || (value == 42 && ran == 1));
        if (said.completed && !said.struck) {
            EXPECT_EQ(told, 0);
        }
        co_return;
    }
    std::atomic<int> told{0};
    int ran = 0;
    int value = 0;
};
ANEL_SWEEP(offloading_with_stop);

/// Another thread calls into the loop while it waits.
struct posting : scenario {
    using scenario::scenario;
    ~posting() {
        if (caller.joinable()) caller.join();
    }
    task<> body() {
        auto post = co_await get_poster();
        const auto call = [post, this] { post([this] { arrived.set(); }); };
        caller = std::thread(call);  // whose allocations do not fail
        co_await arrived.wait();
    }
    task<> check(const report& said) {
        if (caller.joinable()) caller.join();
        if (said.completed) {
            EXPECT_TRUE(arrived.is_set());
        }
        // What was posted before the loop ends is called, also when nobody waits for it any more.
        co_await next_turn();
        co_await next_turn();
    }
    std::thread caller;
    event arrived;
};
ANEL_SWEEP(posting);

}  // namespace
}  // namespace anel::test
