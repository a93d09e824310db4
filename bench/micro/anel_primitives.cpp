// anel_primitives.cpp: the primitives of anel that need no operation of the kernel.
//
// Each benchmark has its counterpart of the same name in asio_primitives.cpp.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>
#include <vector>

#include "meter.hpp"
#include "primitives.hpp"
#include "threads.hpp"

namespace anel_bench {
namespace {

using namespace anel;
using namespace anel::detail;  // timers, which are no affair of a program's
using namespace std::chrono_literals;

constexpr std::int64_t children_at_once = 100;
constexpr std::size_t standing_timers = 10'000;

run_options without_signals() {
    run_options options;
    options.signals = false;  // two loops of one process cannot both have them
    return options;
}

/// Makes a benchmark of a coroutine that takes a meter.
template <class Body>
std::function<void(benchmark::State&)> loop_of(Body body, std::int64_t batch = 1) {
    return [=](benchmark::State& state) {
        meter passes(state, batch);
        run(body(passes), without_signals());
    };
}

// Not inlined: a frame that the compiler can prove away would be measured as none.
[[gnu::noinline]] task<int> child(int value) { co_return value; }

task<> await_child(meter& passes) {
    int sum = 0;
    while (passes.next()) sum += co_await child(1);
    benchmark::DoNotOptimize(sum);
}

task<> nothing() { co_return; }

task<> spawn_and_join(meter& passes) {
    while (passes.next()) {
        co_await with_task_group([](task_group& group) -> task<> {
            group.spawn(nothing);
            co_return;
        });
    }
}

task<> spawn_and_join_many(meter& passes) {
    while (passes.next()) {
        co_await with_task_group([](task_group& group) -> task<> {
            for (std::int64_t i = 0; i < children_at_once; ++i) group.spawn(nothing);
            co_return;
        });
    }
}

task<> resume_through_loop(meter& passes) {
    while (passes.next()) co_await yield();
}

/// A timer that must not fire: the benchmark ends long before.
struct standing : timer {
    standing() : timer([](timer&) noexcept {}) {}
};

/// Among ten thousand others. `When` is a duration, for which the clock is read, or a deadline.
template <class When>
task<> timer_add_and_cancel(meter& passes) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    std::vector<standing> others(standing_timers);
    duration later = 1h;
    for (auto& one : others) owner.start(one, later += 1ms);
    standing measured;
    When when{1h + 5s};  // in the middle of the others
    if constexpr (std::is_same_v<When, time_point>) when += owner.now().time_since_epoch();
    while (passes.next()) {
        owner.start(measured, when);
        owner.cancel(measured);
    }
    for (auto& one : others) owner.cancel(one);
}

task<> uncontended_mutex(meter& passes) {
    mutex lock;
    while (passes.next()) auto held = co_await lock.lock();
}

template <class Channel>
task<> echo(Channel& in, Channel& out) {
    while (auto item = co_await in.recv()) std::ignore = co_await out.send(*item);
}

template <class Channel>
task<> round_trips(meter& passes, Channel& there, Channel& back) {
    while (passes.next()) {
        std::ignore = co_await there.send(1);
        std::ignore = co_await back.recv();
    }
    there.close();
}

template <class Channel, std::size_t Capacity>
task<> channel_round_trip(meter& passes) {
    Channel there(Capacity);
    Channel back(Capacity);
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(echo<Channel>, std::ref(there), std::ref(back));
        co_await round_trips(passes, there, back);
    });
}

void across_threads(benchmark::State& state) {
    thread_channel<int> there(1);
    thread_channel<int> back(1);
    meter passes(state);
    std::thread other([&] {
        run_on_cpu(1);
        run(echo(there, back), without_signals());
    });
    run_on_cpu(0);
    run(round_trips(passes, there, back), without_signals());
    other.join();
}

task<> timeout_that_does_not_fire(meter& passes) {
    int sum = 0;
    while (passes.next()) sum += co_await with_timeout(1s, child(1));
    benchmark::DoNotOptimize(sum);
}

task<> failure_as_value(meter& passes) {
    tcp_stream closed;
    std::array<char, 1> buffer{};
    while (passes.next()) {
        auto received = co_await as_result(closed.recv(buffer));
        if (received) throw std::logic_error("a closed socket received");
    }
}

task<> failure_as_exception(meter& passes) {
    tcp_stream closed;
    std::array<char, 1> buffer{};
    while (passes.next()) {
        try {
            std::ignore = co_await closed.recv(buffer);
        } catch (const std::system_error&) {
            continue;
        }
        throw std::logic_error("a closed socket received");
    }
}

task<> sleep_until_cancelled() { co_await sleep_for(1h); }

task<> measure_sleepers(std::int64_t& bytes_each) {
    constexpr std::int64_t sleepers = 1000;
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto before = heap_used().bytes_held;
        for (std::int64_t i = 0; i < sleepers; ++i) group.spawn(sleep_until_cancelled);
        co_await yield();  // every one of them runs up to its wait
        bytes_each = (heap_used().bytes_held - before) / sleepers;
        group.cancel();
    });
}

}  // namespace

std::vector<primitive> anel_primitives() {
    return {
        {"await a child", loop_of(await_child)},
        {"spawn and join one", loop_of(spawn_and_join)},
        {"spawn and join, each of 100", loop_of(spawn_and_join_many, children_at_once)},
        {"resume through the loop", loop_of(resume_through_loop)},
        {"timer set, cancelled", loop_of(timer_add_and_cancel<duration>)},
        {"the same, deadline known", loop_of(timer_add_and_cancel<time_point>)},
        {"timeout around a ready child", loop_of(timeout_that_does_not_fire)},
        {"mutex lock and unlock", loop_of(uncontended_mutex)},
        {"channel round trip, capacity 0", loop_of(channel_round_trip<channel<int>, 0>)},
        {"channel round trip, capacity 1", loop_of(channel_round_trip<channel<int>, 1>)},
        {"thread-safe channel, one thread", loop_of(channel_round_trip<thread_channel<int>, 1>)},
        {"thread-safe channel, two threads", across_threads, true},
        {"failed recv, as a value", loop_of(failure_as_value)},
        {"failed recv, as an exception", loop_of(failure_as_exception)},
    };
}

memory_need anel_memory() {
    memory_need need;
    const auto before = heap_used().bytes_held;
    const task<int> one = child(1);
    need.frame = heap_used().bytes_held - before;
    run(measure_sleepers(need.sleeping), without_signals());
    return need;
}

}  // namespace anel_bench
