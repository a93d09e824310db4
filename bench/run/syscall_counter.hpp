// syscall_counter.hpp: counts the system calls of another process with perf, else with strace.
//
// perf counts the tracepoints raw_syscalls:sys_enter and io_uring:io_uring_complete of all threads,
// exactly within the window.
// strace cannot be switched on and off, so it counts the whole run, connecting and ending included,
// and slows the server down many times; the calls per request stay close. Neither belongs into a
// run whose time is measured. Knows nothing of servers, nor of the load but when the window opens.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/process.hpp"

namespace anel_bench {

struct syscall_count {
    std::uint64_t calls = 0;
    std::uint64_t ring_completions = 0;  // of io_uring; only perf knows
    bool whole_run = false;              // strace: not only the window
};

class syscall_counter {
public:
    /// Attaches the better tool that works here; nothing when neither does. Attach before the load
    /// connects: threads the process starts afterwards are counted too.
    static std::optional<syscall_counter> attach(pid_t pid, const interrupts& ctrl_c);

    void window_opens();
    void window_closes();
    /// Ends the tool; nothing when it did not deliver.
    std::optional<syscall_count> finish();

private:
    enum class tool { perf, strace };

    syscall_counter(tool which, pid_t pid, const interrupts& ctrl_c);
    static std::optional<syscall_counter> try_attach(tool which, pid_t pid,
                                                     const interrupts& ctrl_c);
    [[nodiscard]] bool is_attached();
    [[nodiscard]] bool tell_perf(const std::string& word);

    tool tool_;
    const interrupts* ctrl_c_;
    // To and from `perf stat`, which starts disabled (-D -1) and takes "enable" and "disable"
    // through one pipe, answering "ack" through another (perf-stat(1), Linux 5.10).
    pipe_ends control_ = make_pipe();
    pipe_ends answer_ = make_pipe();
    pipe_ends report_ = make_pipe();  // what the tool prints
    child process_;
    bool obeyed_ = true;
};

}  // namespace anel_bench
