// thread_channel.hpp: a channel between tasks of different loops, and threads without one.
//
// One lock per channel. A waiter lives in its awaiter, like in a list of one loop; whoever grants
// it posts it to its own loop, with a link that is part of the waiter, so waiting allocates
// nothing. A cancel runs on the waiter's thread and, under the lock, either finds it waiting or
// comes late.
//
// Knows: the door for other threads. Must not know: what is sent.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/channel.hpp>
#include <anel/post.hpp>

#include <memory>
#include <mutex>

namespace anel {
namespace detail {

class thread_wait;

/// Waiters of several loops. Everything but lock() is called with the lock held.
class thread_wait_list : public waiter_list<thread_wait> {
public:
    explicit thread_wait_list(std::mutex& lock) noexcept : lock_(lock) {}
    [[nodiscard]] std::mutex& lock() const noexcept { return lock_; }
    /// Takes the one that waits longest out and lets it run, in its own loop.
    void grant_first() noexcept;

private:
    std::mutex& lock_;
};

/// Base of an awaitable that waits in such a list.
class thread_wait : public suspension, private posted {
public:
    thread_wait() noexcept = default;
    thread_wait(thread_wait&& other) noexcept : suspension(), posted() {
        ANEL_ASSERT(!other.wait_scope);
    }

protected:
    /// Begins to wait in `list`, unless `at_once`; the lock is held. Returns what start() returns.
    bool wait_in(thread_wait_list& list, bool at_once, cancel_scope& scope, frame& caller,
                 const wait_kind& what);
    /// Ends the wait. Errors: task_cancelled when nothing was granted.
    void settle();
    static void on_cancel(suspension& wait) noexcept;

private:
    friend thread_wait_list;
    friend waiter_list<thread_wait>;
    std::mutex* lock_ = nullptr;                // of the list; guards the next four
    waiter_list<thread_wait>* list_ = nullptr;  // null: not in a list
    thread_wait* previous_ = nullptr;
    thread_wait* following_ = nullptr;
    bool granted_ = false;
    std::shared_ptr<mailbox> mailbox_;
};

/// What a channel between threads is made of.
struct thread_waits {
    using list = thread_wait_list;
    using wait = thread_wait;
    struct guard {
        explicit guard(const thread_waits& waits) : held(waits.lock) {}
        std::lock_guard<std::mutex> held;
    };
    [[nodiscard]] list make_list() noexcept { return list(lock); }
    mutable std::mutex lock;
};

}  // namespace detail

/// A channel whose send() and recv() are awaited in any loop, and whose try_send(), try_recv() and
/// close() may be called on any thread. What it holds must be safe to hand to another thread.
/// Cost  a lock; the hand-over to a waiter in another loop wakes that loop if it sleeps.
template <class T>
using thread_channel = channel<T, detail::thread_waits>;

}  // namespace anel
