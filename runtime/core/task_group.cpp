// task_group.cpp: children: adopted, ended, joined; the first error.
// SPDX-License-Identifier: MIT
#include <anel/task_group.hpp>

namespace anel {
using namespace detail;

void spawned::unhandled_exception() noexcept {
    std::exception_ptr error = std::current_exception();
    if (own_.owner().record()) own_.owner().note_error(error);
    group_->fail(std::move(error));
}

void task_group::adopt(spawned::handle_type adopted) noexcept {
    spawned& child = *adopted.child;
    child.group_ = this;
    child.own_.open(scope_, cancel_scope::shield::no, cancel_scope::role::task);
    child.scope = &child.own_;
    child.own_.turn.waiter = &child;
    child.own_.set_task(scope_.owner().number_task());
    if (scope_.owner().record()) scope_.owner().note_begin(child.own_.task());
    scope_.owner().ready(child.own_.turn);
    live_ += 1;
}

void task_group::fail(std::exception_ptr error) noexcept {
    if (detail::is_cancel(error)) {
        cut_short_ = scope_.cancelled();
        if (cut_short_) return;  // how a cancelled task ends; not an error of its own
        error = detail::stray_cancel();
    }
    if (!first_error_) first_error_ = std::move(error);
    scope_.cancel();
}

void task_group::child_ended() noexcept {
    ANEL_ASSERT(live_ > 0);
    live_ -= 1;
    if (live_ == 0 && joiner_) scope_.owner().ready(*std::exchange(joiner_, nullptr));
}

bool task_group::join_wait::start(cancel_scope& scope, frame& caller) noexcept {
    static constexpr wait_kind joining{"join", nullptr};
    if (group_.live_ == 0) return false;
    ANEL_ASSERT(group_.joiner_ == nullptr);
    scope.begin_uncancellable_wait(*this, caller, joining);
    scope.waits_since(scope.owner().turn_began());
    group_.joiner_ = this;
    suspended_ = true;
    return true;
}

void task_group::join_wait::finish() noexcept {
    if (suspended_) wait_scope->end_wait(*this);
}

}  // namespace anel
