// generator.hpp: async_generator<T>, a coroutine that gives one value after the other and may wait
// in between.
//
//     async_generator<std::string> lines(tcp_stream& from);
//     while (auto line = co_await source.next()) …
//
// It runs only while somebody awaits next(), and in that one's scope: a cancel reaches into its
// waits, and between two values it waits for nothing. So it can be dropped at any yield, and
// nothing goes on.
//
// Knows: frames and the loop's transfer(). Must not know: operations, backends.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace anel {

/// A sequence of `T`, made while it is read. Lazy, move-only; one task reads it at a time. `T` may
/// be a reference: next() then gives a pointer to each, and null at the end.
/// Lifetime a coroutine's reference parameters must outlive the generator.
/// Cost     one frame, recycled; no allocation per value.
template <class T>
class [[nodiscard]] async_generator {
public:
    class promise_type;
    class next_wait;
    using item =
        std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, std::optional<T>>;

    async_generator(async_generator&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)) {}
    async_generator& operator=(async_generator&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~async_generator() {
        if (!handle_) return;
        ANEL_ASSERT(handle_.promise().awaiter == nullptr);  // somebody waits in next()
        handle_.destroy();
    }

    /// Waits for the next value.
    /// Returns  an optional, or a pointer: empty at the end of the sequence, also when asked again.
    /// Errors   what the coroutine throws, which ends the sequence; task_cancelled, which ends it
    ///          as well when the coroutine was waiting for something.
    [[nodiscard("co_await it")]] next_wait next() noexcept { return next_wait(handle_); }

private:
    explicit async_generator(std::coroutine_handle<promise_type> handle) noexcept
        : handle_(handle) {
        static_assert(detail::fits_a_frame<promise_type>,
                      "anel: what a generator yields is aligned to two pointers at most");
    }

    std::coroutine_handle<promise_type> handle_;
};

template <class T>
class async_generator<T>::promise_type : public detail::task_promise {
public:
    async_generator get_return_object() noexcept {
        return async_generator(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    void return_void() noexcept {}

    /// At a co_yield, as at the end, whoever awaits next() runs next.
    template <class U = T>
    detail::task_promise::final_awaiter yield_value(U&& given) {
        if constexpr (std::is_reference_v<T>) {
            static_assert(std::is_lvalue_reference_v<U>, "anel: co_yield of a temporary");
            value = &given;
        } else {
            value.emplace(std::forward<U>(given));
        }
        return {};
    }

    item value{};
};

template <class T>
class async_generator<T>::next_wait {
public:
    explicit next_wait(std::coroutine_handle<promise_type> source) noexcept : source_(source) {}

    bool start(detail::cancel_scope& scope, detail::frame& caller) {
        if (!source_) detail::rule_broken("next() of a generator that was moved from", &caller);
        promise_type& from = source_.promise();
        if (from.awaiter) {
            detail::rule_broken("two tasks read one generator at the same time", &caller,
                                from.awaiter);
        }
        refused_ = scope.cancelled();
        if (refused_ || source_.done()) return false;
        from.scope = &scope;
        from.awaiter = &caller;
        scope.owner().transfer(from, scope);
        return true;
    }

    item finish() {
        if (refused_) throw task_cancelled{};
        promise_type& from = source_.promise();
        from.awaiter = nullptr;
        if (from.error) std::rethrow_exception(std::exchange(from.error, nullptr));
        item next = std::move(from.value);
        if constexpr (std::is_reference_v<T>) from.value = nullptr;
        else from.value.reset();
        return next;
    }

private:
    std::coroutine_handle<promise_type> source_;
    bool refused_ = false;
};

}  // namespace anel
