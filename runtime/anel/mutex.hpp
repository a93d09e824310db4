// mutex.hpp: mutex and semaphore: what tasks of one loop must not do at the same time, or not too
// many of them.
//
// A task runs alone until it awaits, so plain variables need no mutex; what spans an await does.
// Fair: whoever waits longest is next, and nobody can slip in between.
// Knows: wait lists. Must not know: threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/wait_list.hpp>

#include <cstddef>
#include <utility>

namespace anel {

class mutex;

/// Counts permits. Lifetime: must outlive its waiters, which is asserted.
class semaphore {
public:
    class acquire_wait;

    explicit semaphore(std::size_t permits) noexcept : free_(permits) {}

    /// Takes a permit, waiting for one if need be.
    /// Errors  task_cancelled, and then none was taken.
    [[nodiscard("co_await it")]] acquire_wait acquire() noexcept;
    /// Takes a permit if one is free. Returns whether it did.
    [[nodiscard]] bool try_acquire() noexcept {
        if (free_ == 0) return false;
        free_ -= 1;
        return true;
    }
    /// Gives a permit back, to whoever waits longest.
    void release() noexcept {
        if (waiters_.empty()) free_ += 1;
        else waiters_.grant_first();
    }
    [[nodiscard]] std::size_t available() const noexcept { return free_; }

private:
    detail::wait_list waiters_;
    std::size_t free_;
};

class semaphore::acquire_wait : public detail::list_wait {
public:
    explicit acquire_wait(semaphore& from) noexcept : acquire_wait(from, a_permit) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept {
        const bool at_once = !scope.cancelled() && from_.try_acquire();
        return wait_in(from_.waiters_, at_once, scope, caller, what_);
    }
    void finish() { settle(); }

private:
    friend mutex;
    static constexpr detail::wait_kind a_permit{"semaphore", &on_cancel};
    static constexpr detail::wait_kind a_lock{"mutex", &on_cancel};
    acquire_wait(semaphore& from, const detail::wait_kind& what) noexcept
        : from_(from), what_(what) {}

    semaphore& from_;
    const detail::wait_kind& what_;  // as a task listing calls it
};

inline semaphore::acquire_wait semaphore::acquire() noexcept { return acquire_wait(*this); }

/// One task at a time: `auto guard = co_await m.lock();` until the guard goes.
class mutex {
public:
    class lock_wait;

    /// Holds the lock. Move-only.
    class [[nodiscard]] guard {
    public:
        guard(guard&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
        guard& operator=(guard&& other) noexcept {
            std::swap(held_, other.held_);
            return *this;
        }
        ~guard() { unlock(); }
        void unlock() noexcept {
            if (held_) std::exchange(held_, nullptr)->permit_.release();
        }

    private:
        friend mutex;
        explicit guard(mutex& held) noexcept : held_(&held) {}
        mutex* held_;
    };

    /// Waits for the lock.
    /// Returns  a guard, which gives the lock back when it goes.
    /// Errors   task_cancelled, and then the lock was not taken.
    [[nodiscard("co_await it")]] lock_wait lock() noexcept;
    [[nodiscard]] bool is_locked() const noexcept { return permit_.available() == 0; }

private:
    semaphore permit_{1};
};

class mutex::lock_wait {
public:
    explicit lock_wait(mutex& wanted) noexcept
        : wanted_(wanted), permit_(wanted.permit_, semaphore::acquire_wait::a_lock) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept {
        return permit_.start(scope, caller);
    }
    guard finish() {
        permit_.finish();
        return guard(wanted_);
    }

private:
    mutex& wanted_;
    semaphore::acquire_wait permit_;
};

inline mutex::lock_wait mutex::lock() noexcept { return lock_wait(*this); }

}  // namespace anel
