// stop_request.hpp: how a call on a helper thread learns that its task was cancelled.
//
// Knows: a flag and a lock. Must not know: tasks, threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>

#include <atomic>
#include <mutex>
#include <utility>

namespace anel {

/// Whether the task that waits for a call wants its end. For a function given to offload().
/// Thread  any.
class stop_request {
public:
    stop_request() noexcept = default;
    // An awaitable may be moved until it is started.
    stop_request(stop_request&& other) noexcept { ANEL_ASSERT(other.first_ == nullptr); }
    stop_request& operator=(stop_request&&) = delete;

    /// Whether the end is wanted. A long call looks at it now and then, and returns.
    [[nodiscard]] bool stop_requested() const noexcept {
        return requested_.load(std::memory_order_acquire);
    }

    /// For offload(). Runs what when_stopped holds.
    void request() noexcept {
        const std::lock_guard held(lock_);
        requested_.store(true, std::memory_order_release);
        for (const hook* at = first_; at; at = at->next) at->call(*at);
    }

private:
    template <class Function>
    friend class when_stopped;

    struct hook {
        void (*call)(const hook& self) noexcept;
        hook* next = nullptr;
    };

    std::atomic<bool> requested_{false};
    mutable std::mutex lock_;
    mutable hook* first_ = nullptr;
};

/// Calls `function()` when a stop is requested, while this object lives: for a call that waits
/// where it cannot look, a query of a database say, which has a function to interrupt it.
/// Thread  `function` runs on the loop's, which it must not hold up; when the stop was requested
///         before, at once on this one. It must not throw. Once the destructor has returned it does
///         not run any more.
template <class Function>
class when_stopped : private stop_request::hook {
public:
    /// From now on a stop calls `function`.
    /// Lifetime `stop` must outlive this object.
    when_stopped(const stop_request& stop, Function function)
        : hook{&when_stopped::run}, stop_(stop), function_(std::move(function)) {
        const std::lock_guard held(stop_.lock_);
        next = std::exchange(stop_.first_, static_cast<hook*>(this));
        if (stop_.stop_requested()) function_();
    }
    when_stopped(const when_stopped&) = delete;
    when_stopped& operator=(const when_stopped&) = delete;
    ~when_stopped() {
        const std::lock_guard held(stop_.lock_);
        stop_request::hook** link = &stop_.first_;
        while (*link != this) link = &(*link)->next;
        *link = next;
    }

private:
    static void run(const hook& self) noexcept {
        static_cast<const when_stopped&>(self).function_();
    }

    const stop_request& stop_;
    Function function_;
};

}  // namespace anel
