// clocks.cpp: what a process and the whole machine have used, from the kernel's accounts.
//
// See clocks.hpp.
//
// SPDX-License-Identifier: MIT
#include "clocks.hpp"

#include <time.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace anel_bench {
namespace {

namespace fs = std::filesystem;

std::chrono::nanoseconds ticks(std::int64_t count) {
    return count * (std::chrono::nanoseconds(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK));
}

/// Field 15 of proc_pid_stat(5); the name before it, in brackets, may hold anything.
std::int64_t system_ticks(const fs::path& process) {
    std::ifstream file(process / "stat");
    std::string line;
    std::getline(file, line);
    const auto name_ends = line.rfind(')');
    if (name_ends == std::string::npos) return 0;
    std::istringstream fields(line.substr(name_ends + 1));
    std::string skipped;
    for (int field = 3; field < 15; ++field) fields >> skipped;
    std::int64_t value = 0;
    fields >> value;
    return value;
}

std::int64_t context_switches(const fs::path& process) {
    std::int64_t sum = 0;
    std::error_code gone;
    for (const auto& thread : fs::directory_iterator(process / "task", gone)) {
        std::ifstream file(thread.path() / "status");
        for (std::string line; std::getline(file, line);) {
            if (line.find("voluntary_ctxt_switches:") == std::string::npos) continue;
            sum += std::atoll(line.c_str() + line.find(':') + 1);
        }
    }
    return sum;
}

std::int64_t resident_bytes(const fs::path& process) {
    std::ifstream file(process / "statm");
    std::int64_t all = 0, resident = 0;
    file >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

std::optional<process_usage> read_process(pid_t pid) {
    clockid_t clock = 0;
    timespec time{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
    const fs::path process = "/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid));
    process_usage usage;
    usage.cpu = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    usage.system = ticks(system_ticks(process));
    usage.switches = context_switches(process);
    usage.resident = resident_bytes(process);
    return usage;
}

machine_time read_machine_time() {
    std::ifstream file("/proc/stat");
    std::string label;
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal
    std::array<std::int64_t, 8> counts{};
    file >> label;
    for (auto& count : counts) file >> count;
    return {ticks(counts[0] + counts[1] + counts[2] + counts[5] + counts[6]), ticks(counts[7])};
}

}  // namespace anel_bench
