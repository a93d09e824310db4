// clocks.cpp: what a process and the whole machine have used, from the kernel's accounts.
//
// See clocks.hpp.
//
// SPDX-License-Identifier: MIT
#include "common/clocks.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
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

struct stat_fields {
    std::int64_t faults = 0;        // 10 and 12 of proc_pid_stat(5)
    std::int64_t system_ticks = 0;  // 15
};

/// The name before the fields, in brackets, may hold anything.
stat_fields read_stat(const fs::path& process) {
    std::ifstream file(process / "stat");
    std::string line;
    std::getline(file, line);
    const auto name_ends = line.rfind(')');
    if (name_ends == std::string::npos) return {};
    std::istringstream fields(line.substr(name_ends + 1));
    std::string skipped;
    stat_fields all;
    for (int field = 3; field <= 15; ++field) {
        if (field != 10 && field != 12 && field != 15) {
            fields >> skipped;
            continue;
        }
        std::int64_t value = 0;
        fields >> value;
        (field == 15 ? all.system_ticks : all.faults) += value;
    }
    return all;
}

std::int64_t resident_bytes(const fs::path& process) {
    std::ifstream file(process / "statm");
    std::int64_t all = 0, resident = 0;
    file >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

std::optional<std::chrono::nanoseconds> read_process_cpu(pid_t pid) {
    clockid_t clock = 0;
    timespec time{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::optional<process_usage> read_process(pid_t pid) {
    const auto cpu = read_process_cpu(pid);
    if (!cpu) return {};
    const fs::path process = "/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid));
    process_usage usage;
    usage.cpu = *cpu;
    const stat_fields fields = read_stat(process);
    usage.system = ticks(fields.system_ticks);
    usage.page_faults = fields.faults;
    usage.resident = resident_bytes(process);
    return usage;
}

std::int64_t read_context_switches(pid_t pid) {
    const fs::path process = "/proc/" + std::to_string(pid);
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

std::chrono::nanoseconds read_cpu_wait(pid_t pid) {
    const fs::path process = "/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid));
    std::chrono::nanoseconds sum{0};
    std::error_code gone;
    for (const auto& thread : fs::directory_iterator(process / "task", gone)) {
        std::ifstream file(thread.path() / "schedstat");
        std::int64_t ran = 0, waited = 0;
        if (file >> ran >> waited) sum += std::chrono::nanoseconds(waited);
    }
    return sum;
}

cpu_time read_cpu_time(const std::vector<int>& cpus) {
    std::vector<std::string> wanted{"cpu"};
    if (!cpus.empty()) wanted.clear();
    for (const int cpu : cpus) wanted.push_back("cpu" + std::to_string(cpu));
    std::ifstream file("/proc/stat");
    cpu_time sum;
    for (std::string line; std::getline(file, line) && line.starts_with("cpu");) {
        std::istringstream fields(line);
        std::string label;
        fields >> label;
        if (std::find(wanted.begin(), wanted.end(), label) == wanted.end()) continue;
        // user, nice, system, idle, iowait, irq, softirq, steal
        std::array<std::int64_t, 8> counts{};
        for (auto& count : counts) fields >> count;
        sum.busy += ticks(counts[0] + counts[1] + counts[2] + counts[5] + counts[6]);
        sum.interrupts += ticks(counts[5] + counts[6]);
        sum.stolen += ticks(counts[7]);
    }
    return sum;
}

bool interrupts_are_apart() {
    // The configuration is a file, or compressed in one that the kernel makes.
    FILE* found =
        popen("zgrep -hs '^CONFIG_IRQ_TIME_ACCOUNTING=y' /boot/config-$(uname -r) /proc/config.gz "
              "2>/dev/null",
              "r");
    if (found == nullptr) return false;
    const bool apart = std::fgetc(found) != EOF;
    pclose(found);
    return apart;
}

}  // namespace anel_bench
