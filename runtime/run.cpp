// run.cpp: the outermost coroutine: runs the root task, and cancels it at SIGINT or SIGTERM.
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>

#include <anel/io.hpp>

#include "runtime/signals.hpp"

#include <cstddef>
#include <exception>
#include <ostream>

namespace anel {
namespace {

/// One recv on the signal socket.
class signal_wait : public io<signal_wait> {
public:
    signal_wait(int descriptor, std::byte& byte) noexcept
        : io(opcode::recv, descriptor, &byte, 1) {}
    void value() const noexcept {}
    [[noreturn]] static void raise(std::error_code error) { throw io_error(error, "signal", {}); }
};

// However the wait ends, the signals have their usual effect from then on.
spawned::handle_type cancel_at_signal(signal_watch& signals, cancel_scope& root) {
    struct guard {
        signal_watch& watch;
        ~guard() { watch.restore(); }
    } on_exit{signals};
    std::byte number{};
    signal_wait arrival(signals.descriptor(), number);
    co_await arrival;
    root.cancel();
}

/// The task, and beside it the wait for a signal.
task<> root_and_signals(task<> root, cancel_scope& scope, signal_watch& signals) {
    frame& self = co_await detail::this_frame();
    scope.open(*self.scope);
    task_group beside(*self.scope, cancel_scope::shield::no);
    if (signals.descriptor() >= 0) {
        beside.adopt(cancel_at_signal(signals, scope));
    }
    std::exception_ptr error;
    try {
        auto inside = detail::in_scope(scope, std::move(root));
        co_await inside;
    } catch (...) {
        error = std::current_exception();
    }
    beside.cancel();
    co_await beside.join();
    scope.close();
    if (error) std::rethrow_exception(error);
    beside.rethrow();
}

/// What the outermost task returns to: not a coroutine of the library, so that its end is seen.
struct outermost {
    struct promise_type : frame {
        bool ended = false;
        std::exception_ptr error;

        outermost get_return_object() noexcept {
            handle = std::coroutine_handle<promise_type>::from_promise(*this);
            return outermost{this};
        }
        static std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept {
            ended = true;
            return {};
        }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { error = std::current_exception(); }
        template <class A>
        auto await_transform(A&& inner) noexcept {
            return detail::adapted<std::remove_reference_t<A>>(inner);
        }
    };
    promise_type* promise;
};

outermost await_in_loop(task<> work) { co_await work; }

}  // namespace

std::ostream& operator<<(std::ostream& out, const backend_report& report) {
    out << '(' << report.name << ')';
    if (!report.reason.empty()) out << " because " << report.reason;
    return out;
}

bool detail::run_root(task<> root, const run_options& options) {
    loop turning(make_backend(options.backend));
    signal_watch signals(options.signals);

    cancel_scope outer;
    cancel_scope scope;
    outer.open(turning);
    outermost::promise_type& first =
        *await_in_loop(root_and_signals(std::move(root), scope, signals)).promise;
    first.scope = &outer;
    outer.turn.waiter = &first;
    turning.ready(outer.turn);
    turning.run_until(first.ended);

    const std::exception_ptr error = first.error;
    first.handle.destroy();
    if (!error) return true;
    try {
        std::rethrow_exception(error);
    } catch (const task_cancelled&) {
        return false;
    }
}

}  // namespace anel
