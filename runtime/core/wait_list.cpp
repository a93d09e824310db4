// wait_list.cpp: leaving a list early.
// SPDX-License-Identifier: MIT
#include <anel/detail/wait_list.hpp>

namespace anel::detail {

void list_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<list_wait&>(wait);
    if (!self.list_) return;  // granted before the cancel: that stands
    self.list_->unlink(self);
    self.wait_scope->owner().ready(self);
}

}  // namespace anel::detail
