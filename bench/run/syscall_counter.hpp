// syscall_counter.hpp: counts the system calls of another process with perf, else with strace.
//
// perf counts tracepoints of all threads, and instructions where the machine counts them.
// strace counts from when it attaches until it is told to end, and slows the server many times;
// the calls per request stay close. Neither belongs into a slice whose time is measured. Knows
// nothing of servers, nor of the load but when it begins and ends.
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
    std::string tool;  // perf or strace
    // Only perf knows these.
    std::uint64_t ring_completions = 0;  // of io_uring
    std::uint64_t ring_submissions = 0;
    std::optional<std::uint64_t> user_instructions;
};

class syscall_counter {
public:
    /// Attaches the better tool that works here; nothing when neither does. Threads that the
    /// process starts afterwards are counted too.
    static std::optional<syscall_counter> attach(pid_t pid, const interrupts& ctrl_c);

    /// Between the two it counts; strace from the beginning.
    void begins();
    void ends();
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
