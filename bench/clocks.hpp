// clocks.hpp: how much CPU time a process and the whole machine have used.
//
// Reads the kernel's accounts; starts, stops and measures nothing itself.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

namespace anel_bench {

/// The CPU time of all threads of a process, ended ones and io_uring's workers included, to the
/// nanosecond (clock_getcpuclockid(3)). The running thread of another process is accounted up to
/// its last timer tick or switch, so a window has an error of a few milliseconds at most.
/// Returns  nothing when there is no such process; `pid` 0 is the caller.
std::optional<std::chrono::nanoseconds> process_cpu(pid_t pid);

/// What all CPUs together have done since the machine started, in ticks of 10 ms (/proc/stat).
struct machine_time {
    std::chrono::nanoseconds busy{0};
    std::chrono::nanoseconds stolen{0};  // wanted, but the hypervisor ran another guest
};
machine_time read_machine_time();

}  // namespace anel_bench
