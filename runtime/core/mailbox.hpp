// mailbox.hpp: calls from other threads, on their way to a loop.
//
// A sleeping loop is woken, a running one is not: it looks here before it sleeps. The two flags are
// written and read in opposite order on both sides (sequentially consistent), so either the poster
// sees the sleeper or the loop sees the post: no wake-up is lost.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>
#include <anel/post.hpp>

#include <atomic>
#include <mutex>

namespace anel::detail {

class mailbox {
public:
    explicit mailbox(backend& of) noexcept : backend_(&of) {}
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;
    ~mailbox() { discard_all(); }

    /// Thread: any.
    bool post(posted* call) noexcept;

    /// The rest is for the loop's thread. Takes the oldest call; null: there is none.
    posted* take() noexcept;
    [[nodiscard]] bool filled() const noexcept {
        return taken_ || filled_.load(std::memory_order_acquire);
    }
    /// Takes `call` back if it has not been taken yet. Cost: linear.
    void withdraw(posted& call) noexcept;
    /// Announces that the loop is about to sleep. False: there is something to take first.
    bool may_sleep() noexcept;
    void awake() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
    /// The loop ends: later posts are refused.
    void close() noexcept;

    void discard_all() noexcept;

private:
    std::mutex mutex_;
    backend* backend_;  // null once the loop is gone
    posted* first_ = nullptr;
    posted* last_ = nullptr;
    posted* taken_ = nullptr;  // the loop's, all at once: older than first_
    std::atomic<bool> filled_{false};
    std::atomic<bool> sleeping_{false};
};

}  // namespace anel::detail
