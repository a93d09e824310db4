// loop.cpp: the turn, and the one line of the library that resumes a coroutine.
// SPDX-License-Identifier: MIT
#include <anel/detail/loop.hpp>

#include "runtime/core/frame_pool.hpp"
#include "runtime/core/gate.hpp"
#include "runtime/core/mailbox.hpp"
#include "runtime/core/recorder.hpp"
#include "runtime/system/system.hpp"

#include <anel/task_group.hpp>

#include <algorithm>
#include <utility>

namespace anel::detail {

loop::loop(std::unique_ptr<detail::backend> with)
    : backend_(std::move(with)),
      frames_(std::make_unique<frame_pool>(*this)),
      process_mark_(process_mark()),
      process_(this_process()),
      life_(new loop_ref::life{this, backend_->kind() != backend_kind::sim}) {
    backend_->charge(spent_);
}

loop::~loop() {
    ANEL_ASSERT(!running_);
    ANEL_ASSERT(ready_.empty());
    ANEL_ASSERT(backend_->in_flight() == 0);
    if (mailbox_) {
        mailbox_->close();
        mailbox_->discard_all();
    }
    if (gate_) {
        const std::lock_guard held(gate_->mutex);
        gate_->of = nullptr;
    }
    life_->owner = nullptr;
    loop_ref::release(life_);
}

void loop_ref::release(life* of) noexcept {
    if (of->known.fetch_sub(1, std::memory_order_acq_rel) == 1) delete of;
}

std::int32_t loop_ref::control(opcode code, int fd, void* data, std::size_t size,
                               std::uint32_t flags) const noexcept {
    if (life_->owner) return life_->owner->control(code, fd, data, size, flags);
    if (!life_->has_system_fds) return loop_has_ended;
    operation op(code, fd, data, size, flags);
    return control_without_loop(op);
}

void loop::run_until(const bool& finished) {
    ANEL_ASSERT(!running_);
    running_ = true;
    frame_pool* outer = frame_pool::install(frames_.get());
    for (;;) {
        run_turn(ready_);
        if (finished) break;
        wait();
    }
    frame_pool::install(outer);
    running_ = false;
    settle();
}

// A turn: 1. ready coroutines run; they only queue operations. 2. One wait submits all that was
// queued and sleeps, unless something is ready already. What is done is queued, never run inside
// the wait. 3. Due timers fire: after the wait, so that a result that is there wins over its
// timeout, however late the loop is.
void loop::run_turn(op_queue& queue) {
    if (record_) run_from<true>(queue);
    else run_from<false>(queue);
}

template <bool recorded>
void loop::run_from(op_queue& queue) {
    counters_.turns += 1;
    others_ = &queue;
    spent_ = 0;  // what the wait has moved is bounded by the backend
    look_at_clock_ = slice;
    turn_ends_ = never;
    if (keeps_ages_) turn_began_ = now();
    const std::uint64_t resumed = counters_.resumes;
    while (!turn_is_over()) {
        suspension* next = queue.pop();
        if (!next) break;
        pause_at_ = std::min(spent_ + slice, turn_share);
        drive<recorded>(*next->waiter);
    }
    running_frame_.store(nullptr, std::memory_order_relaxed);
    counters_.resumes_max.at_least(counters_.resumes - resumed);
    others_ = &ready_;
}

// Most turns are too short to read the clock even once. A longer one has its time from the first
// look on.
bool loop::turn_is_over() noexcept {
    if (spent_ >= turn_share) return true;
    if (spent_ < look_at_clock_) return false;
    const time_point at = now();
    if (turn_ends_ == never) turn_ends_ = after(at, turn_time);
    if (at >= turn_ends_) return true;
    look_at_clock_ = spent_ + spent_between_clocks;
    return false;
}

// Whoever waits comes first. Alone, it goes on to the end of the turn.
bool loop::another_slice() noexcept {
    if (turn_is_over() || !others_->empty()) return false;
    pause_at_ = std::min(spent_ + slice, turn_share);
    return true;
}

int loop::this_process() const noexcept {
    return process_mark_ ? process_mark_->load(std::memory_order_relaxed) : process_id();
}

bool loop::is_of_this_process() const noexcept { return process_ == this_process(); }

// What the kernel holds for a loop is its process's: a child of fork() would take the events of its
// parent, or find no ring.
void loop::check_process() const noexcept {
    if (process_ == this_process()) return;
    rule_broken("a child of fork() goes on in the loop of its parent: it must leave that alone and "
                "call run() itself",
                nullptr);
}

void loop::cancel(operation& op) noexcept {
    check_process();
    backend_->cancel(op);
}

void loop::wait() {
    check_process();
    const bool posted = take_posted();
    bool sleep = !posted && ready_.empty();
    if (sleep && spin_ > duration::zero() && !record_ && found_by_spinning()) sleep = false;
    const bool stuck = sleep && is_stuck();  // before it is seen that nothing was posted
    if (sleep && mailbox_) sleep = mailbox_->may_sleep();
    if (sleep && stuck) sleep = !stuck_->call(*stuck_);
    collect_until(sleep ? timers_.next_deadline() : time_point::min());
}

// What another thread posted before it let go of the mailbox is seen by may_sleep().
bool loop::is_stuck() const noexcept {
    if (!stuck_ || backend_->in_flight() > stuck_->own_operations) return false;
    if (!timers_.empty()) return false;
    if (mailbox_ && mailbox_.use_count() > 1) return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    return true;
}

void loop::collect_until(time_point until) {
    if (record_) return collect_recorded(until);
    backend_->wait(until, ready_);
    if (mailbox_) mailbox_->awake();
    if (!timers_.empty()) fire_timers(now());
}

void loop::fire_timers(time_point now) {
    const time_point due = timers_.next_deadline();
    if (due > now) return;
    counters_.timers_fired += timers_.fire_due(now, timers_per_turn);
    const auto late = static_cast<std::uint64_t>((now - due).count());
    counters_.timers_late += late;
    counters_.timers_late_max.at_least(late);
}

void loop::collect() {
    ANEL_ASSERT(!running_);
    frame_pool* outer = frame_pool::install(frames_.get());  // what was posted may spawn
    if (mailbox_) mailbox_->awake();
    take_posted();
    collect_until(time_point::min());
    frame_pool::install(outer);
}

step_result loop::run_once() {
    running_ = true;
    frame_pool* outer = frame_pool::install(frames_.get());
    op_queue batch;
    batch.splice(ready_);
    run_turn(batch);
    batch.splice(ready_);  // those that had no turn go first
    ready_.splice(batch);
    frame_pool::install(outer);
    running_ = false;
    const bool sleep = ready_.empty() && (!mailbox_ || mailbox_->may_sleep());
    return {sleep ? timers_.next_deadline() : time_point::min(), spent_};
}

// What is there is collected first: the host knows that there is something. Whatever ran may have
// begun operations, so a look at the backend comes last.
void loop::step_as_guest(const bool& finished) {
    if (running_) rule_broken("a task makes the loop step that runs it", nullptr);
    check_process();
    const time_point end = after(now(), turn_time);
    collect();
    running_ = true;
    frame_pool* outer = frame_pool::install(frames_.get());
    do {
        run_turn(ready_);
        if (finished) break;
        take_posted();
        collect_until(time_point::min());
    } while (!ready_.empty() && now() < end);
    frame_pool::install(outer);
    running_ = false;
    settle();
    if (mailbox_) (void)mailbox_->may_sleep();  // else next_step() sees why not
}

time_point loop::next_step() noexcept {
    if (!ready_.empty() || (mailbox_ && mailbox_->filled())) return time_point::min();
    return std::min(timers_.next_deadline(), backend_->due());
}

// Sleeping and being woken costs some 30 us between processors, more than what many a reply takes
// to come. Where nothing comes in time, again and again, it is tried ever more rarely: after 2, 6
// ... 62 sleeps.
bool loop::found_by_spinning() {
    constexpr std::uint32_t failures_max = 6;
    if (spin_pause_ > 0) {
        spin_pause_ -= 1;
        return false;
    }
    const time_point end = std::min(after(now(), spin_), timers_.next_deadline());
    do {
        backend_->wait(time_point::min(), ready_);
        if (!ready_.empty() || (mailbox_ && mailbox_->filled())) {
            spin_failures_ = 0;
            return true;
        }
    } while (now() < end);
    spin_failures_ = std::min(spin_failures_ + 1, failures_max);
    spin_pause_ = (1U << spin_failures_) - 2;
    return false;
}

// The driver: runs one coroutine after the other at the same depth of the stack.
template <bool recorded>
void loop::drive(frame& first) {
    frame* at = &first;
    if constexpr (recorded) note_resume(*at);
    do {
        counters_.resumes += 1;
        spent_ += 1;
        running_frame_.store(at, std::memory_order_relaxed);
        std::coroutine_handle<frame>::from_promise(*at).resume();  // see fits_a_frame
        if (retired_) {
            spawned* const ended = std::exchange(retired_, nullptr);
            running_frame_.store(nullptr, std::memory_order_relaxed);
            if constexpr (recorded) note_end(*ended->scope);
            task_group& group = *ended->group_;
            std::coroutine_handle<spawned>::from_promise(*ended).destroy();
            group.child_ended();
            return;
        }
        frame* const ran = at;
        at = std::exchange(next_, nullptr);
        if (at && spent_ >= pause_at_ && !another_slice()) {
            // This chain has had its share. Its scope has a place in the queue for it.
            next_scope_->turn.waiter = at;
            ready_.push(next_scope_->turn);
            if constexpr (recorded) note_suspend(*at, true);
            return;
        }
        if constexpr (recorded) {
            if (!at) note_suspend(*ran, false);
        }
    } while (at);
}

bool loop::start(operation& op) noexcept {
    check_process();
    if (record_ ? submit_recorded(op) : backend_->submit(op)) {
        op.wait_scope->waits_since(turn_began_);
        return true;
    }
    if (may_go_on()) return false;
    // A peer that always has data would keep this coroutine running for ever; let others in.
    ready_.push(op);
    return true;
}

std::int32_t loop::control(opcode code, int fd, void* data, std::size_t size,
                           std::uint32_t flags) noexcept {
    ANEL_ASSERT(finishes_inline(code));
    check_process();
    if (!running_) flags &= ~op_flag::deferred;  // there may be no wait for long, or none at all
    operation op(code, fd, data, size, flags);
    backend_->submit(op);
    ANEL_ASSERT(op.state == op_state::done);
    return op.result;
}

void loop::retire(spawned& ended) noexcept {
    ANEL_ASSERT(retired_ == nullptr);
    retired_ = &ended;
}

loop_counters loop::counters() const noexcept {
    loop_counters now = counters_;
    now.frames_new = frames_->allocated();
    return now;
}

std::int64_t loop::frames_alive() const noexcept { return frames_->alive(); }

std::shared_ptr<mailbox> loop::mailbox() {
    if (!mailbox_) mailbox_ = std::make_shared<detail::mailbox>(*backend_);
    return mailbox_;
}

bool loop::take_posted() {
    if (!mailbox_) return false;
    std::uint32_t taken = 0;
    while (taken < posted_per_turn) {
        posted* call = mailbox_->take();
        if (!call) break;
        taken += 1;
        call->take(call, true);
    }
    if (taken == 0) return false;
    if (record_) note_wake();
    return true;
}

void cancel_operation(suspension& wait) noexcept {
    auto& op = static_cast<operation&>(wait);
    if (op.state == op_state::in_flight) wait.wait_scope->owner().cancel(op);
}

}  // namespace anel::detail
