// clocks.hpp: what a process and the whole machine have used, from the kernel's accounts.
//
// Starts, stops and measures nothing itself.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace anel_bench {

struct process_usage {
    /// CPU time of all threads, ended ones and io_uring's workers included, to the nanosecond
    /// (clock_getcpuclockid(3)). The running thread of another process is accounted up to its last
    /// timer tick or switch, so a window has an error of a few milliseconds at most.
    std::chrono::nanoseconds cpu{0};
    std::chrono::nanoseconds system{0};  // the part in the kernel, to 10 ms (proc_pid_stat(5))
    std::int64_t switches = 0;           // context switches of the threads that live
    std::int64_t resident = 0;           // bytes of memory
};

/// Returns  nothing when there is no such process; `pid` 0 is the caller.
std::optional<process_usage> read_process(pid_t pid);

/// What all CPUs together have done since the machine started, in ticks of 10 ms (/proc/stat).
struct machine_time {
    std::chrono::nanoseconds busy{0};
    std::chrono::nanoseconds stolen{0};  // wanted, but the hypervisor ran another guest
};
machine_time read_machine_time();

}  // namespace anel_bench
