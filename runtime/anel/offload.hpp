// offload.hpp: runs a blocking call on a helper thread while the loop goes on.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/io.hpp>
#include <anel/stop_request.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>

namespace anel {
namespace detail {

struct unstoppable {};

template <class Function>
class offload_wait : public io<offload_wait<Function>> {
    using base = io<offload_wait<Function>>;
    static constexpr bool stoppable = std::is_invocable_v<Function&, const stop_request&>;
    using stop_type = std::conditional_t<stoppable, stop_request, unstoppable>;
    using returned =
        typename std::conditional_t<stoppable, std::invoke_result<Function&, const stop_request&>,
                                    std::invoke_result<Function&>>::type;

public:
    explicit offload_wait(Function function)
        : base(opcode::call, -1), function_(std::move(function)) {}

    void prepare(const frame&) noexcept {
        call_.run = &offload_wait::run;
        if constexpr (stoppable) call_.stop = &offload_wait::stop;
        call_.self = this;
        this->data = static_cast<helper_call*>(&call_);
    }
    returned value() {
        if (error_) std::rethrow_exception(std::move(error_));
        if constexpr (!std::is_void_v<returned>) return static_cast<returned&&>(*value_);
    }
    io_error describe(std::error_code error) { return io_error(error, "offload", {}); }

private:
    struct call_type : helper_call {
        offload_wait* self = nullptr;
    };

    static void stop(helper_call& running) noexcept {
        static_cast<call_type&>(running).self->stop_.request();
    }

    static void run(helper_call& running) noexcept {
        offload_wait& self = *static_cast<call_type&>(running).self;
        try {
            if constexpr (std::is_void_v<returned>) {
                self.call_function();
            } else {
                self.value_.emplace(self.call_function());
            }
        } catch (...) {
            self.error_ = std::current_exception();
        }
    }

    returned call_function() {
        if constexpr (stoppable) return function_(static_cast<const stop_request&>(stop_));
        else return function_();
    }

    Function function_;
    [[no_unique_address]] stop_type stop_;
    call_type call_;
    std::optional<kept_t<returned>> value_;
    std::exception_ptr error_;
};

}  // namespace detail

/// Runs `function()`, or `function(stop)` when it takes a `const stop_request&`, on a helper thread
/// and waits for it.
/// Returns  what it returns, also when that comes after a cancel or a timeout.
/// Errors   what it throws; EAGAIN when 256 calls are queued already; task_cancelled.
/// Thread   `function` runs on another thread, one of backend_options::helper_threads, with the
///          signal mask of this one. A cancel takes it out of the queue. Once it runs, the co_await
///          waits for its end, however long, because it may use the caller's variables; so does a
///          with_timeout around it, and a server that drains. Let a call that may take long look at
///          `stop.stop_requested()`, or be interrupted by a when_stopped, and then throw
///          task_cancelled: the with_timeout ends with ETIMEDOUT at once.
template <class Function>
[[nodiscard("co_await it")]] auto offload(Function&& function) {
    using stored = std::decay_t<Function>;
    static_assert(
        std::is_lvalue_reference_v<Function> || std::is_trivially_destructible_v<stored>,
        "anel: offload() of a temporary lambda that owns what it captured: g++ 12 destroys "
        "it twice. Capture by reference ([&]): the co_await outlives the call. Or name the "
        "lambda first.");
    return detail::offload_wait<stored>(std::forward<Function>(function));
}

}  // namespace anel
