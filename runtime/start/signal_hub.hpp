// signal_hub.hpp: who is told of a signal: the tasks that wait for it, or the root task, by a
// cancel.
//
// Knows: the watch, and the group in which the bytes of the watch are received.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/start/signals.hpp"

#include <anel/detail/wait_list.hpp>
#include <anel/task_group.hpp>

#include <array>

namespace anel::detail {

class loop_watch;

class signal_hub {
public:
    signal_hub() noexcept = default;
    signal_hub(const signal_hub&) = delete;
    signal_hub& operator=(const signal_hub&) = delete;
    /// A signal that would have cancelled `root`, had it come earlier, has its usual effect now.
    ~signal_hub();

    /// From now on, and until `beside` ends, signals are received in it, as soon as one is watched.
    void attach(task_group& beside, cancel_scope& root) noexcept;
    /// The first SIGINT or SIGTERM cancels the root task; a second one has its usual effect.
    /// Returns 0 or -errno. Errors: std::bad_alloc.
    int watch_stop_signals();
    /// Tasks wait for `number`. Returns 0 or -errno. Errors: std::bad_alloc.
    int watch(int number);

    /// The operations in flight that are its own.
    [[nodiscard]] const std::uint64_t& in_flight() const noexcept { return in_flight_; }
    /// Whether SIGINT or SIGTERM would cancel the root task.
    [[nodiscard]] bool can_be_stopped() const noexcept;
    /// Whether a task waits for a signal.
    [[nodiscard]] bool is_awaited() const noexcept;

    /// From now on a byte that somebody writes to the watch's socket in place of a signal, this
    /// one, has `whom` called. Returns the socket or -errno. Errors: std::bad_alloc.
    static constexpr char ask = 100;
    static_assert(ask > signal_watch::largest_number);
    int answer_with(loop_watch& whom);

    /// Whether `number` came while nobody waited; asked once.
    [[nodiscard]] bool take_pending(int number) noexcept;
    /// The signal that has cancelled the root task, or 0.
    [[nodiscard]] int stopped_by() const noexcept { return stopped_by_; }
    [[nodiscard]] wait_list& waiters(int number) noexcept {
        return signals_[static_cast<std::size_t>(number)].waiters;
    }

private:
    struct entry {
        wait_list waiters;
        bool awaited = false;  // by tasks, now or earlier
        bool pending = false;
    };

    int open();
    static spawned::handle_type receive(signal_hub& hub);
    void arrived(int number) noexcept;
    [[nodiscard]] bool stops_root(int number) const noexcept;

    signal_watch watch_;
    std::uint64_t in_flight_ = 0;
    loop_watch* asked_by_ = nullptr;
    task_group* beside_ = nullptr;
    cancel_scope* root_ = nullptr;
    int stopped_by_ = 0;
    std::array<entry, signal_watch::largest_number + 1> signals_;
};

}  // namespace anel::detail
