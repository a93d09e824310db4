// watch.hpp: a thread that looks at a loop from outside: it prints what the tasks wait for when
// somebody asks, and tells of a task that does not give way.
//
// The loop is asked first. Only when it does not answer is its thread interrupted (glimpse.hpp).
// Knows: the loop, its hub of signals, the asking signal and socket. Must not know: tasks.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/start/glimpse.hpp"
#include "runtime/start/signal_hub.hpp"
#include "runtime/system/system.hpp"

#include <anel/run.hpp>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace anel::detail {

class loop_watch {
public:
    /// To be called on the loop's thread. Errors: io_error for a signal that cannot be watched, and
    /// where the system refuses what a watch needs.
    loop_watch(loop& of, const run_options& options);
    loop_watch(const loop_watch&) = delete;
    loop_watch& operator=(const loop_watch&) = delete;
    ~loop_watch();

    /// For the loop's thread. From now on the loop can be asked through `socket`.
    void ask_through(int socket) noexcept;
    /// The loop was asked.
    void answer() noexcept;

private:
    void run() noexcept;
    void look() noexcept;
    void keep_from_tasks();
    std::string listing();
    [[nodiscard]] std::string headline() const;
    [[nodiscard]] std::string held_up(const glimpse& seen) const;
    void talk_to_inspector();
    void look_for_stall();
    void tell(const stall& what);

    loop& of_;
    const std::chrono::nanoseconds stall_after_;
    const std::function<void(const stall&)> on_stall_;
    const pthread_t looked_at_;
    signal_watch signals_;
    int own_signal_ = 0;    // what asks; 0: nothing does
    bool blocked_ = false;  // in the loop's thread, by this object
    int inspectors_ = -1;   // the listening socket
    wake_signal end_;
    std::atomic<bool> ends_{false};
    bool no_room_ = false;  // for another inspector

    std::mutex mutex_;
    std::condition_variable changed_here_;
    int socket_ = -1;
    std::string answer_;
    bool heard_ = false;
    bool has_answer_ = false;

    std::uint64_t resumes_ = 0;  // when it was last seen to change, at this time
    time_point changed_{};
    duration tell_again_{};
    time_point told_{};
    std::uint64_t untold_ = 0;

    std::thread thread_;
};

}  // namespace anel::detail
