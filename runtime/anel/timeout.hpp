// timeout.hpp: with_timeout and shielded: an await in a scope with a rule of its own.
//
// Works on any awaitable without a task: an operation with a deadline costs a timer and a scope,
// both inside the awaiter, and no allocation.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/awaitable.hpp>
#include <anel/error.hpp>
#include <anel/loop.hpp>

#include <utility>

namespace anel {
namespace detail {

template <awaitable A>
class timed : private timer {
public:
    timed(duration wait, A inner) : timer(&timed::on_fire), wait_(wait), inner_(std::move(inner)) {}
    timed(timed&& other) noexcept
        : timer(std::move(other)), wait_(other.wait_), inner_(std::move(other.inner_)) {}

    bool start(cancel_scope& scope, frame& waiter) {
        scope_.open(scope);
        scope.owner().start(static_cast<timer&>(*this), wait_);
        try {
            return inner_.start(scope_, waiter);
        } catch (...) {
            leave();
            throw;
        }
    }

    awaited_t<A> finish() {
        // Whatever the inner wait gives or throws, timer and scope must be gone first.
        struct guard {
            timed& self;
            ~guard() { self.leave(); }
        };
        try {
            guard on_exit{*this};
            return inner_.finish();
        } catch (const task_cancelled&) {
            if (!fired_ || outer_cancelled_) throw;
        }
        throw_timed_out(wait_);
    }

private:
    static void on_fire(timer& item) noexcept {
        auto& self = static_cast<timed&>(item);
        self.fired_ = true;
        self.scope_.cancel();
    }
    void leave() noexcept {
        outer_cancelled_ = scope_.parent()->cancelled();
        scope_.owner().cancel(static_cast<timer&>(*this));
        scope_.close();
    }

    duration wait_;
    bool fired_ = false;
    bool outer_cancelled_ = false;
    cancel_scope scope_;
    A inner_;
};

template <awaitable A>
class shield_wait {
public:
    explicit shield_wait(A inner) : inner_(std::move(inner)) {}
    shield_wait(shield_wait&& other) noexcept : inner_(std::move(other.inner_)) {}

    bool start(cancel_scope& scope, frame& waiter) {
        scope_.open(scope, cancel_scope::shield::yes);
        try {
            return inner_.start(scope_, waiter);
        } catch (...) {
            scope_.close();
            throw;
        }
    }
    awaited_t<A> finish() {
        struct guard {
            cancel_scope& scope;
            ~guard() { scope.close(); }
        } on_exit{scope_};
        return inner_.finish();
    }

private:
    cancel_scope scope_;
    A inner_;
};

}  // namespace detail

/// Awaits `inner` for at most `wait`.
/// Returns  what `inner` returns; a result that arrived wins over the timeout.
/// Errors   io_error with ETIMEDOUT once the wait was cut short and `inner` has ended; what `inner`
///          throws.
/// Cost     a timer and a scope inside the awaiter; no allocation.
template <class Rep, class Period, awaitable A>
[[nodiscard]] auto with_timeout(std::chrono::duration<Rep, Period> wait, A inner) {
    return detail::timed<A>(saturate(wait), std::move(inner));
}

/// Awaits `inner` where no cancel from outside reaches it: for the steps that end things properly.
/// Give it a with_timeout, or the program may never stop.
template <awaitable A>
[[nodiscard]] auto shielded(A inner) {
    return detail::shield_wait<A>(std::move(inner));
}

}  // namespace anel
