// io.hpp: the awaitable form of an operation.
//
// Submits an operation to the loop when the coroutine suspends and, when it runs again, gives the
// result or throws. A socket's recv, send, accept … derive from it and add what the result means.
//
// Knows: operations and the loop. Must not know: what an opcode does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

#include <cerrno>

namespace anel::detail {

/// An operation that can be awaited. `Derived` has
///   using value_type                the awaited value;
///   value_type value()              makes it of a result >= 0;
///   std::error_code failure()       (optional) an error in a result >= 0, such as an early end;
///   io_error describe(std::error_code)  what is thrown: names operation and address.
template <class Derived>
class io : public operation {
public:
    using operation::operation;

    template <class Forgotten = void>
    explicit operator bool() const {
        static_assert(!std::is_void_v<Forgotten>,
                      "anel: this is a wait, and no value: co_await it");
        return false;
    }

    bool start(cancel_scope& scope, frame& caller) noexcept {
        if (!scope.begin_wait(*this, caller, wait_kind_of(code))) {
            wait_scope = nullptr;
            return false;
        }
        return scope.owner().start(*this);
    }

    decltype(auto) finish() {
        settle();
        if (const std::error_code error = self().failure()) throw self().describe(error);
        return self().value();
    }

    // Derived is not complete yet where this is declared; the parameter puts the look-up off.
    template <class Complete = Derived>
    auto try_finish() -> anel::result<decltype(std::declval<Complete&>().value())> {
        using value_type = decltype(std::declval<Complete&>().value());
        settle();
        if (const std::error_code error = self().failure()) {
            return anel::result<value_type>::failure(error);
        }
        if constexpr (std::is_void_v<value_type>) {
            return {};
        } else {
            return self().value();
        }
    }

    std::error_code failure() const noexcept {
        return result < 0 ? error_in(result) : std::error_code();
    }

protected:
    /// Instead of start(): the wait ends at once, with `why` as its result.
    bool refuse(cancel_scope& scope, frame& caller, std::int32_t why) noexcept {
        if (!scope.begin_wait(*this, caller, wait_kind_of(code))) {
            wait_scope = nullptr;
        } else {
            state = op_state::done;
            result = why;
        }
        return false;
    }

private:
    Derived& self() noexcept { return static_cast<Derived&>(*this); }

    /// Ends the wait. A result that happened stands, also in a scope cancelled meanwhile.
    void settle() {
        if (!wait_scope) throw task_cancelled{};  // refused by start(): nothing was submitted
        wait_scope->end_wait(*this);
        if (result == -ECANCELED && wait_scope->cancelled()) throw task_cancelled{};
    }
};

}  // namespace anel::detail
