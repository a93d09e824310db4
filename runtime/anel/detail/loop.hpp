// loop.hpp: the turn: run what is ready, fire timers, wait once, collect what is done.
//
// The only place where a coroutine is resumed. One loop per thread, one thread per loop.
// No coroutine ever resumes another: it leaves the next one with the loop (`transfer`) and
// suspends, so stacks stay flat in every build.
//
// Knows: suspensions, operations, timers, one backend. Must not know: sockets, addresses, tasks'
// results.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>
#include <anel/detail/cancel_scope.hpp>
#include <anel/detail/counter.hpp>
#include <anel/detail/frame.hpp>
#include <anel/detail/loop_ref.hpp>
#include <anel/detail/timer.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace anel::detail {

class frame_pool;
class loop;
struct loop_gate;
class mailbox;
class recorder;
class signal_hub;
class spawned;

/// Counts since the start, for tests and benchmarks.
struct loop_counters {
    counter turns;
    counter resumes;      ///< coroutines resumed
    counter resumes_max;  ///< in one turn
    counter timers_fired;
    counter timers_late;      ///< ns, altogether, of the first that fired in a turn
    counter timers_late_max;  ///< ns
    counter frames_new;       ///< frames that had to be allocated, not recycled
};

/// What serve() counts in its loop.
struct session_counters {
    /// Errors of one kind.
    struct kind {
        counter error;  ///< errno; 0: none, or of another category
        counter count;
    };
    counter begun;
    counter ended;
    counter accepts_failed;
    std::array<kind, 16> failed;  ///< the first is for errors without an errno

    /// Kinds beyond the fifteenth count as those without an errno.
    void fail(int error) noexcept;
};

/// What one step() came to.
struct step_result {
    time_point next;        ///< when there is more to do unless something arrives; min(): at once
    std::uint32_t resumes;  ///< coroutines that ran, counting waits that need not wait
};

/// Whoever is told that a loop is about to sleep for ever: no timer is armed, no other thread can
/// post, and no more operations are in flight than its own.
struct stuck_listener {
    /// Returns whether it has done something about it.
    bool (*call)(stuck_listener& self) noexcept;
    const std::uint64_t& own_operations;  ///< in flight, for what is no task's affair
};

/// How a wait for an operation is cancelled.
void cancel_operation(suspension& wait) noexcept;

class loop {
public:
    /// What a turn may spend before the backend is looked at again: 1 for a coroutine that is
    /// resumed or a wait that need not wait, and what the backend says that its calls cost
    /// (backend::call_cost). Bounds how long a peer that always has data, or a chain that never
    /// waits, can keep the others from running.
    static constexpr std::uint32_t turn_share = 1024;
    /// What a coroutine, and those it hands on to, may spend of it while another one is ready.
    static constexpr std::uint32_t slice = 64;
    /// A turn that takes longer ends early. The clock is read once for so much that was spent.
    static constexpr duration turn_time = std::chrono::microseconds(500);
    static constexpr std::uint32_t spent_between_clocks = 256;
    /// Most timers that fire, and calls of other threads that run, in one turn.
    static constexpr std::uint32_t timers_per_turn = 1024;
    static constexpr std::uint32_t posted_per_turn = 64;

    explicit loop(std::unique_ptr<detail::backend> with);
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;
    ~loop();

    /// From now on looks for work for so long before it sleeps; zero: sleeps at once.
    void set_spin(duration patience) noexcept { spin_ = patience; }
    /// Runs turns until `finished` is true.
    void run_until(const bool& finished);

    /// `whom` is told before each sleep from which nothing that the loop knows of will wake it.
    void tell_when_stuck(stuck_listener* whom) noexcept { stuck_ = whom; }

    /// One turn that does not sleep, for whoever turns several loops in one thread: collects what
    /// is done, fires due timers, and runs what is ready now; what becomes ready meanwhile waits
    /// for the next step. `reorder(queue)` may put the ready queue into another order.
    template <class Reorder>
    step_result step(Reorder&& reorder) {
        collect();
        reorder(ready_);
        return run_once();
    }

    /// For whoever turns it in a loop of another kind: turns until nothing is ready, for turn_time
    /// or a little more, and hands over to the kernel what was begun. Never sleeps.
    void step_as_guest(const bool& finished);
    /// When the next such step is due unless the backend's pollable_descriptor() can be read;
    /// min(): at once.
    [[nodiscard]] time_point next_step() noexcept;

    /// Starts `op`. True: it will be in the ready queue when done; false: it is done now.
    /// A done operation is queued all the same when it is the turn of others.
    bool start(operation& op) noexcept;
    void cancel(operation& op) noexcept;
    /// For a wait that ended before it began. True: the coroutine may go on at once; false: it is
    /// the turn of others, and the wait must be queued with ready() like any other.
    [[nodiscard]] bool may_go_on() noexcept {
        spent_ += 1;
        return spent_ < pause_at_ || another_slice();
    }
    /// Performs a control call and returns its result, >= 0 or -errno.
    std::int32_t control(opcode code, int fd, void* data = nullptr, std::size_t size = 0,
                         std::uint32_t flags = 0) noexcept;
    /// Before descriptors are made otherwise: those of closed connections are free from now on.
    void settle() noexcept {
        if (is_of_this_process()) backend_->settle();
    }

    /// Makes the coroutine that waits in `item` run in a later step.
    void ready(suspension& item) noexcept { ready_.push(item); }
    /// Leaves `next` to be resumed as soon as the running coroutine has suspended.
    void transfer(frame& next, cancel_scope& scope) noexcept {
        ANEL_ASSERT(next_ == nullptr);
        next_ = &next;
        next_scope_ = &scope;
    }
    /// Leaves a spawned coroutine that has ended to be destroyed once it has suspended.
    void retire(spawned& ended) noexcept;

    void start(timer& item, duration wait) noexcept { timers_.add(item, after(now(), wait)); }
    void start(timer& item, time_point deadline) noexcept { timers_.add(item, deadline); }
    void cancel(timer& item) noexcept { timers_.cancel(item); }

    /// From now on a task listing says how long each wait has taken: one look at the clock a turn.
    void keep_ages() noexcept { keeps_ages_ = true; }
    /// The beginning of this turn; the epoch where ages are not kept.
    [[nodiscard]] time_point turn_began() const noexcept { return turn_began_; }

    /// From now on what happens is recorded, for the file `path`. Errors: std::bad_alloc.
    void keep_record(std::string path);
    void end_record() noexcept;
    /// Null: nothing is recorded.
    [[nodiscard]] recorder* record() const noexcept { return record_.get(); }
    /// What others add to the record; only where there is one.
    void note_begin(std::uint32_t task) noexcept;
    void note_name(cancel_scope& task, const char* name);
    void note_error(const std::exception_ptr& error) noexcept;  ///< of the task that ends next
    void note_cancel(const cancel_scope& scope) noexcept;
    void note_grant(const suspension& wait) noexcept;
    void note_mark(const cancel_scope& scope, const char* text) noexcept;

    /// A number for a task that begins, from 1.
    [[nodiscard]] std::uint32_t number_task() noexcept { return ++tasks_; }

    [[nodiscard]] time_point now() const noexcept { return backend_->now(); }
    [[nodiscard]] detail::backend& backend() noexcept { return *backend_; }
    [[nodiscard]] const detail::backend& backend() const noexcept { return *backend_; }
    /// The scope whose tasks a listing of this loop shows; null: none.
    [[nodiscard]] const cancel_scope* listed() const noexcept { return listed_; }
    void list(const cancel_scope* top) noexcept { listed_ = top; }
    /// Thread: any.
    [[nodiscard]] loop_counters counters() const noexcept;
    /// Thread: any may read them.
    [[nodiscard]] session_counters& sessions() noexcept { return sessions_; }
    [[nodiscard]] const session_counters& sessions() const noexcept { return sessions_; }
    /// Through it other threads read the counters; made on first use. Errors: std::bad_alloc.
    std::shared_ptr<loop_gate> gate();
    /// Whether somebody reads the counters.
    [[nodiscard]] bool is_measured() const noexcept { return gate_ != nullptr; }
    /// The coroutine that runs now; null: none. Thread: any, to compare; it can be looked into only
    /// while this loop's thread stands still, in a signal handler on it.
    [[nodiscard]] const frame* running() const noexcept {
        return running_frame_.load(std::memory_order_relaxed);
    }
    /// Frames that were made while the loop ran and have not been destroyed: 0 once all its tasks
    /// have ended, but for frames made before it ran.
    [[nodiscard]] std::int64_t frames_alive() const noexcept;

    /// False in a child of fork(), which must leave the loop alone.
    [[nodiscard]] bool is_of_this_process() const noexcept;

    /// Who is told of signals; null when nobody watches them for this loop.
    [[nodiscard]] signal_hub* signals() const noexcept { return signals_; }
    void set_signals(signal_hub* hub) noexcept { signals_ = hub; }

    /// The queue through which other threads reach this loop; made on first use.
    std::shared_ptr<detail::mailbox> mailbox();

private:
    friend loop_ref;

    template <bool recorded>
    void run_from(op_queue& queue);
    void run_turn(op_queue& queue);
    void wait();
    void collect();
    void collect_until(time_point until);
    step_result run_once();
    void collect_recorded(time_point until);
    bool found_by_spinning();
    template <bool recorded>
    void drive(frame& first);
    void note_resume(const frame& at) noexcept;
    void note_suspend(const frame& at, bool in_turn) noexcept;
    void note_end(const cancel_scope& scope) noexcept;
    void note_wake() noexcept;
    bool submit_recorded(operation& op) noexcept;
    [[nodiscard]] bool turn_is_over() noexcept;
    [[nodiscard]] bool another_slice() noexcept;
    void fire_timers(time_point now);
    bool take_posted();
    [[nodiscard]] bool is_stuck() const noexcept;
    int this_process() const noexcept;
    void check_process() const noexcept;

    std::uint32_t spent_ = 0;  // in this turn; the backend adds to it
    std::unique_ptr<detail::backend> backend_;
    std::unique_ptr<frame_pool> frames_;
    op_queue ready_;
    timer_heap timers_;
    std::atomic<const frame*> running_frame_{nullptr};
    frame* next_ = nullptr;
    cancel_scope* next_scope_ = nullptr;
    spawned* retired_ = nullptr;
    const op_queue* others_ = &ready_;  // who waits while a coroutine runs
    std::uint32_t pause_at_ = 0;        // so much of it ends the slice of who runs
    std::uint32_t look_at_clock_ = 0;
    time_point turn_ends_ = never;
    duration spin_{};
    std::uint32_t spin_failures_ = 0;  // in a row
    std::uint32_t spin_pause_ = 0;     // sleeps until it is tried again
    std::uint32_t tasks_ = 0;
    bool running_ = false;
    bool keeps_ages_ = false;
    time_point turn_began_{};
    loop_counters counters_;
    session_counters sessions_;
    std::shared_ptr<loop_gate> gate_;
    std::unique_ptr<recorder> record_;
    std::shared_ptr<detail::mailbox> mailbox_;
    signal_hub* signals_ = nullptr;
    stuck_listener* stuck_ = nullptr;
    const cancel_scope* listed_ = nullptr;
    const std::atomic<int>* process_mark_;  // null, or holds another value in a child of fork()
    int process_;                           // that made it
    loop_ref::life* life_;
};

inline loop_ref::loop_ref(loop& which) noexcept : life_(which.life_) {
    life_->known.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace anel::detail
