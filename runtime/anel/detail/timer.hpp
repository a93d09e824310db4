// timer.hpp: deadlines in user space: a pairing heap of nodes that live where they are needed.
//
// One heap per loop serves every backend: no submission, no completion, no system call per timer.
// A timeout that does not fire, the usual case, costs one comparison to add and an unlink to
// cancel. Equal deadlines fire first-in first-out.
//
// Knows: deadlines. Must not know: the clock, coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>
#include <anel/time.hpp>

#include <cstdint>

namespace anel::detail {

/// A deadline and what to do then. Derive from it; it must not move while armed.
class timer {
public:
    explicit timer(void (*on_fire)(timer&) noexcept) noexcept : fire_(on_fire) {}
    timer(timer&& other) noexcept : fire_(other.fire_) { ANEL_ASSERT(!other.armed_); }
    timer& operator=(timer&&) = delete;
    ~timer() { ANEL_ASSERT(!armed_); }

    [[nodiscard]] bool armed() const noexcept { return armed_; }
    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }

private:
    friend class timer_heap;

    void (*fire_)(timer&) noexcept;
    time_point deadline_{};
    std::uint64_t sequence_ = 0;  // breaks ties
    timer* child_ = nullptr;      // first child
    timer* sibling_ = nullptr;    // next child of the same parent
    timer* back_ = nullptr;       // previous sibling, or the parent for a first child
    bool armed_ = false;
};

/// All armed timers of a loop.
class timer_heap {
public:
    timer_heap() = default;
    timer_heap(const timer_heap&) = delete;
    timer_heap& operator=(const timer_heap&) = delete;
    ~timer_heap() { ANEL_ASSERT(root_ == nullptr); }

    /// Cost  constant.
    void add(timer& item, time_point deadline) noexcept;
    /// Takes `item` out, which may have fired already. Cost: constant without children, else the
    /// logarithm of the number of timers, amortised.
    void cancel(timer& item) noexcept;

    [[nodiscard]] bool empty() const noexcept { return root_ == nullptr; }
    [[nodiscard]] time_point next_deadline() const noexcept {
        return root_ ? root_->deadline_ : never;
    }

    /// Fires what is due at `now` and was armed before this call, `most` of it. Returns how many.
    std::uint64_t fire_due(time_point now, std::uint64_t most = UINT64_MAX) noexcept;

private:
    static timer* meld(timer* left, timer* right) noexcept;
    static timer* merge_siblings(timer* first) noexcept;
    void remove(timer& item) noexcept;

    timer* root_ = nullptr;
    std::uint64_t next_sequence_ = 0;
};

}  // namespace anel::detail
