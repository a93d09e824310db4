// topology.cpp: where server and load run: which CPUs, and which networks.
//
// See topology.hpp. Without privileges a user namespace gives the right to have networks at all.
//
// SPDX-License-Identifier: MIT
#include "common/topology.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "common/clocks.hpp"
#include "common/text.hpp"
#include "load/peer.hpp"
#include "report/report.hpp"

namespace anel_bench {
namespace {

void run_ip(const std::vector<std::string>& arguments, std::optional<int> network,
            const interrupts& ctrl_c) {
    command ip;
    ip.path = "ip";
    ip.arguments = arguments;
    ip.network = network;
    child running = child::execute(ip);
    const auto status = running.stop(0, std::chrono::seconds(5), ctrl_c);
    if (status.success()) return;
    std::string text = "ip";
    for (const auto& word : arguments) text += " " + word;
    throw std::runtime_error(text + ": " + status.text());
}

bool share_a_core(int one, int other) {
    std::ifstream file(format("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", one));
    std::string list;  // "0,32" or "0-1"
    std::getline(file, list);
    std::istringstream ranges(list);
    for (std::string range; std::getline(ranges, range, ',');) {
        int first = 0, last = 0;
        const int numbers = std::sscanf(range.c_str(), "%d-%d", &first, &last);
        if (numbers >= 1 && other >= first && other <= (numbers == 2 ? last : first)) return true;
    }
    return false;
}

void own_network() {
    const uid_t user = geteuid();
    const gid_t group = getegid();
    if (user == 0) {
        if (unshare(CLONE_NEWNET) != 0) fail("unshare CLONE_NEWNET");
        return;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) fail("unshare CLONE_NEWUSER");
    write_file("/proc/self/setgroups", "deny");  // or the kernel refuses the group map
    write_file("/proc/self/uid_map", format("0 %u 1", user));
    write_file("/proc/self/gid_map", format("0 %u 1", group));
}

}  // namespace

veth_pair::veth_pair(const interrupts& ctrl_c) {
    own_network();
    pipe_ends ready = make_pipe();
    const int tell = ready.write.get();
    holder_ = child::run(
        [tell] {
            const char outcome = unshare(CLONE_NEWNET) == 0 ? '+' : '-';
            if (write(tell, &outcome, 1) != 1) return 1;
            for (;;) pause();
        },
        {});
    ready.write.reset();
    char outcome = '-';
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    if (!ctrl_c.wait_readable(ready.read.get(), soon) || read(ready.read.get(), &outcome, 1) != 1 ||
        outcome != '+') {
        throw std::runtime_error("no network namespace for the servers");
    }
    const std::string pid = std::to_string(holder_->pid());
    network_ = unique_fd(open(("/proc/" + pid + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
    if (!network_) fail("open the servers' network");
    const int there = network_.get();
    run_ip({"link", "add", "load0", "type", "veth", "peer", "name", "server0", "netns", pid}, {},
           ctrl_c);
    run_ip({"address", "add", "10.213.0.1/24", "dev", "load0"}, {}, ctrl_c);
    run_ip({"address", "add", std::string(server_host) + "/24", "dev", "server0"}, there, ctrl_c);
    run_ip({"link", "set", "load0", "up"}, {}, ctrl_c);
    run_ip({"link", "set", "server0", "up"}, there, ctrl_c);
}

placement plan_placement() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    placement plan;
    plan.online = static_cast<std::size_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return plan;
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) cpus.push_back(cpu);
    }
    if (cpus.size() < 2) return plan;
    plan.server = cpus[0];
    const auto other = std::find_if(cpus.begin() + 1, cpus.end(),
                                    [&](int cpu) { return !share_a_core(cpus[0], cpu); });
    plan.siblings = other == cpus.end();
    plan.load = plan.siblings ? cpus[1] : *other;
    plan.interrupts_apart = interrupts_are_apart();
    return plan;
}

}  // namespace anel_bench
