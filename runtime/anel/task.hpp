// task.hpp: task<T>, a coroutine that is started by awaiting it.
//
// Lazy, move-only, awaited once. It gets its surroundings (loop, scope) from whoever awaits it.
// Awaiting a child and finishing both leave the next coroutine with the loop: the stack stays flat
// for any number of awaits in a row and any depth, in every build of every compiler.
//
// Knows: frames and the loop's transfer(). Must not know: operations, backends.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace anel {

template <class T = void>
class task;

namespace detail {

/// Promise of a task, but for its result.
struct task_promise : frame {
    std::exception_ptr error;

    static std::suspend_always initial_suspend() noexcept { return {}; }

    struct final_awaiter {
        static bool await_ready() noexcept { return false; }
        template <class Promise>
        static void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
            frame& next = *ended.promise().awaiter;
            next.scope->owner().transfer(next, *next.scope);
        }
        static void await_resume() noexcept {}
    };
    static final_awaiter final_suspend() noexcept { return {}; }

    void unhandled_exception() noexcept { error = std::current_exception(); }

    // __builtin_FILE and __builtin_LINE name the place of the co_await; std::source_location would
    // do the same, but clang 14 does not have it.
    template <class A>
    auto await_transform(A&& inner, const char* at_file = __builtin_FILE(),
                         std::uint32_t at_line = __builtin_LINE()) noexcept {
        static_assert(awaitable<std::remove_reference_t<A>>,
                      "anel: this cannot be awaited here. Awaitables are what the library returns "
                      "and task<T>; wrap a foreign callback with an event and post().");
        file = at_file;
        line = at_line;
        return adapted<std::remove_reference_t<A>>(inner);
    }
};

template <class T>
struct promise final : task_promise {
    std::optional<T> value;

    task<T> get_return_object() noexcept;
    template <class U = T>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() { return std::move(*value); }
};

template <class T>
struct promise<T&> final : task_promise {
    T* value = nullptr;

    task<T&> get_return_object() noexcept;
    void return_value(T& result) noexcept { value = &result; }
    T& take() noexcept { return *value; }
};

template <>
struct promise<void> final : task_promise {
    inline task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() noexcept {}
};

}  // namespace detail

/// A coroutine that computes a `T`.
/// Errors   what the coroutine throws is thrown by the co_await; task_cancelled when it was
///          cancelled, or was awaited in a scope that already was, in which case it does not run.
/// Lifetime a coroutine's reference parameters must outlive the co_await; its values are copied in.
/// Cost     one frame, recycled: no allocation in steady state.
template <class T>
class [[nodiscard("a task is lazy: co_await it or spawn it")]] task {
public:
    using promise_type = detail::promise<T>;
    using value_type = T;

    task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~task() {
        if (handle_) handle_.destroy();
    }

    template <class Forgotten = void>
    explicit operator bool() const {
        static_assert(!std::is_void_v<Forgotten>,
                      "anel: this is a task, and no value: co_await it");
        return false;
    }

    bool start(detail::cancel_scope& scope, detail::frame& caller) {
        if (!handle_)
            detail::rule_broken("a task is awaited that was moved from or awaited before", &caller);
        promise_type& child = handle_.promise();
        if (child.scope) {
            detail::rule_broken("a task is awaited by two others", &caller, child.awaiter);
        }
        if (scope.cancelled()) return false;
        child.scope = &scope;
        child.awaiter = &caller;
        scope.owner().transfer(child, scope);
        return true;
    }

    // The frame goes at once, not with the task: a chain of tasks that hold each other as
    // parameters would be destroyed by recursion.
    T finish() {
        const task ended(std::move(*this));
        promise_type& child = ended.handle_.promise();
        if (child.scope == nullptr) throw task_cancelled{};  // refused by start()
        if (child.error) std::rethrow_exception(std::move(child.error));
        return child.take();
    }

    // finish() for who wants to have what was thrown, not to have it thrown.
    std::exception_ptr finish_with_error() {
        const task ended(std::move(*this));
        promise_type& child = ended.handle_.promise();
        if (child.scope == nullptr) return std::make_exception_ptr(task_cancelled{});
        return std::move(child.error);
    }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {
        static_assert(detail::fits_a_frame<promise_type>,
                      "anel: the result of a task is aligned to two pointers at most");
    }

    std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}
template <class T>
task<T&> promise<T&>::get_return_object() noexcept {
    return task<T&>(std::coroutine_handle<promise>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

/// Awaits a task and gives what it threw; null when nothing. Each throw costs a microsecond or two.
template <class T>
class error_of {
public:
    explicit error_of(task<T> inner) noexcept : inner_(std::move(inner)) {}
    bool start(cancel_scope& scope, frame& caller) { return inner_.start(scope, caller); }
    std::exception_ptr finish() { return inner_.finish_with_error(); }

private:
    task<T> inner_;
};

}  // namespace detail
}  // namespace anel
