// error.hpp: how a failed operation is told: as an exception with the operation, the address and
// the errno's name in its text, or as a result<T> that does not throw.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace anel {

/// A failed operation. what() reads `bind 127.0.0.1:7777: Address already in use (EADDRINUSE)`.
class io_error final : public std::system_error {
public:
    /// `operation` is what failed, `subject` what it was done to: an address, a path, or nothing.
    io_error(std::error_code code, std::string_view operation, std::string_view subject);
    /// Operation, subject, reason and the name of the errno.
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
    std::string text_;
};

/// Thrown by an await in a cancelled scope. Not a std::exception on purpose: a handler for errors
/// must not swallow a shutdown. Where it leaves a task whose scope nobody cancelled, it is an error
/// like any other, and becomes an io_error with ECANCELED.
struct task_cancelled {};

/// Errors that are not an errno.
enum class errc : int {
    unexpected_eof = 1,  ///< the stream ended where bytes were still owed
    message_too_long,    ///< a line or a frame beyond its limit
    file_too_short,      ///< a file that ends before what was to be sent of it
    run_has_ended,       ///< a socket is used after the run() that made it; also a bad descriptor
};
/// The category of the errors in errc.
const std::error_category& anel_category() noexcept;
/// Makes an errc compare with, and convert to, a std::error_code.
std::error_code make_error_code(errc code) noexcept;

/// Errors of name resolution, EAI_ codes.
const std::error_category& name_category() noexcept;

/// The errno's name, "ECONNRESET"; empty when it is not known.
std::string_view errno_name(int code) noexcept;

namespace detail {
/// What an operation's result < 0 says.
std::error_code error_in(std::int32_t result) noexcept;

/// Throws an io_error for `code`, an errno value.
[[noreturn]] void throw_errno(int code, std::string_view operation, std::string_view subject);
[[noreturn]] void throw_timed_out(duration wait);
[[noreturn]] void throw_timed_out(time_point deadline);
}  // namespace detail

/// A value, or the error_code of what went wrong. When the value is an error_code itself, it is the
/// value that converts.
template <class T>
class [[nodiscard]] result {
public:
    /// A value.
    result(T value) : value_(std::forward<T>(value)) {}  // NOLINT: implicit on purpose
    /// A failure.
    result(std::error_code error) noexcept  // NOLINT: implicit on purpose
        requires(!std::is_same_v<T, std::error_code>)
        : error_(error) {}
    /// A failure, also where the value is an error_code.
    static result failure(std::error_code error) noexcept {
        result failed;
        failed.error_ = error;
        return failed;
    }

    /// Whether there is a value.
    explicit operator bool() const noexcept { return value_.has_value(); }
    /// What went wrong; empty when there is a value.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

    /// Returns the value. Errors: std::system_error when there is none.
    T& value() & { return check(), *value_; }
    T&& value() && { return check(), static_cast<T&&>(*value_); }
    /// The same as value().
    T& operator*() & { return value(); }
    /// A member of value().
    std::remove_reference_t<T>* operator->() { return &value(); }

private:
    result() noexcept = default;
    void check() const {
        if (!value_) throw std::system_error(error_);
    }
    std::optional<detail::kept_t<T>> value_;
    std::error_code error_;
};

template <>
class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(std::error_code error) noexcept : error_(error) {}  // NOLINT: implicit on purpose
    static result failure(std::error_code error) noexcept { return error; }

    explicit operator bool() const noexcept { return !error_; }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    void value() const {
        if (error_) throw std::system_error(error_);
    }

private:
    std::error_code error_;
};

namespace detail {

/// finish(), with a failure returned instead of thrown.
template <awaitable A>
result<awaited_t<A>> finish_as_result(A& inner) {
    using value_type = awaited_t<A>;
    if constexpr (requires { inner.try_finish(); }) {
        return inner.try_finish();  // an operation: no exception is made and caught
    } else {
        try {
            if constexpr (std::is_void_v<value_type>) {
                inner.finish();
                return {};
            } else {
                return inner.finish();
            }
        } catch (const std::system_error& error) {
            return result<value_type>::failure(error.code());
        }
    }
}

template <awaitable A>
class result_wait {
public:
    using value_type = awaited_t<A>;

    explicit result_wait(A inner) : inner_(std::move(inner)) {}
    bool start(cancel_scope& scope, frame& caller) { return inner_.start(scope, caller); }

    result<value_type> finish() { return finish_as_result(inner_); }

private:
    A inner_;
};

}  // namespace detail

/// Awaits `inner` and returns its failure instead of throwing it.
/// Errors  only task_cancelled, and what is not a std::system_error.
template <awaitable A>
[[nodiscard("co_await it")]] auto as_result(A inner) {
    return detail::result_wait<A>(std::move(inner));
}

}  // namespace anel

template <>
struct std::is_error_code_enum<anel::errc> : std::true_type {};
