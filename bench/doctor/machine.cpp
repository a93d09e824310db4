// machine.cpp: kernel, processors, container and VM; and what disturbs a measurement or a debugger.
//
// SPDX-License-Identifier: MIT
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "common/text.hpp"
#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

finding examine_kernel(const facts& environment) {
    const std::string release = fact(environment, "kernel", "release");
    finding found{state::ok, "kernel", "Linux " + release, "", ""};
    int major = 0, minor = 0;
    if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
        found.how = state::note;
        found.means = "its version is not known";
    } else if (major < 6 || (major == 6 && minor < 1)) {
        found.how = state::note;
        found.means = "io_uring needs 5.11 (or 5.10.162), and its best mode 6.1";
        found.mend = "run on Linux 6.1 or newer";
    }
    return found;
}

finding examine_processors() {
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    finding found{state::ok, "processors", format("%ld online", online), "", ""};
    if (known && CPU_COUNT(&allowed) < online) {
        found.how = state::note;
        found.value += format(", %d for this process", CPU_COUNT(&allowed));
        found.means = "the affinity mask keeps loops to these; more loops only take turns";
        found.mend = "taskset or AllowedCPUs= gave the mask: start without it";
    }
    return found;
}

finding examine_governor(const facts& environment) {
    const std::string governor = fact(environment, "machine", "governor");
    finding found{state::ok, "cpu governor", governor, "", ""};
    if (governor == "performance") return found;
    found.how = state::note;
    found.means = governor == not_known ? "as in most VMs: the host decides how fast a processor is"
                                        : "a processor wakes up slow: latencies differ by the load";
    if (governor != not_known) found.mend = "cpupower frequency-set -g performance, to measure";
    return found;
}

finding examine_turbo(const facts& environment) {
    const auto off = number_in(fact(environment, "machine", "no_turbo"));  // intel_pstate
    const auto boost = number_of("/sys/devices/system/cpu/cpufreq/boost");
    if (!off && !boost) return {state::note, "turbo", not_known, "as in most VMs", ""};
    if (off.value_or(0) == 1 || boost.value_or(1) == 0) return {state::ok, "turbo", "off", "", ""};
    const char* file = off ? "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
                           : "echo 0 > /sys/devices/system/cpu/cpufreq/boost";
    return {state::note, "turbo", "on", "figures fall while the processor warms up",
            std::string(file) + ", to measure"};
}

finding examine_load(const facts& environment) {
    std::string load = fact(environment, "machine", "load_average");
    // "0.42 0.55 0.14 5/167 15038": the last minute, five, fifteen; then processes.
    if (const auto slash = load.find('/'); slash != std::string::npos) {
        load.resize(load.rfind(' ', slash));
    }
    const double last_minute = std::strtod(load.c_str(), nullptr);
    if (load == not_known || last_minute < 0.5) return {state::ok, "load average", load, "", ""};
    return {state::note, "load average", load,
            "others use the processors: figures that are measured now are theirs as well",
            "stop them, to measure; top shows who it is"};
}

finding examine_perf() {
    constexpr unsigned cap_perfmon = 38;  // capabilities(7), 5.8
    const auto level = sysctl("kernel.perf_event_paranoid");
    finding found{state::ok, "kernel.perf_event_paranoid", text_or_not_known(level),
                  "perf may look at a program of the same user", ""};
    if (level && (*level <= 2 || has_capability(cap_perfmon))) return found;
    found.how = state::note;
    found.means = "perf is for root: above 2 in Debian and Android, perf_event_open(2)";
    if (level) found.mend = "sysctl kernel.perf_event_paranoid=2";
    return found;
}

finding examine_ptrace() {
    constexpr unsigned cap_sys_ptrace = 19;
    const char* name = "kernel.yama.ptrace_scope";
    const auto scope = sysctl(name);
    // Without the Yama module there is no such file, and no such rule.
    if (!scope || *scope == 0) {
        return {scope ? state::ok : state::note, name, text_or_not_known(scope),
                scope ? "gdb -p attaches to programs of the same user"
                      : "a kernel without Yama lets gdb -p attach to programs of the same user",
                ""};
    }
    finding found{state::note, name, std::to_string(*scope),
                  "gdb -p attaches to nothing, until the machine starts anew", ""};
    if (*scope > 2) return found;
    found.means = "gdb -p attaches to what gdb started, or as root";
    found.mend = "sudo gdb -p PID, or sysctl kernel.yama.ptrace_scope=0";
    if (has_capability(cap_sys_ptrace)) {
        found.how = state::ok;
        found.mend.clear();
    }
    return found;
}

}  // namespace

findings examine_machine(const facts& environment) {
    const std::string vm = fact(environment, "machine", "hypervisor");
    const std::string container = container_of(environment);
    finding kernel = examine_kernel(environment);
    finding processors = examine_processors();
    finding host{state::ok, "virtual machine", vm, "", ""};
    if (vm != "none" && vm != not_known) {
        host.how = state::note;
        host.means = "its neighbours on the host take part in each figure";
    }
    finding inside{state::ok, "container", container, "", ""};
    if (container != "none seen") {
        inside.how = state::note;
        inside.means = "its runtime sets limits, and a filter of system calls";
    }
    return {std::move(kernel),
            {state::ok, "architecture", fact(environment, "kernel", "machine"), "", ""},
            std::move(processors),
            std::move(host),
            std::move(inside)};
}

findings examine_measuring(const facts& environment) {
    return {examine_governor(environment), examine_turbo(environment), examine_load(environment),
            examine_perf(), examine_ptrace()};
}

}  // namespace anel_bench::doctor
