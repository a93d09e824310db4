// root_run.hpp: a loop, its root task and what goes with it: what run() and embedded_loop turn.
//
// Knows: the choice of a backend, signals, the watch and the record. Must not know: who makes the
// turns.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/core/root_task.hpp"
#include "runtime/start/deadlock.hpp"
#include "runtime/start/signal_hub.hpp"
#include "runtime/start/watch.hpp"

#include <anel/run.hpp>

#include <optional>

namespace anel::detail {

class root_run {
public:
    /// Errors  what make_backend() throws; io_error for a record that cannot be written, and for
    ///         what a watch needs.
    root_run(task<> root, const run_options& options, has_host hosted = has_host::no);
    root_run(const root_run&) = delete;
    root_run& operator=(const root_run&) = delete;

    [[nodiscard]] loop& turning() noexcept { return turning_; }
    [[nodiscard]] const bool& ended() const noexcept { return first_->ended(); }
    /// As a signal does, but that it counts as none. The task may not have begun.
    void cancel() noexcept { (scope_.parent() ? scope_ : first_->scope()).cancel(); }
    /// To be called once it has ended: writes the record. Returns 0, or the signal that cut it
    /// short. Errors: what the task has thrown; io_error.
    int conclude();

private:
    loop turning_;
    signal_hub signals_;
    cancel_scope scope_;
    deadlock_watch deadlocks_;
    std::optional<loop_watch> watching_;
    std::optional<root_task> first_;
};

}  // namespace anel::detail
