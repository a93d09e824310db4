// run.hpp: from main() to the first task: makes a backend and a loop, and runs a task to its end.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>
#include <anel/task.hpp>
#include <anel/task_group.hpp>
#include <anel/version.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace anel {

/// What becomes of a loop whose tasks all wait for each other, so that none of them can go on. The
/// loop notices it when nothing is in flight, no timer is armed, and no other thread can wake it.
/// That SIGINT or SIGTERM may come does not count, but a task does that waits for a signal.
enum class deadlock_action : std::uint8_t {
    ignore,
    report,  ///< the tasks are printed to the standard error, once
    fail,    ///< that, and the tasks are cancelled: run() throws io_error with EDEADLK
};

/// A task that keeps its loop from doing anything else: see run_options::stall_after.
struct stall {
    std::string places;               ///< `chat.cpp:31 <- chat.cpp:57`: the co_await since which
    std::chrono::nanoseconds lasted;  ///< until now, and it goes on
    std::string stack;                ///< the calls of the thread, a line each; empty: not known
};

/// How run() runs a task.
struct run_options {
    backend_options backend{};
    /// SIGINT and SIGTERM cancel the task; a second one has its usual effect and ends the process.
    bool signals = true;
    /// When a signal cut the task short, run() returns 128 plus its number, as a shell does for a
    /// program that a signal ended: for jobs that are not done then. Off, it is the good end of a
    /// server, and run() returns 0.
    bool signal_exit_code = false;
    /// At this signal, SIGUSR1 say, the program prints to the standard error what every task waits
    /// for, and since when: see current_tasks(). What nobody reads there is given up after 0.1 s.
    /// When a task does not give way, so that the loop cannot answer, it prints where that task is.
    /// 0: at none. EINVAL for SIGINT, SIGTERM and what is no signal that can be watched.
    /// Thread  blocked in the loop's own, so that it interrupts no task: raise() there is of no
    ///         effect, and a process that a task starts inherits that.
    /// Cost    a thread that sleeps, a look at the clock in each turn. SIGURG interrupts a loop
    ///         that does not answer: what waits in the system there may end with EINTR.
    int dump_on = 0;
    deadlock_action on_deadlock = deadlock_action::report;
    /// A task that has run for so long without giving way is told to `on_stall` while it runs, and
    /// again when it has taken ten times as long. 10 ms is a good value; zero: nobody looks.
    /// Cost  a thread that wakes twice in this time. SIGURG interrupts the thread that is told of.
    std::chrono::nanoseconds stall_after{0};
    /// Called on a thread that watches, one for each loop, where every signal is blocked. It must
    /// not throw. Empty: prints to the standard error, a line and the stack, once a second at most.
    std::function<void(const stall&)> on_stall{};
    /// Records what happens, and writes it to this file when the run ends, and at the signal
    /// `dump_on`; empty: to the one that ANEL_TRACE names in the environment, if any. The last
    /// 65,536 events are kept. `anel-trace` draws it.
    /// Errors  io_error when the file cannot be written: before the first task begins, or from
    ///         run() at its end unless the tasks have thrown.
    /// Cost    3 MiB, and some 25 ns an event, of which an echo has twelve.
    std::string trace{};
    /// Looks for work for so long before sleeping: replies come some 30 us earlier, for a processor
    /// that is never idle. Where it does not pay it is tried rarely; while `trace` records, never.
    /// 50 us is a good value.
    std::chrono::nanoseconds spin{0};
};

namespace detail {
/// Runs `root`, whose error is rethrown. Returns 0, or the signal that cut it short.
int run_root(task<> root, const run_options& options, version_here);

template <class T>
task<> keep_result(task<T> inner, std::optional<kept_t<T>>& result) {
    result.emplace(co_await inner);
}
}  // namespace detail

/// Runs `root` on this thread until it has ended.
/// Returns  what `root` returns; 0 for task<>. When a signal cut it short: see signal_exit_code.
/// Errors   what `root` throws; what make_backend() throws; task_cancelled when a signal cut short
///          a task that has a result other than int.
/// Thread   one loop per thread; several threads may each run one.
template <class T>
std::conditional_t<std::is_void_v<T>, int, T> run(task<T> root, const run_options& options = {}) {
    const auto code_of = [&](int signal) {
        return signal != 0 && options.signal_exit_code ? 128 + signal : 0;
    };
    if constexpr (std::is_void_v<T>) {
        return code_of(detail::run_root(std::move(root), options, {}));
    } else {
        std::optional<detail::kept_t<T>> result;
        const int signal =
            detail::run_root(detail::keep_result(std::move(root), result), options, {});
        if constexpr (std::is_same_v<T, int>) return result.value_or(code_of(signal));
        if (!result) throw task_cancelled{};
        return static_cast<T&&>(*result);
    }
}

template <class Function>
    requires(std::is_invocable_v<Function> || std::is_function_v<std::remove_pointer_t<Function>>)
int run(Function, const run_options& = {}) {
    static_assert(!std::is_object_v<Function>, "anel: write run(f()), not run(f)");
    return 1;
}

/// Which backend runs, and why not a better one.
struct backend_report {
    backend_kind kind;
    std::string_view name;  ///< "io_uring", "epoll", "poll" or "sim"
    std::string reason;     ///< "" when it was the first choice; else why the better one cannot run
};

/// Prints `(io_uring)`, or `(epoll) because ...`.
std::ostream& operator<<(std::ostream& out, const backend_report& report);

/// The backend of the loop that runs this task: `auto backend = co_await current_backend();`
class current_backend {
public:
    bool start(detail::cancel_scope& scope, detail::frame&) noexcept {
        backend_ = &scope.owner().backend();
        return false;
    }
    backend_report finish() const {
        return {backend_->kind(), name_of(backend_->kind()), backend_->reason()};
    }

private:
    detail::backend* backend_ = nullptr;
};

}  // namespace anel
