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
#include <cstdint>
#include <string>
#include <utility>

namespace anel {

class mutex;

/// Counts permits. Lifetime: must outlive its waiters, which is asserted.
class semaphore {
public:
    class acquire_wait;

    /// With `permits` free ones.
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
    /// Permits that are free.
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
    acquire_wait(semaphore& from, const detail::wait_kind& what) noexcept
        : from_(from), what_(what) {}

    semaphore& from_;
    const detail::wait_kind& what_;  // as a task listing calls it
};

inline semaphore::acquire_wait semaphore::acquire() noexcept { return acquire_wait(*this); }

/// One task at a time: `auto guard = co_await m.lock();` until the guard goes. A task listing says
/// of whoever waits for it since where it is held.
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
        /// Gives the lock back before the guard goes.
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
    /// Whether a task holds the lock.
    [[nodiscard]] bool is_locked() const noexcept { return permit_.available() == 0; }

private:
    semaphore permit_{1};
    const char* held_file_ = nullptr;  // where whoever holds it has waited for it
    std::uint64_t held_line_ = 0;
};

class mutex::lock_wait : public semaphore::acquire_wait {
public:
    explicit lock_wait(mutex& wanted) noexcept
        : acquire_wait(wanted.permit_, a_lock), wanted_(wanted) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept {
        caller_ = &caller;
        return acquire_wait::start(scope, caller);
    }
    guard finish() {
        acquire_wait::finish();
        wanted_.held_file_ = caller_->file;
        wanted_.held_line_ = caller_->line;
        return guard(wanted_);
    }

private:
    static void describe(const detail::suspension& wait, std::string& text);
    static const detail::wait_kind a_lock;

    mutex& wanted_;
    const detail::frame* caller_ = nullptr;
};

inline mutex::lock_wait mutex::lock() noexcept { return lock_wait(*this); }

}  // namespace anel
