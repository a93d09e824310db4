// asio_primitives.cpp: the same primitives with Asio's awaitables, written as its manual does.
//
// One thread means ASIO_CONCURRENCY_HINT_UNSAFE: without its locks Asio is at its fastest. Where
// it has no such primitive the usual substitute stands in: a channel of capacity 1 for a mutex,
// operator|| or a timer set and cancelled by hand for a timeout.
// SPDX-License-Identifier: MIT
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/experimental/concurrent_channel.hpp>

#include <chrono>
#include <deque>
#include <thread>

#include "meter.hpp"
#include "primitives.hpp"
#include "threads.hpp"

namespace anel_bench {
namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::experimental::as_tuple;
using namespace std::chrono_literals;

constexpr std::int64_t children_at_once = 100;
constexpr std::int64_t timers_at_once = 100;
constexpr std::size_t standing_timers = 10'000;

using channel = asio::experimental::channel<void(asio::error_code, int)>;
using concurrent_channel = asio::experimental::concurrent_channel<void(asio::error_code, int)>;

void rethrow(std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
}

template <class Body>
std::function<void(benchmark::State&)> loop_of(Body body, std::int64_t batch = 1) {
    return [=](benchmark::State& state) {
        asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
        meter passes(state, batch);
        co_spawn(context, body(passes), rethrow);
        context.run();
    };
}

// Not inlined: a frame that the compiler can prove away would be measured as none.
[[gnu::noinline]] awaitable<int> child(int value) { co_return value; }

awaitable<void> await_child(meter& passes) {
    int sum = 0;
    while (passes.next()) sum += co_await child(1);
    benchmark::DoNotOptimize(sum);
}

awaitable<void> nothing() { co_return; }

awaitable<void> spawn_and_join(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    while (passes.next()) co_await co_spawn(executor, nothing(), use_awaitable);
}

awaitable<void> spawn_and_join_many(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    channel all_ended(executor, 1);
    while (passes.next()) {
        std::int64_t left = children_at_once;
        auto ended = [&](std::exception_ptr error) {
            rethrow(error);
            if (--left == 0) all_ended.try_send(asio::error_code(), 0);
        };
        for (std::int64_t i = 0; i < children_at_once; ++i) co_spawn(executor, nothing(), ended);
        co_await all_ended.async_receive(use_awaitable);
    }
}

awaitable<void> resume_through_loop(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    while (passes.next()) co_await asio::post(executor, use_awaitable);
}

template <bool DeadlineKnown>
awaitable<void> timer_add_and_cancel(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    std::deque<asio::steady_timer> others;
    auto ignore = [](asio::error_code) {};
    for (std::size_t i = 0; i < standing_timers; ++i) {
        others.emplace_back(executor, 1h + i * 1ms).async_wait(ignore);
    }
    asio::steady_timer measured(executor);
    const auto deadline = std::chrono::steady_clock::now() + 1h + 5s;
    while (passes.next()) {
        for (std::int64_t i = 0; i < timers_at_once; ++i) {
            if constexpr (DeadlineKnown) measured.expires_at(deadline);
            else measured.expires_after(1h + 5s);
            measured.async_wait(ignore);
            measured.cancel();
        }
        co_await asio::post(executor, use_awaitable);  // the cancelled handlers are called
    }
    others.clear();
}

awaitable<void> uncontended_mutex(meter& passes) {
    channel lock(co_await asio::this_coro::executor, 1);
    while (passes.next()) {
        co_await lock.async_send(asio::error_code(), 0, use_awaitable);
        lock.try_receive([](asio::error_code, int) {});
    }
}

template <class Channel>
awaitable<void> echo(Channel& in, Channel& out) {
    for (;;) {
        auto [error, item] = co_await in.async_receive(as_tuple(use_awaitable));
        if (error) co_return;  // closed
        co_await out.async_send(asio::error_code(), item, use_awaitable);
    }
}

template <class Channel>
awaitable<void> round_trips(meter& passes, Channel& there, Channel& back) {
    while (passes.next()) {
        co_await there.async_send(asio::error_code(), 1, use_awaitable);
        co_await back.async_receive(use_awaitable);
    }
    there.close();
}

template <class Channel, std::size_t Capacity>
awaitable<void> channel_round_trip(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    Channel there(executor, Capacity);
    Channel back(executor, Capacity);
    // The caller keeps both channels until the other side has seen the end.
    auto other = co_spawn(executor, echo(there, back), asio::experimental::deferred);
    asio::steady_timer ended(executor, asio::steady_timer::time_point::max());
    std::move(other)([&](std::exception_ptr error) {
        rethrow(error);
        ended.cancel();
    });
    co_await round_trips(passes, there, back);
    co_await ended.async_wait(as_tuple(use_awaitable));
}

void across_threads(benchmark::State& state) {
    asio::io_context here(1);
    asio::io_context elsewhere(1);
    concurrent_channel there(elsewhere, 1);
    concurrent_channel back(here, 1);
    meter passes(state);
    co_spawn(elsewhere, echo(there, back), rethrow);
    co_spawn(here, round_trips(passes, there, back), rethrow);
    auto busy_here = asio::make_work_guard(here);
    auto busy_elsewhere = asio::make_work_guard(elsewhere);
    std::thread other([&] {
        run_on_cpu(1);
        elsewhere.run();
    });
    run_on_cpu(0);
    busy_here.reset();
    here.run();
    busy_elsewhere.reset();
    other.join();
}

awaitable<void> timeout_by_operator(meter& passes) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (passes.next()) {
        timer.expires_after(1s);
        co_await (child(1) || timer.async_wait(use_awaitable));
    }
}

awaitable<void> timeout_by_hand(meter& passes) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    int sum = 0;
    std::int64_t fired = 0;
    int since_drained = 0;
    while (passes.next()) {
        timer.expires_after(1s);
        timer.async_wait([&](asio::error_code error) { fired += !error; });
        sum += co_await child(1);
        timer.cancel();
        if (++since_drained < 100) continue;
        since_drained = 0;
        co_await asio::post(executor, use_awaitable);  // the cancelled handlers are called
    }
    benchmark::DoNotOptimize(sum);
    co_await asio::post(executor, use_awaitable);
    if (fired > 0) throw std::logic_error("a timeout fired");
}

awaitable<void> failure_as_value(meter& passes) {
    asio::ip::tcp::socket closed(co_await asio::this_coro::executor);
    char byte = 0;
    while (passes.next()) {
        auto [error, size] =
            co_await closed.async_receive(asio::buffer(&byte, 1), as_tuple(use_awaitable));
        if (!error) throw std::logic_error("a closed socket received");
    }
}

awaitable<void> failure_as_exception(meter& passes) {
    asio::ip::tcp::socket closed(co_await asio::this_coro::executor);
    char byte = 0;
    while (passes.next()) {
        try {
            co_await closed.async_receive(asio::buffer(&byte, 1), use_awaitable);
        } catch (const std::system_error&) {
            continue;
        }
        throw std::logic_error("a closed socket received");
    }
}

awaitable<void> sleep_until_cancelled(asio::steady_timer& timer) {
    co_await timer.async_wait(as_tuple(use_awaitable));
}

awaitable<void> measure_sleepers(std::int64_t& bytes_each) {
    constexpr std::int64_t sleepers = 1000;
    const auto executor = co_await asio::this_coro::executor;
    const auto before = heap_used().bytes_held;
    std::deque<asio::steady_timer> timers;
    for (std::int64_t i = 0; i < sleepers; ++i) {
        timers.emplace_back(executor, 1h);
        co_spawn(executor, sleep_until_cancelled(timers.back()), rethrow);
    }
    co_await asio::post(executor, use_awaitable);  // every one of them runs up to its wait
    bytes_each = (heap_used().bytes_held - before) / sleepers;
    for (auto& timer : timers) timer.cancel();
    co_await asio::post(executor, use_awaitable);
}

}  // namespace

std::vector<primitive> asio_primitives() {
    return {
        {"await a child", loop_of(await_child)},
        {"spawn and join one", loop_of(spawn_and_join)},
        {"spawn and join, each of 100", loop_of(spawn_and_join_many, children_at_once)},
        {"resume through the loop", loop_of(resume_through_loop)},
        {"timer set, cancelled", loop_of(timer_add_and_cancel<false>, timers_at_once)},
        {"the same, deadline known", loop_of(timer_add_and_cancel<true>, timers_at_once)},
        {"timeout around a ready child", loop_of(timeout_by_operator)},
        {"timeout around a ready child (by hand)", loop_of(timeout_by_hand)},
        {"mutex lock and unlock", loop_of(uncontended_mutex)},
        {"channel round trip, capacity 0", loop_of(channel_round_trip<channel, 0>)},
        {"channel round trip, capacity 1", loop_of(channel_round_trip<channel, 1>)},
        {"thread-safe channel, one thread", loop_of(channel_round_trip<concurrent_channel, 1>)},
        {"thread-safe channel, two threads", across_threads, true},
        {"failed recv, as a value", loop_of(failure_as_value)},
        {"failed recv, as an exception", loop_of(failure_as_exception)},
    };
}

memory_need asio_memory() {
    memory_need need;
    const auto before = heap_used().bytes_held;
    {
        const awaitable<int> one = child(1);
        need.frame = heap_used().bytes_held - before;
    }
    asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
    co_spawn(context, measure_sleepers(need.sleeping), rethrow);
    context.run();
    return need;
}

std::string asio_version() {
    return std::to_string(ASIO_VERSION / 100000) + "." + std::to_string(ASIO_VERSION / 100 % 1000) +
           "." + std::to_string(ASIO_VERSION % 100);
}

}  // namespace anel_bench
