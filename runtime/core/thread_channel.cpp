// thread_channel.cpp: waiters of several loops: granting across threads, leaving early.
// SPDX-License-Identifier: MIT
#include <anel/error.hpp>
#include <anel/thread_channel.hpp>

#include <utility>

namespace anel::detail {

void thread_wait_list::grant_first() noexcept {
    thread_wait& item = first();
    unlink(item);
    item.granted_ = true;
    // Once posted the waiter may be gone, and its loop too: the mailbox is kept until post() ended.
    const std::shared_ptr<mailbox> to = std::move(item.mailbox_);
    post_to(*to, &item);
}

bool thread_wait::wait_in(thread_wait_list& list, bool at_once, cancel_scope& scope, frame& caller,
                          const wait_kind& what) {
    if (!at_once) mailbox_ = scope.owner().mailbox();  // may throw: before anything is recorded
    if (!scope.begin_wait(*this, caller, what)) return false;
    scope.waits_since(scope.owner().turn_began());
    granted_ = at_once;
    if (at_once) {
        if (scope.owner().may_go_on()) return false;
        scope.owner().ready(*this);
        return true;
    }
    take = [](posted* self, bool run) noexcept {
        auto& wait = *static_cast<thread_wait*>(self);
        if (run) wait.wait_scope->owner().ready(wait);
    };
    lock_ = &list.lock();
    list.link(*this);
    return true;
}

void thread_wait::settle() {
    if (wait_scope) wait_scope->end_wait(*this);
    if (!granted_) throw task_cancelled{};
}

void thread_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<thread_wait&>(wait);
    if (!self.lock_) return;  // it did not have to wait, and is in the ready queue
    const std::lock_guard held(*self.lock_);
    if (!self.list_) return;  // granted before the cancel: that stands, and is on its way
    self.list_->unlink(self);
    self.wait_scope->owner().ready(self);
}

}  // namespace anel::detail
