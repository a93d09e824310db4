// run.cpp: the outermost coroutine: runs the root task, and beside it what receives signals and
// what prints the tasks.
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>

#include <anel/error.hpp>
#include <anel/signal.hpp>
#include <anel/task_tree.hpp>

#include "runtime/core/root_task.hpp"
#include "runtime/start/signal_hub.hpp"
#include "runtime/system/system.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <ostream>
#include <string>

namespace anel {
using namespace detail;
namespace {

void dump(const cancel_scope& scope) noexcept {
    try {
        std::string text = "tasks of a loop on ";
        text.append(name_of(scope.owner().backend().kind())).append(":\n");
        print_error(text += detail::task_tree(scope));
    } catch (const std::exception&) {
        print_error("no memory to list the tasks in\n");
    }
}

/// Prints the tasks of this loop whenever signal `number` comes.
spawned::handle_type dump_at(int number, const cancel_scope& scope) {
    for (;;) {
        co_await signal_received(number);
        dump(scope);
    }
}

/// What dump_on asks for, from before the first task on.
void watch_for_dump(signal_hub& signals, int number) {
    const bool stops = number == SIGINT || number == SIGTERM;
    const int failed = stops ? -EINVAL : signals.watch(number);
    if (failed < 0) throw_errno(-failed, "signal", "dump_on " + std::to_string(number));
}

/// The task, and beside it the one that receives signals.
task<> root_and_signals(task<> root, cancel_scope& scope, signal_hub& signals, bool stop_signals,
                        int dump_on) {
    frame& self = co_await detail::this_frame();
    scope.open(*self.scope);
    task_group beside(*self.scope, cancel_scope::shield::no);
    signals.attach(beside, scope);
    std::exception_ptr error;
    try {
        const int failed = stop_signals ? -signals.watch_stop_signals() : 0;
        if (failed != 0) throw_errno(failed, "signal", "SIGINT and SIGTERM");
        if (dump_on != 0) {
            watch_for_dump(signals, dump_on);
            beside.adopt(dump_at(dump_on, scope));
        }
        auto inside = detail::in_scope(scope, std::move(root));
        co_await inside;
    } catch (const task_cancelled&) {
        error = scope.cancelled() ? std::current_exception() : detail::stray_cancel();
    } catch (...) {
        error = std::current_exception();
    }
    beside.cancel();
    co_await beside.join();
    scope.close();
    if (error) std::rethrow_exception(error);
    beside.rethrow();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const backend_report& report) {
    out << '(' << report.name << ')';
    if (!report.reason.empty()) out << " because " << report.reason;
    return out;
}

int detail::run_root(task<> root, const run_options& options, version_here) {
    loop turning(make_backend(options.backend));
    turning.set_spin(options.spin);
    signal_hub signals;
    turning.set_signals(&signals);

    cancel_scope scope;
    if (options.dump_on != 0) turning.keep_ages();
    root_task first(turning, root_and_signals(std::move(root), scope, signals, options.signals,
                                              options.dump_on));
    turning.run_until(first.ended());

    const std::exception_ptr error = first.error();
    if (error && !is_cancel(error)) std::rethrow_exception(error);
    return error ? signals.stopped_by() : 0;
}

}  // namespace anel
