// clocks.cpp: how much CPU time a process and the whole machine have used.
//
// See clocks.hpp.
//
// SPDX-License-Identifier: MIT
#include "clocks.hpp"

#include <time.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

namespace anel_bench {

std::optional<std::chrono::nanoseconds> process_cpu(pid_t pid) {
    clockid_t clock = 0;
    timespec time{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

machine_time read_machine_time() {
    std::ifstream file("/proc/stat");
    std::string label;
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal
    std::array<std::int64_t, 8> ticks{};
    file >> label;
    for (auto& count : ticks) file >> count;
    const auto per_tick = std::chrono::nanoseconds(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK);
    const auto busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
    return {busy * per_tick, ticks[7] * per_tick};
}

}  // namespace anel_bench
