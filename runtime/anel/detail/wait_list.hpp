// wait_list.hpp: tasks of one loop that wait for the same thing, first come first served.
//
// What event, mutex, semaphore and channel have in common: a waiter lives in its awaiter, so
// waiting allocates nothing; a cancelled one leaves the list in constant time; one that was granted
// what it waited for has it, also when it is cancelled in the same turn.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

namespace anel::detail {

/// Awaiters linked through themselves, the one that waits longest first. Owns nothing.
template <class Wait>
class waiter_list {
public:
    waiter_list() noexcept = default;
    waiter_list(const waiter_list&) = delete;
    waiter_list& operator=(const waiter_list&) = delete;
    ~waiter_list() {
        if (first_) {
            rule_broken("an event, mutex, semaphore or channel is destroyed while a task waits for "
                        "it",
                        nullptr, static_cast<const suspension*>(first_)->waiter);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    /// The one that waits longest; the list must not be empty.
    [[nodiscard]] Wait& first() const noexcept { return *first_; }

    void link(Wait& item) noexcept {
        item.list_ = this;
        item.previous_ = last_;
        (last_ ? last_->following_ : first_) = &item;
        last_ = &item;
    }
    void unlink(Wait& item) noexcept {
        (item.previous_ ? item.previous_->following_ : first_) = item.following_;
        (item.following_ ? item.following_->previous_ : last_) = item.previous_;
        item.list_ = nullptr;
    }

private:
    Wait* first_ = nullptr;
    Wait* last_ = nullptr;
};

class list_wait;

class wait_list : public waiter_list<list_wait> {
public:
    /// Takes the one that waits longest out and lets it run.
    list_wait& grant_first() noexcept;
};

/// Base of an awaitable that waits in a list.
class list_wait : public suspension {
public:
    list_wait() noexcept = default;
    list_wait(list_wait&& other) noexcept : suspension() { ANEL_ASSERT(!other.wait_scope); }

protected:
    /// Begins to wait in `list`, unless `at_once`. Returns what start() returns.
    bool wait_in(wait_list& list, bool at_once, cancel_scope& scope, frame& caller,
                 const wait_kind& what) noexcept {
        // The usual case: nothing to wait for, and nobody needs to know of a wait.
        granted_ = at_once && !scope.cancelled() && scope.owner().may_go_on();
        return !granted_ && wait_or_take_turns(list, at_once, scope, caller, what);
    }
    /// Ends the wait. Errors: task_cancelled when nothing was granted.
    void settle() {
        if (wait_scope) wait_scope->end_wait(*this);
        if (!granted_) throw task_cancelled{};
    }
    /// How every wait in a list is cancelled.
    static void on_cancel(suspension& wait) noexcept;

private:
    bool wait_or_take_turns(wait_list& list, bool at_once, cancel_scope& scope, frame& caller,
                            const wait_kind& what) noexcept;

    friend wait_list;
    friend waiter_list<list_wait>;
    waiter_list<list_wait>* list_ = nullptr;  // null: not in a list
    list_wait* previous_ = nullptr;
    list_wait* following_ = nullptr;  // `next` belongs to the ready queue
    bool granted_ = false;
};

inline list_wait& wait_list::grant_first() noexcept {
    list_wait& item = first();
    unlink(item);
    item.granted_ = true;
    loop& owner = item.wait_scope->owner();
    if (owner.record()) owner.note_grant(item);
    owner.ready(item);
    return item;
}

inline bool list_wait::wait_or_take_turns(wait_list& list, bool at_once, cancel_scope& scope,
                                          frame& caller, const wait_kind& what) noexcept {
    if (!scope.begin_wait(*this, caller, what)) return false;
    scope.waits_since(scope.owner().turn_began());
    granted_ = at_once;
    // Granted, but this turn's share is used up: others first.
    if (at_once) scope.owner().ready(*this);
    else list.link(*this);
    return true;
}

}  // namespace anel::detail
