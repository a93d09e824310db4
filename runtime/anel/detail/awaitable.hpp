// awaitable.hpp: the one protocol for everything that can be awaited.
//
// start(scope, caller)  begins the wait; true: suspended, false: finish() can be called at once.
// finish()              called when the coroutine runs again: returns the value or throws.
//
// It is narrower than the language's await_ready/await_suspend/await_resume, so that combinators
// (with_timeout, as_result, shielded …) can start an inner wait in a scope of their own, and so
// that nothing but the loop can resume a coroutine. An awaitable may be moved until it is started.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/cancel_scope.hpp>
#include <anel/detail/frame.hpp>

#include <concepts>
#include <coroutine>
#include <functional>
#include <utility>
#include <variant>

namespace anel {

template <class A>
concept awaitable = requires(A& a, detail::cancel_scope& scope, detail::frame& caller) {
    { a.start(scope, caller) } -> std::same_as<bool>;
    a.finish();
};

/// What `co_await a` yields.
template <awaitable A>
using awaited_t = decltype(std::declval<A&>().finish());

namespace detail {

/// What keeps a `T` that was awaited, where a reference or a void has no place of its own.
template <class T>
struct kept {
    using type = T;
};
template <class T>
struct kept<T&> {
    using type = std::reference_wrapper<T>;
};
template <>
struct kept<void> {
    using type = std::monostate;
};
template <class T>
using kept_t = typename kept<T>::type;

/// Adapts an awaitable to the language. Holds a reference, and is returned by value: g++ 12 would
/// copy an awaiter that await_transform returned by reference.
template <class A>
class adapted {
public:
    explicit adapted(A& inner) noexcept : inner_(inner) {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
        frame& self = caller.promise();
        return inner_.start(*self.scope, self);
    }
    decltype(auto) await_resume() { return inner_.finish(); }

private:
    A& inner_;
};

/// The frame of the coroutine that awaits it; does not suspend.
class this_frame {
public:
    bool start(cancel_scope&, frame& caller) noexcept {
        self_ = &caller;
        return false;
    }
    frame& finish() const noexcept { return *self_; }

private:
    frame* self_ = nullptr;
};

}  // namespace detail
}  // namespace anel
