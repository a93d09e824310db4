// deadlock.cpp: a loop that knows that nothing can come says so.
// SPDX-License-Identifier: MIT
#include "runtime/start/deadlock.hpp"

#include "runtime/core/listing.hpp"
#include "runtime/system/system.hpp"

#include <anel/error.hpp>

#include <cerrno>
#include <string>

namespace anel::detail {

deadlock_watch::deadlock_watch(loop& of, const signal_hub& signals, cancel_scope& root,
                               deadlock_action action) noexcept
    : stuck_listener{[](stuck_listener& self) noexcept {
                         return static_cast<deadlock_watch&>(self).stuck();
                     },
                     signals.in_flight()},
      signals_(signals),
      root_(root),
      action_(action) {
    if (action != deadlock_action::ignore) of.tell_when_stuck(this);
}

bool deadlock_watch::stuck() noexcept {
    loop& of = root_.owner();
    if (!root_.waiting() && !root_.first_child()) return false;  // the tasks have ended
    if (signals_.is_awaited()) return false;
    if (found_ && action_ == deadlock_action::report) return false;
    if (found_) rule_broken("deadlock of shielded tasks, which nothing can cancel", nullptr);
    found_ = true;
    const bool by_signal = signals_.can_be_stopped();
    print_error(
        listing_of(of, by_signal ? ": none can go on unless a signal comes" : ": none can go on"));
    if (action_ == deadlock_action::fail) root_.cancel();
    return true;
}

void deadlock_watch::rethrow() const {
    if (found_ && action_ == deadlock_action::fail)
        throw_errno(EDEADLK, "run", "(every task waits for another one)");
}

}  // namespace anel::detail
