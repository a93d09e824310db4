// sleep.cpp: waits that end by a timer.
// SPDX-License-Identifier: MIT
#include <anel/sleep.hpp>

namespace anel::detail {

const wait_kind sleep_wait::kind_{"sleep", &sleep_wait::on_cancel};

bool sleep_wait::start(cancel_scope& in, frame& who) noexcept {
    if (!in.begin_wait(*this, who, kind_)) return false;
    loop& owner = in.owner();
    owner.start(static_cast<timer&>(*this), absolute_ ? deadline_ : after(owner.now(), wait_));
    return true;
}

void sleep_wait::finish() {
    if (scope) scope->end_wait(*this);
    if (!fired_) throw task_cancelled{};
}

void sleep_wait::on_fire(timer& item) noexcept {
    auto& self = static_cast<sleep_wait&>(item);
    self.fired_ = true;
    self.scope->owner().ready(self);
}

void sleep_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<sleep_wait&>(wait);
    if (!self.armed()) return;  // it has fired: the sleep is over, and that stands
    self.scope->owner().cancel(static_cast<timer&>(self));
    self.scope->owner().ready(self);
}

}  // namespace anel::detail
