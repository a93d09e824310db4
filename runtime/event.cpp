// event.cpp: the list of waiters.
// SPDX-License-Identifier: MIT
#include <anel/event.hpp>
#include <anel/loop.hpp>

namespace anel {

const wait_kind event::wait_type::kind_{"event", &event::wait_type::on_cancel};

void event::set() noexcept {
    set_ = true;
    while (wait_type* first = first_) {
        unlink(*first);
        first->happened_ = true;
        first->scope->owner().ready(*first);
    }
}

void event::unlink(wait_type& item) noexcept {
    (item.previous_ ? item.previous_->following_ : first_) = item.following_;
    (item.following_ ? item.following_->previous_ : last_) = item.previous_;
}

bool event::wait_type::start(cancel_scope& in, frame& who) noexcept {
    if (!in.begin_wait(*this, who, kind_)) return false;
    if (source_.set_) {
        happened_ = true;
        return false;
    }
    previous_ = source_.last_;
    (previous_ ? previous_->following_ : source_.first_) = this;
    source_.last_ = this;
    return true;
}

void event::wait_type::finish() {
    if (scope) scope->end_wait(*this);
    if (!happened_) throw task_cancelled{};
}

void event::wait_type::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<wait_type&>(wait);
    if (self.happened_) return;  // set before the cancel: that stands
    self.source_.unlink(self);
    self.scope->owner().ready(self);
}

}  // namespace anel
