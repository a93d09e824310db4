// wait_list.hpp: tasks of one loop that wait for the same thing, first come first served.
//
// What event, mutex, semaphore and channel have in common: a waiter lives in its awaiter, so
// waiting allocates nothing; a cancelled one leaves the list in constant time; one that was granted
// what it waited for has it, also when it is cancelled in the same turn.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/awaitable.hpp>

namespace anel::detail {

class list_wait;

class wait_list {
public:
    wait_list() noexcept = default;
    wait_list(const wait_list&) = delete;
    wait_list& operator=(const wait_list&) = delete;
    ~wait_list() { ANEL_ASSERT(first_ == nullptr); }  // it must outlive its waiters

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    /// The one that waits longest; the list must not be empty.
    [[nodiscard]] list_wait& first() const noexcept { return *first_; }
    /// Takes the one that waits longest out and lets it run.
    list_wait& grant_first() noexcept;

private:
    friend list_wait;
    void link(list_wait& item) noexcept;
    void unlink(list_wait& item) noexcept;

    list_wait* first_ = nullptr;
    list_wait* last_ = nullptr;
};

/// Base of an awaitable that waits in a list.
class list_wait : public suspension {
public:
    list_wait() noexcept = default;
    list_wait(list_wait&& other) noexcept : suspension() { ANEL_ASSERT(!other.scope); }

protected:
    /// Begins to wait in `list`, unless `at_once`. Returns what start() returns.
    bool wait_in(wait_list& list, bool at_once, cancel_scope& in, frame& who,
                 const wait_kind& what) noexcept;
    /// Ends the wait. Errors: task_cancelled when nothing was granted.
    void settle();
    /// How every wait in a list is cancelled.
    static void on_cancel(suspension& wait) noexcept;

private:
    friend wait_list;
    wait_list* list_ = nullptr;  // null: not in a list
    list_wait* previous_ = nullptr;
    list_wait* following_ = nullptr;  // `next` belongs to the ready queue
    bool granted_ = false;
};

}  // namespace anel::detail
