// sleep.cpp: waits that end by a timer.
// SPDX-License-Identifier: MIT
#include <anel/sleep.hpp>

#include "runtime/core/ages.hpp"

namespace anel::detail {

const wait_kind sleep_wait::kind_{"sleep", &sleep_wait::on_cancel, &sleep_wait::describe};

void sleep_wait::describe(const suspension& wait, std::string& text) {
    const auto& self = static_cast<const sleep_wait&>(wait);
    const time_point now = self.wait_scope->owner().now();
    if (self.deadline() == never || self.deadline() <= now) return;
    text += " (";
    append_age(text, self.deadline() - now);
    text += " left)";
}

bool sleep_wait::start(cancel_scope& scope, frame& caller) noexcept {
    if (!scope.begin_wait(*this, caller, kind_)) return false;
    loop& owner = scope.owner();
    scope.waits_since(owner.turn_began());
    owner.start(static_cast<timer&>(*this), absolute_ ? deadline_ : after(owner.now(), wait_));
    return true;
}

void sleep_wait::finish() {
    if (wait_scope) wait_scope->end_wait(*this);
    if (!fired_) throw task_cancelled{};
}

void sleep_wait::on_fire(timer& item) noexcept {
    auto& self = static_cast<sleep_wait&>(item);
    self.fired_ = true;
    self.wait_scope->owner().ready(self);
}

void sleep_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<sleep_wait&>(wait);
    if (!self.armed()) return;  // it has fired: the sleep is over, and that stands
    self.wait_scope->owner().cancel(static_cast<timer&>(self));
    self.wait_scope->owner().ready(self);
}

}  // namespace anel::detail
