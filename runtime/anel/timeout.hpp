// timeout.hpp: with_timeout and shielded: an await in a scope with a rule of its own.
//
// Works on any awaitable without a task: an operation with a deadline costs a timer and a scope,
// both inside the awaiter, and no allocation.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

#include <utility>

namespace anel {
namespace detail {

/// Awaits `inner` in a scope that `Rule` may cancel, and tells a cut by the rule from a cancel.
///   void arm(cancel_scope&)   begins to watch; cancels that scope when the time has come
///   bool fired()              whether it did
///   void disarm()             ends the watch; nothing of the rule runs afterwards
///   [[noreturn]] raise()      throws what a cut short wait throws
template <awaitable A, class Rule>
class ruled {
public:
    ruled(Rule rule, A inner) : rule_(std::move(rule)), inner_(std::move(inner)) {}
    ruled(ruled&& other) noexcept
        : rule_(std::move(other.rule_)), inner_(std::move(other.inner_)) {}

    bool start(cancel_scope& scope, frame& caller) {
        scope_.open(scope, cancel_scope::shield::no, cancel_scope::role::limit);
        try {
            rule_.arm(scope_);
            return inner_.start(scope_, caller);
        } catch (...) {
            leave();
            throw;
        }
    }

    awaited_t<A> finish() {
        // Whatever the inner wait gives or throws, rule and scope must be gone first.
        struct guard {
            ruled& self;
            ~guard() { self.leave(); }
        };
        try {
            guard on_exit{*this};
            return inner_.finish();
        } catch (const task_cancelled&) {
            if (!rule_.fired() || outer_cancelled_) throw;
        }
        rule_.raise();
    }

private:
    void leave() noexcept {
        rule_.disarm();
        outer_cancelled_ = scope_.parent()->cancelled();
        scope_.close();
    }

    Rule rule_;
    bool outer_cancelled_ = false;
    cancel_scope scope_;
    A inner_;
};

/// `When` is a duration, counted from the start of the wait, or a point in time.
template <class When>
class timeout_rule : private timer {
public:
    explicit timeout_rule(When when) noexcept : timer(&timeout_rule::on_fire), when_(when) {}

    void arm(cancel_scope& scope) noexcept {
        scope_ = &scope;
        scope.set_timer(*this);
        scope.owner().start(static_cast<timer&>(*this), when_);
    }
    [[nodiscard]] bool fired() const noexcept { return fired_; }
    void disarm() noexcept { scope_->owner().cancel(static_cast<timer&>(*this)); }
    [[noreturn]] void raise() const { throw_timed_out(when_); }

private:
    static void on_fire(timer& item) noexcept {
        auto& self = static_cast<timeout_rule&>(item);
        self.fired_ = true;
        self.scope_->cancel();
    }

    When when_;
    cancel_scope* scope_ = nullptr;
    bool fired_ = false;
};

template <awaitable A>
class shield_wait {
public:
    explicit shield_wait(A inner) : inner_(std::move(inner)) {}
    shield_wait(shield_wait&& other) noexcept : inner_(std::move(other.inner_)) {}

    bool start(cancel_scope& scope, frame& caller) {
        scope_.open(scope, cancel_scope::shield::yes);
        try {
            return inner_.start(scope_, caller);
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

/// Awaits `inner` for at most `wait`, or until it has ended, where it cannot be cut short: an
/// offload() that runs and does not look at its stop_request, a shielded() step.
/// Returns  what `inner` returns; a result that arrived wins over the timeout, however late.
/// Errors   io_error with ETIMEDOUT once the wait was cut short and `inner` has ended; what `inner`
///          throws.
/// Cost     a timer and a scope inside the awaiter; no allocation.
template <class Rep, class Period, awaitable A>
[[nodiscard("co_await it")]] auto with_timeout(std::chrono::duration<Rep, Period> wait, A inner) {
    using rule = detail::timeout_rule<duration>;
    return detail::ruled<A, rule>(rule(saturate(wait)), std::move(inner));
}

/// The same, until `deadline` of the loop's clock: several steps can share one.
template <awaitable A>
[[nodiscard("co_await it")]] auto with_timeout(time_point deadline, A inner) {
    using rule = detail::timeout_rule<time_point>;
    return detail::ruled<A, rule>(rule(deadline), std::move(inner));
}

template <class Wait, class A>
    requires(awaitable<Wait> || std::is_arithmetic_v<Wait>)
auto with_timeout(Wait, A) {
    static_assert(!awaitable<Wait>, "anel: the time comes first: with_timeout(2s, conn.recv())");
    static_assert(!std::is_arithmetic_v<Wait>, "anel: a time needs a unit: with_timeout(2s, ...)");
}

/// Awaits `inner` where no cancel from outside reaches it: for the steps that end things properly.
/// Give it a with_timeout, or the program may never stop.
template <awaitable A>
[[nodiscard("co_await it")]] auto shielded(A inner) {
    return detail::shield_wait<A>(std::move(inner));
}

}  // namespace anel
