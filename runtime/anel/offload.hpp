// offload.hpp: runs a blocking call on a helper thread while the loop goes on.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/io.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>

namespace anel {
namespace detail {

template <class Function>
class offload_wait : public io<offload_wait<Function>> {
    using base = io<offload_wait<Function>>;
    using returned = std::invoke_result_t<Function&>;

public:
    explicit offload_wait(Function function)
        : base(opcode::call, -1), function_(std::move(function)) {}

    bool start(cancel_scope& in, frame& who) noexcept {
        call_.run = &offload_wait::run;
        call_.self = this;
        this->data = static_cast<helper_call*>(&call_);
        return base::start(in, who);
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

    static void run(helper_call& call) noexcept {
        offload_wait& self = *static_cast<call_type&>(call).self;
        try {
            if constexpr (std::is_void_v<returned>) {
                self.function_();
            } else {
                self.value_.emplace(self.function_());
            }
        } catch (...) {
            self.error_ = std::current_exception();
        }
    }

    Function function_;
    call_type call_;
    std::optional<kept_t<returned>> value_;
    std::exception_ptr error_;
};

}  // namespace detail

/// Runs `function()` on a helper thread and waits for it.
/// Returns  what it returns.
/// Errors   what it throws; EAGAIN when 256 calls are queued already; task_cancelled.
/// Thread   `function` runs on another thread. A cancel takes it out of the queue; once it runs,
///          the co_await waits for its end, because it may use the caller's variables.
template <class Function>
[[nodiscard]] auto offload(Function&& function) {
    using stored = std::decay_t<Function>;
    static_assert(
        std::is_lvalue_reference_v<Function> || std::is_trivially_destructible_v<stored>,
        "anel: offload() of a temporary lambda that owns what it captured: g++ 12 destroys "
        "it twice. Capture by reference ([&]): the co_await outlives the call. Or name the "
        "lambda first.");
    return detail::offload_wait<stored>(std::forward<Function>(function));
}

}  // namespace anel
