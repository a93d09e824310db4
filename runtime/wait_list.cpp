// wait_list.cpp: waiting, granting, and leaving early.
// SPDX-License-Identifier: MIT
#include <anel/wait_list.hpp>

namespace anel::detail {

list_wait& wait_list::grant_first() noexcept {
    list_wait& item = first();
    unlink(item);
    item.granted_ = true;
    item.scope->owner().ready(item);
    return item;
}

bool list_wait::wait_or_take_turns(wait_list& list, bool at_once, cancel_scope& in, frame& who,
                                   const wait_kind& what) noexcept {
    if (!in.begin_wait(*this, who, what)) return false;
    granted_ = at_once;
    // Granted, but this turn's share is used up: others first.
    if (at_once) in.owner().ready(*this);
    else list.link(*this);
    return true;
}

void list_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<list_wait&>(wait);
    if (!self.list_) return;  // granted before the cancel: that stands
    self.list_->unlink(self);
    self.scope->owner().ready(self);
}

}  // namespace anel::detail
