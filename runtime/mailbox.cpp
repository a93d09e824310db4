// mailbox.cpp: the queue between threads.
// SPDX-License-Identifier: MIT
#include "runtime/mailbox.hpp"

#include <utility>

namespace anel {

bool mailbox::post(detail::posted* call) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (waiter_) {
            (first_ ? last_->next : first_) = call;
            last_ = call;
            filled_.store(true);
            // Under the lock: close() waits for it, so the backend is still there.
            if (sleeping_.load()) waiter_->wake();
            return true;
        }
    }
    call->take(call, false);
    return false;
}

detail::posted* mailbox::take() noexcept {
    if (!filled_.load(std::memory_order_acquire)) return nullptr;
    const std::lock_guard lock(mutex_);
    filled_.store(false, std::memory_order_relaxed);
    return std::exchange(first_, nullptr);
}

void mailbox::withdraw(detail::posted& call) noexcept {
    const std::lock_guard lock(mutex_);
    detail::posted* previous = nullptr;
    for (detail::posted* at = first_; at; previous = at, at = at->next) {
        if (at != &call) continue;
        (previous ? previous->next : first_) = at->next;
        if (last_ == at) last_ = previous;
        return;
    }
}

bool mailbox::may_sleep() noexcept {
    sleeping_.store(true);
    return !filled_.load();
}

void mailbox::close() noexcept {
    const std::lock_guard lock(mutex_);
    waiter_ = nullptr;
}

void mailbox::discard(detail::posted* list) noexcept {
    while (list) {
        detail::posted* next = list->next;
        list->take(list, false);
        list = next;
    }
}

bool detail::post_to(mailbox& box, posted* call) noexcept { return box.post(call); }
void detail::withdraw_from(mailbox& box, posted& call) noexcept { box.withdraw(call); }

}  // namespace anel
