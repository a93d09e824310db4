// cancel_scope.hpp: the tree down which cancellation flows.
//
// Every chain of awaits runs in a scope. Scopes form a tree: task groups, timeouts and shields add
// nodes. cancel() marks a whole subtree and asks the wait at each leaf to end; from then on every
// await in it throws task_cancelled at once. One thread, no atomics: the tree belongs to one loop.
//
// Knows: the loop it belongs to and the wait that is going on. Must not know: kinds of waits.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>
#include <anel/time.hpp>

#include <exception>

namespace anel::detail {

class cancel_scope;
class loop;
class timer;

[[nodiscard]] bool is_cancel(const std::exception_ptr& error) noexcept;
/// What a task_cancelled is told as where nobody cancelled the scope.
[[nodiscard]] std::exception_ptr stray_cancel() noexcept;
/// Throws what it means that something in `scope` was cut short: task_cancelled, or stray_cancel().
[[noreturn]] void throw_cut_short(const cancel_scope& scope);

class cancel_scope {
public:
    /// Whether a cancel of the parent reaches into this scope.
    enum class shield : bool { no, yes };
    /// What a scope is for: a task listing says so.
    enum class role : std::uint8_t { plain, group, task, limit };

    cancel_scope() noexcept = default;
    cancel_scope(const cancel_scope&) = delete;
    cancel_scope& operator=(const cancel_scope&) = delete;
    ~cancel_scope();

    /// Makes this scope the root of a tree.
    void open(loop& owner) noexcept;
    /// Puts this scope under `parent`; it starts cancelled when the parent is.
    void open(cancel_scope& parent, shield shielded = shield::no, role what = role::plain) noexcept;
    /// Takes this scope out of the tree. Nothing may wait in it and nothing may be below it.
    void close() noexcept;

    /// Cancels everything below. Idempotent; resumes nobody.
    void cancel() noexcept;
    [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
    [[nodiscard]] loop& owner() const noexcept { return *loop_; }
    [[nodiscard]] cancel_scope* parent() const noexcept { return parent_; }

    /// Records that `wait` goes on in this scope. False, and nothing recorded, when it is
    /// cancelled.
    bool begin_wait(suspension& wait, frame& caller, const wait_kind& kind) noexcept {
        if (cancelled_) return false;
        begin_uncancellable_wait(wait, caller, kind);
        return true;
    }
    /// The same for a wait that even a cancelled scope must make, such as joining children.
    void begin_uncancellable_wait(suspension& wait, frame& caller, const wait_kind& kind) noexcept {
        ANEL_ASSERT(waiting_ == nullptr);
        wait.waiter = &caller;
        wait.wait_scope = this;
        wait.kind = &kind;
        waiting_ = &wait;
        since_ = {};
    }
    /// Called first thing when the waiting coroutine runs again.
    void end_wait(suspension& wait) noexcept {
        ANEL_ASSERT(waiting_ == &wait);
        waiting_ = nullptr;
    }

    /// The wait going on in this very scope, not below it; null when there is none.
    [[nodiscard]] const suspension* waiting() const noexcept { return waiting_; }
    [[nodiscard]] cancel_scope* first_child() const noexcept { return first_child_; }
    [[nodiscard]] cancel_scope* next_sibling() const noexcept { return next_sibling_; }
    [[nodiscard]] bool shielded() const noexcept { return shielded_; }
    [[nodiscard]] role what() const noexcept { return role_; }

    /// When the wait began, where the loop keeps that (loop::keep_ages).
    void waits_since(time_point began) noexcept { since_ = began; }
    [[nodiscard]] time_point since() const noexcept { return since_; }
    /// The number of the task whose outermost scope this is; 0: it is none's.
    [[nodiscard]] std::uint32_t task() const noexcept { return task_; }
    void set_task(std::uint32_t number) noexcept { task_ = number; }
    /// The name of a task; it must outlive the scope. Null: it has none.
    void set_name(const char* text) noexcept { told_ = text; }
    [[nodiscard]] const char* name() const noexcept {
        return role_ == role::task ? static_cast<const char*>(told_) : nullptr;
    }
    /// The timer that will cancel this scope, which is a limit. Null: none will.
    void set_timer(const timer& ends) noexcept { told_ = &ends; }
    [[nodiscard]] const timer* ends_by() const noexcept {
        return role_ == role::limit ? static_cast<const timer*>(told_) : nullptr;
    }

    /// A place in the ready queue for the chain of awaits in this scope, when it has no wait of its
    /// own to stand there: before its first step, and when it used up its share of a turn.
    suspension turn;

private:
    void cancel_here() noexcept;

    loop* loop_ = nullptr;
    cancel_scope* parent_ = nullptr;
    cancel_scope* first_child_ = nullptr;
    cancel_scope* next_sibling_ = nullptr;
    cancel_scope* previous_sibling_ = nullptr;
    suspension* waiting_ = nullptr;
    const void* told_ = nullptr;  // to a listing: the name of a task, the timer of a limit
    time_point since_{};
    bool cancelled_ = false;
    bool shielded_ = false;
    role role_ = role::plain;
    std::uint32_t task_ = 0;
};

}  // namespace anel::detail
