// turn_test.cpp: what ends a turn, and a chain's part of it, over a backend that does nothing.
// SPDX-License-Identifier: MIT
#include "runtime/core/root_task.hpp"

#include <anel/detail/io.hpp>
#include <anel/event.hpp>
#include <anel/sleep.hpp>
#include <anel/task_group.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace anel {
using namespace detail;
namespace {

using namespace std::chrono_literals;

/// Every operation is done at once and has moved so many bytes; nothing ever arrives.
class instant_backend final : public backend {
public:
    std::int32_t control(operation&) noexcept override { return 0; }
    bool start(operation& op) noexcept override {
        made_calls(1, bytes);
        done_since_ += 1;
        most_done = std::max(most_done, done_since_);
        return finished_inline(op, 0);
    }
    bool start_helper(operation& op) noexcept override { return start(op); }
    void stop(operation&) noexcept override {}
    void wait(time_point, op_queue&) noexcept override { done_since_ = 0; }
    void wake() noexcept override {}
    [[nodiscard]] time_point now() const noexcept override {
        clock_reads += 1;
        return clock;
    }
    [[nodiscard]] backend_kind kind() const noexcept override { return backend_kind::poll; }

    std::size_t bytes = 0;
    std::uint64_t most_done = 0;  // between two waits
    time_point clock{1s};
    mutable std::uint64_t clock_reads = 0;

private:
    std::uint64_t done_since_ = 0;
};

class operation_wait : public io<operation_wait> {
public:
    operation_wait() noexcept : io(opcode::send, 0, nullptr, 1) {}
    void value() const noexcept {}
    static io_error describe(std::error_code error) { return io_error(error, "test", {}); }
};

class turn : public ::testing::Test {
protected:
    void run(task<> body) {
        root_task root(loop_, std::move(body));
        loop_.run_until(root.ended());
    }

    instant_backend* backend_ = new instant_backend;
    loop loop_{std::unique_ptr<backend>(backend_)};
};

TEST_F(turn, ends_after_so_many_operations) {
    const auto body = []() -> task<> {
        for (int i = 0; i < 1000; ++i) co_await operation_wait();
    };
    run(body());
    EXPECT_LE(backend_->most_done, loop::turn_share / backend::call_cost);
    EXPECT_GE(backend_->most_done, loop::turn_share / backend::call_cost / 2);
}

TEST_F(turn, ends_after_so_many_bytes) {
    backend_->bytes = 65'536;
    const auto body = []() -> task<> {
        for (int i = 0; i < 1000; ++i) co_await operation_wait();
    };
    run(body());
    EXPECT_LE(backend_->most_done * 65'536, (1U << 20) + 65'536);
    EXPECT_GE(backend_->most_done, 4U);
}

TEST_F(turn, ends_after_so_much_time_and_seldom_looks_at_the_clock) {
    const auto body = [](time_point& clock, duration each, int count) -> task<> {
        event always;
        always.set();
        for (int i = 0; i < count; ++i) {
            clock += each;
            co_await always.wait();
        }
    };
    std::uint64_t before = loop_.counters().turns;
    constexpr int count = 100'000;
    run(body(backend_->clock, 0s, count));
    const std::uint64_t turns = loop_.counters().turns - before;
    EXPECT_LE(turns, count / loop::turn_share + 2U);
    EXPECT_LE(backend_->clock_reads, turns + count / loop::spent_between_clocks + 1);

    before = loop_.counters().turns;
    run(body(backend_->clock, 10us, count));
    constexpr std::uint32_t most = loop::slice + loop::spent_between_clocks;
    EXPECT_GE(loop_.counters().turns - before, count / most);
}

TEST_F(turn, many_that_are_ready_end_it_after_so_much_time_too) {
    const auto body = [](time_point& clock) -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto one = [](time_point& at) -> task<> {
                at += 10us;
                co_return;
            };
            for (int i = 0; i < 10'000; ++i) group.spawn(one, std::ref(clock));
            co_return;
        });
    };
    run(body(backend_->clock));
    EXPECT_GE(loop_.counters().turns, 10'000U / (loop::slice + loop::spent_between_clocks));
}

TEST_F(turn, a_chain_that_never_waits_lets_another_one_in_after_its_slice) {
    int steps = 0;
    int steps_when_other_ran = -1;
    const auto chain = [](int& count) -> task<> {
        event always;
        always.set();
        for (; count < 1000; ++count) co_await always.wait();
    };
    const auto other = [](const int& count, int& seen) -> task<> {
        seen = count;
        co_return;
    };
    const auto body = [&]() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(chain, std::ref(steps));
            group.spawn(other, std::cref(steps), std::ref(steps_when_other_ran));
            co_return;
        });
    };
    run(body());
    EXPECT_EQ(steps, 1000);
    EXPECT_GT(steps_when_other_ran, 0);
    EXPECT_LE(steps_when_other_ran, static_cast<int>(loop::slice));
}

}  // namespace
}  // namespace anel
