// signal.hpp: signal_received: waits for a signal of the process.
//
// Knows: wait lists. Must not know: handlers; the loop's signal_hub does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/wait_list.hpp>

namespace anel {
namespace detail {

class signal_wait : public list_wait {
public:
    explicit signal_wait(int number) noexcept : number_(number) {}
    bool start(cancel_scope& scope, frame& caller);
    void finish();

private:
    int number_;
    int error_ = 0;  // an errno value: the signal cannot be watched
};

}  // namespace detail

/// Waits until the process gets signal `number`: `co_await signal_received(SIGHUP);`
///
/// From the first call on until run() ends, the signal does nothing else: one that arrives while
/// nobody waits ends the next wait at once; several of the same kind count as one, as they do for
/// the system. With SIGINT or SIGTERM the program takes over what this run() does otherwise: they
/// no longer cancel its root task. At the end of the last run() that watches it the former
/// disposition is back.
/// Errors  io_error with EINVAL for a number that cannot be caught (SIGKILL, say), EOPNOTSUPP
///         outside of run(); task_cancelled.
/// Thread  the signal may come on any; every task that waits for it is told, in every loop. A child
///         of fork() is not told of its parent's signals, nor the parent of the child's.
[[nodiscard("co_await it")]] inline detail::signal_wait signal_received(int number) noexcept {
    return detail::signal_wait(number);
}

}  // namespace anel
