// environment.cpp: what a figure depends on besides the program: machine, kernel, limits, compiler.
//
// See environment.hpp. The build's own facts come in through macros set by CMakeLists.txt.
//
// SPDX-License-Identifier: MIT
#include "common/environment.hpp"

#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "common/text.hpp"
#include "common/unique_fd.hpp"
#include "revision.hpp"

namespace anel_bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* not_exposed = "not exposed";

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) return not_exposed;
    std::replace(line.begin(), line.end(), '\t', ' ');
    return line;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        // x86 says "model name", s390 "processor", POWER "cpu"; ARM names no model at all.
        if (!line.starts_with("model name") && !line.starts_with("cpu\t")) continue;
        const auto colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return not_exposed;
}

std::string hypervisor() {
#if defined(__x86_64__) || defined(__i386__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned hypervisor_present = 1U << 31U;  // leaf 1, ECX
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & hypervisor_present) == 0) return "none";
    constexpr unsigned hypervisor_leaf = 0x40000000;  // not below the limit __get_cpuid checks
    __cpuid(hypervisor_leaf, a, b, c, d);
    std::string vendor(12, '\0');
    std::memcpy(vendor.data(), &b, 4);
    std::memcpy(vendor.data() + 4, &c, 4);
    std::memcpy(vendor.data() + 8, &d, 4);
    std::erase_if(vendor, [](unsigned char letter) { return std::isprint(letter) == 0; });
    if (vendor == "KVMKVMKVM") return "KVM";
    if (vendor == "Microsoft Hv") return "Hyper-V";
    if (vendor == "VMwareVMware") return "VMware";
    if (vendor == "XenVMMXenVMM") return "Xen";
    return vendor.empty() ? "unnamed" : vendor;
#else
    return first_line("/sys/hypervisor/type");
#endif
}

std::string container() {
    if (access("/.dockerenv", F_OK) == 0) return "docker";
    if (access("/run/.containerenv", F_OK) == 0) return "podman";
    return "none seen";
}

std::string hardware_counters() {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_CPU_CYCLES;
    attributes.exclude_kernel = 1;
    const unique_fd fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0)));
    return fd ? "yes" : format("no (%s)", std::strerror(errno));
}

std::string limit(auto resource) {  // an enumeration in glibc, an int elsewhere
    rlimit limits{};
    if (getrlimit(resource, &limits) != 0) return not_exposed;
    const auto text = [](rlim_t value) {
        return value == RLIM_INFINITY ? std::string("unlimited") : std::to_string(value);
    };
    return text(limits.rlim_cur) + " (hard " + text(limits.rlim_max) + ")";
}

fact_group machine() {
    const fs::path cpu = "/sys/devices/system/cpu";
    return {"machine",
            {{"cpu", cpu_model()},
             {"cpus_online", std::to_string(sysconf(_SC_NPROCESSORS_ONLN))},
             {"hypervisor", hypervisor()},
             {"container", container()},
             {"smt_active", first_line(cpu / "smt/active")},
             {"governor", first_line(cpu / "cpu0/cpufreq/scaling_governor")},
             {"no_turbo", first_line(cpu / "intel_pstate/no_turbo")},
             {"clock_source",
              first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource")},
             {"hardware_counters", hardware_counters()},
             {"empty_system_call_ns", format("%.0f", empty_system_call_ns())},
             {"memory_bytes", std::to_string(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE))},
             {"load_average", first_line("/proc/loadavg")}}};
}

fact_group kernel() {
    utsname name{};
    uname(&name);
    return {"kernel",
            {{"release", name.release}, {"version", name.version}, {"machine", name.machine}}};
}

fact_group mitigations() {
    fact_group group{"mitigations", {}};
    std::error_code error;
    for (const auto& entry :
         fs::directory_iterator("/sys/devices/system/cpu/vulnerabilities", error)) {
        group.facts.emplace_back(entry.path().filename().string(), first_line(entry.path()));
    }
    std::sort(group.facts.begin(), group.facts.end());
    return group;
}

fact_group build() {
    return {"build",
            {{"revision", ANEL_BENCH_REVISION},
             {"compiler", ANEL_BENCH_COMPILER},
             {"build_type", ANEL_BENCH_BUILD_TYPE},
             {"flags", ANEL_BENCH_FLAGS},
             {"options", ANEL_BENCH_OPTIONS},
             {"optimised", built_optimised() ? "yes" : "no"},
             {"liburing", ANEL_BENCH_LIBURING}}};
}

fact_group sysctls() {
    fact_group group{"sysctl", {}};
    for (const char* name :
         {"kernel/io_uring_disabled", "kernel/perf_event_paranoid", "net/core/somaxconn",
          "net/core/rmem_max", "net/core/wmem_max", "net/core/busy_poll", "net/core/busy_read",
          "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control",
          "net/ipv4/tcp_max_syn_backlog", "net/ipv4/ip_local_port_range"}) {
        std::string dotted = name;
        std::replace(dotted.begin(), dotted.end(), '/', '.');
        group.facts.emplace_back(dotted, first_line(fs::path("/proc/sys") / name));
    }
    return group;
}

fact_group limits() {
    return {"limits",
            {{"descriptors", limit(RLIMIT_NOFILE)},
             {"locked_memory_bytes", limit(RLIMIT_MEMLOCK)},
             {"processes", limit(RLIMIT_NPROC)}}};
}

}  // namespace

std::vector<fact_group> read_environment() {
    return {kernel(), machine(), mitigations(), build(), sysctls(), limits()};
}

std::string environment_text(const std::vector<fact_group>& groups) {
    std::size_t longest = 0;
    for (const auto& group : groups) {
        for (const auto& [name, value] : group.facts) longest = std::max(longest, name.size());
    }
    std::string text;
    for (const auto& group : groups) {
        text += group.name + "\n";
        for (const auto& [name, value] : group.facts) {
            text += format("  %-*s  %s\n", static_cast<int>(longest), name.c_str(), value.c_str());
        }
    }
    return text;
}

std::string environment_line() {
    utsname name{};
    uname(&name);
    return format("Linux %s, %s, %ld CPUs, hypervisor: %s", name.release, cpu_model().c_str(),
                  sysconf(_SC_NPROCESSORS_ONLN), hypervisor().c_str());
}

namespace {
double best_system_call_ns() {
    using clock = std::chrono::steady_clock;
    constexpr int calls = 2000, tries = 200;  // some 50 ms
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < tries; ++i) {
        const auto begins = clock::now();
        for (int n = 0; n < calls; ++n) syscall(SYS_getppid);
        const std::chrono::duration<double, std::nano> took = clock::now() - begins;
        best = std::min(best, took.count() / calls);
    }
    return best;
}
}  // namespace

double empty_system_call_ns() {
    static const double measured = best_system_call_ns();  // one figure for all of a report
    return measured;
}

bool built_optimised() {
#ifdef __OPTIMIZE__
    return true;
#else
    return false;
#endif
}

}  // namespace anel_bench
