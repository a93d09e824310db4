// recorded.cpp: what a loop that keeps a record notes at each step.
//
// The loop asks once a turn whether it does, and for each operation, spawned task, grant and
// cancel. Without a record nothing else is paid for.
// SPDX-License-Identifier: MIT
#include "runtime/core/mailbox.hpp"
#include "runtime/core/recorder.hpp"

#include <anel/detail/loop.hpp>

namespace anel::detail {
namespace {

/// The outermost scope of the task that a scope belongs to; null: of none.
const cancel_scope* outermost(const cancel_scope* scope) noexcept {
    while (scope && scope->task() == 0) scope = scope->parent();
    return scope;
}

/// The number of that task.
std::uint32_t task_of(const cancel_scope* scope) noexcept {
    const cancel_scope* top = outermost(scope);
    return top ? top->task() : 0;
}

bool is_operation(const suspension& wait) noexcept {
    return wait.kind && wait.kind->cancel == &cancel_operation;
}

/// What a coroutine that has just suspended waits for: in its scope, or in one that its awaitable
/// opened below. Null: for several things, or nothing.
const suspension* wait_of(const frame& at) noexcept {
    const cancel_scope* scope = at.scope;
    while (!scope->waiting() && scope->first_child() && !scope->first_child()->next_sibling()) {
        scope = scope->first_child();
    }
    return scope->waiting() && scope->waiting()->waiter == &at ? scope->waiting() : nullptr;
}

std::uint64_t number_of(time_point at) noexcept {
    return static_cast<std::uint64_t>(at.time_since_epoch().count());
}

}  // namespace

void loop::keep_record(std::string path) { record_ = std::make_unique<recorder>(std::move(path)); }

void loop::end_record() noexcept { record_.reset(); }

void loop::note_begin(std::uint32_t task) noexcept {
    const frame* by = running();
    record_->add(happening::begin, now(), task).number = by ? task_of(by->scope) : 0;
}

// The name may be gone before the record is written.
void loop::note_name(cancel_scope& task, const char* name) {
    task.set_name(record_ ? record_->keep(name) : name);
}

void loop::note_error(const std::exception_ptr& error) noexcept {
    record_->ends_by(is_cancel(error) ? "cancelled" : "error");
}

void loop::note_end(const cancel_scope& scope) noexcept {
    record_->add(happening::end, now(), scope.task()).text = record_->take_end();
}

void loop::note_resume(const frame& at) noexcept {
    const cancel_scope* task = outermost(at.scope);
    happened& one = record_->add(happening::resume, now(), task ? task->task() : 0);
    one.file = at.file;
    one.line = at.line & 0xff'ffff;
    one.text = task ? task->name() : nullptr;
}

void loop::note_suspend(const frame& at, bool in_turn) noexcept {
    happened& one = record_->add(happening::suspend, now(), task_of(at.scope));
    one.file = at.file;
    one.line = at.line & 0xff'ffff;
    const suspension* wait = in_turn ? nullptr : wait_of(at);
    one.text = in_turn ? "turn" : wait && wait->kind ? wait->kind->name : nullptr;
    if (wait && is_operation(*wait)) one.op = static_cast<const operation*>(wait);
}

bool loop::submit_recorded(operation& op) noexcept {
    const std::size_t size = op.size;
    const bool waits = backend_->submit(op);
    happened& one =
        record_->add(waits ? happening::submit : happening::at_once, now(), task_of(op.wait_scope));
    one.op = &op;
    one.text = name_of(op.code);
    one.fd = op.fd;
    one.number = size;
    one.result = waits ? 0 : op.result;
    return waits;
}

void loop::note_wake() noexcept { record_->add(happening::wake, now(), 0); }

void loop::note_cancel(const cancel_scope& scope) noexcept {
    record_->add(happening::cancel, now(), task_of(&scope));
}

void loop::note_grant(const suspension& wait) noexcept {
    const frame* by = running();
    record_->add(happening::grant, now(), task_of(wait.wait_scope)).number =
        by ? task_of(by->scope) : 0;
}

void loop::note_mark(const cancel_scope& scope, const char* text) noexcept {
    record_->add(happening::mark, now(), task_of(&scope)).text = text;
}

// What was ready before stays first in the queue, then what the backend brings, then timers.
void loop::collect_recorded(time_point until) {
    op_queue queue;
    queue.splice(ready_);
    record_->add(happening::enter, now(), 0).number =
        until == time_point::min() ? 0 : number_of(until);
    backend_->wait(until, ready_);
    const time_point back = now();
    happened& left = record_->add(happening::leave, back, 0);
    for (const suspension* each = ready_.front(); each; each = each->next) {
        if (!is_operation(*each)) continue;
        const auto& op = static_cast<const operation&>(*each);
        happened& one = record_->add(happening::complete, back, task_of(op.wait_scope));
        one.op = &op;
        one.text = name_of(op.code);
        one.fd = op.fd;
        one.result = op.result;
        left.number += 1;
    }
    queue.splice(ready_);
    if (mailbox_) mailbox_->awake();
    const time_point due = timers_.next_deadline();
    fire_timers(back);
    const time_point fired = ready_.empty() ? back : now();
    for (const suspension* each = ready_.front(); each; each = each->next) {
        happened& one = record_->add(happening::timer, fired, task_of(each->wait_scope));
        one.number = static_cast<std::uint64_t>((back - due).count());
    }
    queue.splice(ready_);
    ready_.splice(queue);
}

}  // namespace anel::detail
