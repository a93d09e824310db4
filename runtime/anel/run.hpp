// run.hpp: from main() to the first task: makes a backend and a loop, and runs a task to its end.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>
#include <anel/task.hpp>
#include <anel/task_group.hpp>
#include <anel/version.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace anel {

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
    /// 0: at none. EINVAL for SIGINT, SIGTERM and what is no signal that can be watched. A task of
    /// the program's own is told of it too, but not of one that came while it did not wait.
    int dump_on = 0;
    /// Looks for work for so long before sleeping: replies come some 30 us earlier, for a processor
    /// that is never idle. Where it does not pay it is tried rarely. 50 us is a good value.
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
