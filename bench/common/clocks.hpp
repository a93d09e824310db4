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
#include <vector>

namespace anel_bench {

struct process_usage {
    /// CPU time of all threads, ended ones and io_uring's workers included, to the nanosecond
    /// (clock_getcpuclockid(3)). The running thread of another process is accounted up to its last
    /// timer tick or switch, so a window has an error of a few milliseconds at most.
    std::chrono::nanoseconds cpu{0};
    std::chrono::nanoseconds system{0};  // the part in the kernel, to 10 ms (proc_pid_stat(5))
    std::int64_t resident = 0;           // bytes of memory
    std::int64_t page_faults = 0;
};

/// Returns  nothing when there is no such process; `pid` 0 is the caller.
std::optional<process_usage> read_process(pid_t pid);

/// The CPU time alone, with one call.
std::optional<std::chrono::nanoseconds> read_process_cpu(pid_t pid);

/// Context switches of the threads that live. Costs a file for each thread.
std::int64_t read_context_switches(pid_t pid);

/// How long the threads that live were ready to run and had no CPU (schedstat, the kernel's
/// sched-stats.rst). Costs a file for each thread; `pid` 0 is the caller.
std::chrono::nanoseconds read_cpu_wait(pid_t pid);

/// What CPUs have done since the machine started, in ticks of 10 ms (proc_stat(5)).
struct cpu_time {
    std::chrono::nanoseconds busy{0};
    std::chrono::nanoseconds interrupts{0};  // the part of it in interrupts and softirqs
    std::chrono::nanoseconds stolen{0};      // wanted, but the hypervisor ran another guest
};
/// Of these CPUs together; of all when none is named.
cpu_time read_cpu_time(const std::vector<int>& cpus = {});

/// Whether this kernel takes the time of interrupts and softirqs, in which it receives packets, out
/// of what it charges processes (CONFIG_IRQ_TIME_ACCOUNTING); no when it does not say.
bool interrupts_are_apart();

}  // namespace anel_bench
