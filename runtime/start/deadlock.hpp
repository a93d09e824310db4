// deadlock.hpp: what is done when no task of a loop can go on any more.
//
// Knows: the loop, its signals and the root of its tasks.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/start/signal_hub.hpp"

#include <anel/detail/loop.hpp>
#include <anel/run.hpp>

namespace anel::detail {

/// Told by the loop before each sleep without an end.
class deadlock_watch : private stuck_listener {
public:
    deadlock_watch(loop& of, const signal_hub& signals, cancel_scope& root,
                   deadlock_action action) noexcept;
    deadlock_watch(const deadlock_watch&) = delete;
    deadlock_watch& operator=(const deadlock_watch&) = delete;

    /// Throws what a run that deadlock_action::fail has ended throws.
    void rethrow() const;

private:
    bool stuck() noexcept;

    const signal_hub& signals_;
    cancel_scope& root_;
    const deadlock_action action_;
    bool found_ = false;
};

}  // namespace anel::detail
