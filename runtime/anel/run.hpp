// run.hpp: from main() to the first task: makes a backend and a loop, and runs a task to its end.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/backend.hpp>
#include <anel/task.hpp>
#include <anel/task_group.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace anel {

struct run_options {
    backend_options backend;
    /// SIGINT and SIGTERM cancel the task; a second one has its usual effect and ends the process.
    bool signals = true;
    /// Looks for work for so long before sleeping: replies come some 30 us earlier, for a processor
    /// that is never idle. Where it does not pay it is tried rarely. 50 us is a good value.
    std::chrono::nanoseconds spin{0};
};

namespace detail {
/// Runs `root`, whose error is rethrown. Returns false when it ended by task_cancelled.
bool run_root(task<> root, const run_options& options);

template <class T>
task<> keep_result(task<T> inner, std::optional<kept_t<T>>& result) {
    result.emplace(co_await inner);
}
}  // namespace detail

/// Runs `root` on this thread until it has ended.
/// Returns  what `root` returns; 0 for task<>, also after a signal ended it.
/// Errors   what `root` throws; what make_backend() throws; task_cancelled when a signal ended a
///          task that has a result other than int.
/// Thread   one loop per thread; several threads may each run one.
template <class T>
std::conditional_t<std::is_void_v<T>, int, T> run(task<T> root, const run_options& options = {}) {
    if constexpr (std::is_void_v<T>) {
        detail::run_root(std::move(root), options);
        return 0;
    } else {
        std::optional<detail::kept_t<T>> result;
        detail::run_root(detail::keep_result(std::move(root), result), options);
        if constexpr (std::is_same_v<T, int>) return result.value_or(0);
        if (!result) throw task_cancelled{};
        return static_cast<T&&>(*result);
    }
}

/// Which backend runs, and why not a better one.
struct backend_report {
    backend_kind kind;
    std::string_view name;  ///< "io_uring", "epoll", "poll" or "sim"
    std::string_view
        reason;  ///< "" when it was the first choice; else why the better one cannot run
};

/// Prints `(io_uring)`, or `(epoll) because ...`.
std::ostream& operator<<(std::ostream& out, const backend_report& report);

/// The backend of the loop that runs this task: `auto backend = co_await current_backend();`
class current_backend {
public:
    bool start(cancel_scope& scope, frame&) noexcept {
        waiter_ = &scope.owner().waiter();
        return false;
    }
    backend_report finish() const noexcept {
        return {waiter_->kind(), name_of(waiter_->kind()), waiter_->reason()};
    }

private:
    backend* waiter_ = nullptr;
};

}  // namespace anel
