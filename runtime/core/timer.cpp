// timer.cpp: the pairing heap behind timer_heap.
// SPDX-License-Identifier: MIT
#include <anel/detail/timer.hpp>

#include <utility>

namespace anel::detail {

// Makes the later of two trees the first child of the earlier one.
timer* timer_heap::meld(timer* left, timer* right) noexcept {
    if (!left) return right;
    if (!right) return left;
    const bool right_first =
        right->deadline_ < left->deadline_ ||
        (right->deadline_ == left->deadline_ && right->sequence_ < left->sequence_);
    if (right_first) std::swap(left, right);
    right->sibling_ = left->child_;
    if (right->sibling_) right->sibling_->back_ = right;
    right->back_ = left;
    left->child_ = right;
    return left;
}

// The two passes of a pairing heap: meld neighbours left to right, then the pairs right to left.
timer* timer_heap::merge_siblings(timer* first) noexcept {
    timer* pairs = nullptr;  // linked through sibling_, last pair first
    while (first) {
        timer* left = first;
        timer* right = left->sibling_;
        first = right ? right->sibling_ : nullptr;
        left->sibling_ = nullptr;
        if (right) right->sibling_ = nullptr;
        timer* pair = meld(left, right);
        pair->sibling_ = pairs;
        pairs = pair;
    }
    timer* merged = nullptr;
    while (pairs) {
        timer* next = std::exchange(pairs->sibling_, nullptr);
        merged = meld(pairs, merged);
        pairs = next;
    }
    if (merged) merged->back_ = nullptr;
    return merged;
}

void timer_heap::add(timer& item, time_point deadline) noexcept {
    ANEL_ASSERT(!item.armed_);
    item.armed_ = true;
    item.deadline_ = deadline;
    item.sequence_ = next_sequence_++;
    item.child_ = item.sibling_ = item.back_ = nullptr;
    root_ = meld(root_, &item);
}

void timer_heap::remove(timer& item) noexcept {
    timer* below = merge_siblings(item.child_);
    if (&item == root_) {
        root_ = below;
    } else {
        (item.back_->child_ == &item ? item.back_->child_ : item.back_->sibling_) = item.sibling_;
        if (item.sibling_) item.sibling_->back_ = item.back_;
        root_ = meld(root_, below);
    }
    item.armed_ = false;
}

void timer_heap::cancel(timer& item) noexcept {
    if (item.armed_) remove(item);
}

std::uint64_t timer_heap::fire_due(time_point now, std::uint64_t most) noexcept {
    // A timer armed by one that fires waits for the next call, or a chain of zero timeouts would
    // keep this loop going for ever.
    const std::uint64_t before = next_sequence_;
    std::uint64_t fired = 0;
    while (fired < most && root_ && root_->deadline_ <= now && root_->sequence_ < before) {
        timer& due = *root_;
        remove(due);
        due.fire_(due);
        fired += 1;
    }
    return fired;
}

}  // namespace anel::detail
