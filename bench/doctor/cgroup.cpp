// cgroup.cpp: how much of the processors and of the memory the groups of this process may use.
//
// The tightest limit of the group and those around it counts. In a container the path that the
// kernel tells may lead out of what is mounted; its last step, the root, is the container's own.
// Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
//
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/text.hpp"
#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

namespace fs = std::filesystem;

const fs::path mounted = "/sys/fs/cgroup";

// Does "4:cpu,cpuacct:/a" name the controller "cpu"? Version 2 has one line, "0::/a", for all.
bool concerns(std::string_view controllers, std::string_view controller) {
    for (; !controllers.empty();) {
        const auto one = controllers.substr(0, controllers.find(','));
        if (one == controller) return true;
        controllers.remove_prefix(std::min(one.size() + 1, controllers.size()));
    }
    return false;
}

// The folders of the groups, from the process's own to the root, for both versions.
std::vector<fs::path> folders_of(const std::string& controller) {
    std::vector<fs::path> found;
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const auto name = line.find(':');
        const auto path = line.find(':', name + 1);
        if (name == std::string::npos || path == std::string::npos) continue;
        const std::string controllers = line.substr(name + 1, path - name - 1);
        if (!controllers.empty() && !concerns(controllers, controller)) continue;
        std::error_code error;
        fs::path base = mounted / controller;
        if (controllers.empty()) {
            base = fs::exists(mounted / "unified", error) ? mounted / "unified" : mounted;
        }
        if (!fs::exists(base, error)) continue;
        fs::path group = fs::path(line.substr(path + 1)).relative_path();
        for (; !group.empty(); group = group.parent_path()) found.push_back(base / group);
        found.push_back(base);
    }
    return found;
}

// How many processors a group may use: "50000 100000" or, for no limit, "max 100000".
std::optional<double> quota_in(const fs::path& group) {
    std::istringstream line(line_of(group / "cpu.max").value_or(""));
    double quota = 0, period = 0;
    if (line >> quota >> period && period > 0) return quota / period;
    const auto old_quota = number_of(group / "cpu.cfs_quota_us");
    const auto old_period = number_of(group / "cpu.cfs_period_us");
    if (!old_quota || !old_period || *old_quota <= 0 || *old_period <= 0) return std::nullopt;
    return static_cast<double>(*old_quota) / static_cast<double>(*old_period);
}

std::optional<double> memory_in(const fs::path& group) {
    constexpr double no_limit = 1ULL << 62;  // of version 1: all pages that a number can count
    auto bytes = number_of(group / "memory.max");
    if (!bytes) bytes = number_of(group / "memory.limit_in_bytes");
    if (!bytes || static_cast<double>(*bytes) >= no_limit) return std::nullopt;
    return static_cast<double>(*bytes);
}

struct tightest {
    bool known = false;
    std::optional<double> limit;
};

tightest tightest_of(const std::string& controller,
                     std::optional<double> (*read)(const fs::path&)) {
    tightest found;
    for (const auto& group : folders_of(controller)) {
        found.known = true;
        const auto limit = read(group);
        if (limit) found.limit = std::min(*limit, found.limit.value_or(*limit));
    }
    return found;
}

}  // namespace

findings examine_cgroup() {
    finding processors{state::ok, "cgroup processors", "no limit", "", ""};
    const auto quota = tightest_of("cpu", quota_in);
    if (quota.limit) {
        processors.value = format("%.2f", *quota.limit);
        processors.means = "a group that has used its share stands still for the rest of 100 ms";
        const auto online = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
        if (*quota.limit < online) {
            processors.how = state::note;
            processors.mend = "run no more loops than that, or raise it: CPUQuota= of systemd, "
                              "docker run --cpus";
        }
    } else if (!quota.known) {
        processors.how = state::note;
        processors.value = not_known;
    }

    constexpr double mebibyte = 1 << 20;
    constexpr double enough = 512 * mebibyte;
    finding memory{state::ok, "cgroup memory", "no limit", "", ""};
    const auto bytes = tightest_of("memory", memory_in);
    if (bytes.limit) {
        memory.value = format("%.0f MiB", *bytes.limit / mebibyte);
        memory.means = "more, with what the kernel holds for sockets, ends the process; a loop "
                       "lends up to 256 MiB to recv()";
        if (*bytes.limit < enough) {
            memory.how = state::note;
            memory.mend = "raise it: MemoryMax= of systemd, docker run --memory";
        }
    } else if (!bytes.known) {
        memory.how = state::note;
        memory.value = not_known;
    }
    return {std::move(processors), std::move(memory)};
}

}  // namespace anel_bench::doctor
