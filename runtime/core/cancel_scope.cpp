// cancel_scope.cpp: the tree of scopes: linking, cancelling, and the wait at each leaf.
// SPDX-License-Identifier: MIT
#include <anel/detail/cancel_scope.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

#include <cerrno>

namespace anel::detail {

bool is_cancel(const std::exception_ptr& error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const task_cancelled&) {
        return true;
    } catch (...) {
        return false;
    }
}

std::exception_ptr stray_cancel() noexcept {
    try {
        throw_errno(ECANCELED, "task", "that only itself has cancelled");
    } catch (...) {
        return std::current_exception();  // or std::bad_alloc
    }
}

void throw_cut_short(const cancel_scope& scope) {
    if (scope.cancelled()) throw task_cancelled{};
    std::rethrow_exception(stray_cancel());
}

cancel_scope::~cancel_scope() {
    if (loop_) close();
}

void cancel_scope::open(loop& owner) noexcept {
    ANEL_ASSERT(loop_ == nullptr);
    loop_ = &owner;
}

void cancel_scope::open(cancel_scope& parent, shield shielded, role what) noexcept {
    ANEL_ASSERT(loop_ == nullptr);
    loop_ = parent.loop_;
    parent_ = &parent;
    shielded_ = shielded == shield::yes;
    role_ = what;
    cancelled_ = parent.cancelled_ && !shielded_;
    next_sibling_ = parent.first_child_;
    if (next_sibling_) next_sibling_->previous_sibling_ = this;
    parent.first_child_ = this;
}

void cancel_scope::close() noexcept {
    ANEL_ASSERT(loop_ != nullptr);
    ANEL_ASSERT(first_child_ == nullptr);
    ANEL_ASSERT(waiting_ == nullptr);
    if (parent_) {
        (previous_sibling_ ? previous_sibling_->next_sibling_ : parent_->first_child_) =
            next_sibling_;
        if (next_sibling_) next_sibling_->previous_sibling_ = previous_sibling_;
    }
    loop_ = nullptr;
    parent_ = nullptr;
    next_sibling_ = nullptr;
    previous_sibling_ = nullptr;
}

void cancel_scope::cancel_here() noexcept {
    cancelled_ = true;
    if (waiting_ && waiting_->kind->cancel) waiting_->kind->cancel(*waiting_);
}

// Walks the subtree without recursion: nesting may be deep. Nothing runs during the walk, a
// cancelled wait only gets queued, so the tree does not change under it. What is cancelled already,
// or shielded, is not entered.
void cancel_scope::cancel() noexcept {
    if (cancelled_) return;
    if (loop_->record()) loop_->note_cancel(*this);
    cancel_here();
    cancel_scope* at = this;
    cancel_scope* child = first_child_;
    for (;;) {
        while (child && (child->cancelled_ || child->shielded_)) child = child->next_sibling_;
        if (child) {
            child->cancel_here();
            at = child;
            child = at->first_child_;
            continue;
        }
        if (at == this) return;
        child = at->next_sibling_;
        at = at->parent_;
    }
}

}  // namespace anel::detail
