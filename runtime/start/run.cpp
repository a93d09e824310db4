// run.cpp: the outermost coroutine: runs the root task, and beside it what receives signals.
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>

#include <anel/error.hpp>

#include "runtime/core/root_task.hpp"
#include "runtime/start/root_run.hpp"
#include "runtime/start/signal_hub.hpp"
#include "runtime/start/trace_file.hpp"
#include "runtime/start/watch.hpp"

#include <cerrno>
#include <exception>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

namespace anel {
using namespace detail;
namespace {

/// The task, and beside it the one that receives signals.
task<> root_and_signals(task<> root, cancel_scope& scope, signal_hub& signals, bool stop_signals,
                        loop_watch* watched_by) {
    frame& self = co_await detail::this_frame();
    scope.open(*self.scope);
    scope.owner().list(&scope);
    task_group beside(*self.scope, cancel_scope::shield::no);
    signals.attach(beside, scope);
    std::exception_ptr error;
    try {
        const int failed = stop_signals ? -signals.watch_stop_signals() : 0;
        if (failed != 0) throw_errno(failed, "signal", "SIGINT and SIGTERM");
        if (watched_by) {
            const int socket = signals.answer_with(*watched_by);
            if (socket < 0) throw_errno(-socket, "run", "(a socket for the watch)");
            watched_by->ask_through(socket);
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
    scope.owner().list(nullptr);
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

root_run::root_run(task<> root, const run_options& options, has_host hosted)
    : turning_(make_backend(options.backend, hosted)),
      deadlocks_(turning_, signals_, scope_, options.on_deadlock) {
    turning_.set_signals(&signals_);
    if (std::string path = trace_path(options.trace); !path.empty()) {
        turning_.keep_record(std::move(path));
        write_record(turning_);  // so that a file that cannot be written is known now
    }
    if (options.dump_on != 0) turning_.keep_ages();
    if (options.dump_on != 0 || options.stall_after > options.stall_after.zero())
        watching_.emplace(turning_, options);
    first_.emplace(turning_, root_and_signals(std::move(root), scope_, signals_, options.signals,
                                              watching_ ? &*watching_ : nullptr));
}

int root_run::conclude() {
    const std::exception_ptr error = first_->error();
    std::exception_ptr not_written;
    try {
        if (turning_.record()) write_record(turning_);
    } catch (...) {
        not_written = std::current_exception();
    }
    deadlocks_.rethrow();
    if (error && !is_cancel(error)) std::rethrow_exception(error);
    if (not_written) std::rethrow_exception(not_written);  // the program's own error comes first
    return error ? signals_.stopped_by() : 0;
}

int detail::run_root(task<> root, const run_options& options, version_here) {
    root_run running(std::move(root), options);
    running.turning().set_spin(options.spin);
    running.turning().run_until(running.ended());
    return running.conclude();
}

}  // namespace anel
