// mailbox.cpp: the queue between threads.
// SPDX-License-Identifier: MIT
#include "runtime/core/mailbox.hpp"

#include <utility>

namespace anel::detail {

bool mailbox::post(posted* call) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (backend_) {
            (first_ ? last_->next : first_) = call;
            last_ = call;
            filled_.store(true);
            // Under the lock: close() waits for it, so the backend is still there.
            if (sleeping_.load()) backend_->wake();
            return true;
        }
    }
    call->take(call, false);
    return false;
}

posted* mailbox::take() noexcept {
    if (!taken_ && filled_.load(std::memory_order_acquire)) {
        const std::lock_guard lock(mutex_);
        filled_.store(false, std::memory_order_relaxed);
        taken_ = std::exchange(first_, nullptr);
    }
    posted* oldest = taken_;
    if (oldest) taken_ = oldest->next;
    return oldest;
}

void mailbox::withdraw(posted& call) noexcept {
    for (posted** link = &taken_; *link; link = &(*link)->next) {
        if (*link != &call) continue;
        *link = call.next;
        return;
    }
    const std::lock_guard lock(mutex_);
    posted* previous = nullptr;
    for (posted* at = first_; at; previous = at, at = at->next) {
        if (at != &call) continue;
        (previous ? previous->next : first_) = at->next;
        if (last_ == at) last_ = previous;
        return;
    }
}

bool mailbox::may_sleep() noexcept {
    sleeping_.store(true);
    return !taken_ && !filled_.load();
}

void mailbox::close() noexcept {
    const std::lock_guard lock(mutex_);
    backend_ = nullptr;
}

void mailbox::discard_all() noexcept {
    while (posted* call = take()) call->take(call, false);
}

bool post_to(mailbox& box, posted* call) noexcept { return box.post(call); }
void withdraw_from(mailbox& box, posted& call) noexcept { box.withdraw(call); }

}  // namespace anel::detail
