// sleep.hpp: sleep_for, sleep_until and yield: waits that need no operation.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

namespace anel {
namespace detail {

class sleep_wait : public suspension, private timer {
public:
    explicit sleep_wait(duration wait) noexcept : timer(&sleep_wait::on_fire), wait_(wait) {}
    explicit sleep_wait(time_point deadline) noexcept
        : timer(&sleep_wait::on_fire), deadline_(deadline), absolute_(true) {}

    bool start(cancel_scope& scope, frame& caller) noexcept;
    void finish();

private:
    static void on_fire(timer& item) noexcept;
    static void on_cancel(suspension& wait) noexcept;
    static void describe(const suspension& wait, std::string& text);
    static const wait_kind kind_;

    duration wait_{};
    time_point deadline_{};
    bool absolute_ = false;
    bool fired_ = false;
};

class yield_wait : public suspension {
public:
    bool start(cancel_scope& scope, frame& caller) noexcept {
        static constexpr wait_kind yielding{"yield", nullptr};
        if (!scope.begin_wait(*this, caller, yielding)) return false;
        scope.owner().ready(*this);
        return true;
    }
    void finish() {
        if (!wait_scope) throw task_cancelled{};
        wait_scope->end_wait(*this);
    }
};

}  // namespace detail

/// Suspends this task, and no other, for at least `wait`. Zero or negative: until the next turn.
/// Errors  task_cancelled.
template <class Rep, class Period>
[[nodiscard("co_await it")]] detail::sleep_wait
sleep_for(std::chrono::duration<Rep, Period> wait) noexcept {
    return detail::sleep_wait(saturate(wait));
}

template <class Number>
    requires std::is_arithmetic_v<Number>
detail::sleep_wait sleep_for(Number) {
    static_assert(!std::is_arithmetic_v<Number>, "anel: a time needs a unit: sleep_for(5s)");
    return detail::sleep_wait(duration::zero());
}

/// Suspends this task until `deadline` of the loop's clock has come.
[[nodiscard("co_await it")]] inline detail::sleep_wait sleep_until(time_point deadline) noexcept {
    return detail::sleep_wait(deadline);
}

/// Lets every other task that is ready run first.
[[nodiscard("co_await it")]] inline detail::yield_wait yield() noexcept { return {}; }

/// The loop's clock, read now: `auto start = co_await current_time();`
class current_time {
public:
    bool start(detail::cancel_scope& scope, detail::frame&) noexcept {
        now_ = scope.owner().now();
        return false;
    }
    time_point finish() const noexcept { return now_; }

private:
    time_point now_{};
};

}  // namespace anel
