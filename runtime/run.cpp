// run.cpp: the outermost coroutine: runs the root task, and beside it what receives signals.
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>

#include <anel/error.hpp>

#include "runtime/signal_hub.hpp"

#include <exception>
#include <ostream>

namespace anel {
namespace {

/// The task, and beside it the one that receives signals.
task<> root_and_signals(task<> root, cancel_scope& scope, signal_hub& signals, bool stop_signals) {
    frame& self = co_await detail::this_frame();
    scope.open(*self.scope);
    task_group beside(*self.scope, cancel_scope::shield::no);
    signals.attach(beside, scope);
    std::exception_ptr error;
    try {
        const int failed = stop_signals ? -signals.watch_stop_signals() : 0;
        if (failed != 0) throw_errno(failed, "signal", "SIGINT and SIGTERM");
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
    turning.set_spin(options.spin);
    signal_hub signals;
    turning.set_signals(&signals);

    cancel_scope outer;
    cancel_scope scope;
    outer.open(turning);
    outermost::promise_type& first =
        *await_in_loop(root_and_signals(std::move(root), scope, signals, options.signals)).promise;
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
