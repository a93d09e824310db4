// window.cpp: reads every account at the beginning and the end of the time that is measured.
//
// See window.hpp.
//
// SPDX-License-Identifier: MIT
#include "load/window.hpp"

namespace anel_bench {

measured_window::accounts measured_window::read() const {
    accounts now;
    now.own = read_process(0).value_or(process_usage{});
    now.waited = read_cpu_wait(0);
    // A server that has died has no accounts any more: then its connections are broken.
    if (options_.server_pid != 0) {
        now.server = read_process(options_.server_pid).value_or(process_usage{});
        // A file for each thread of the server: an open loop would be late meanwhile.
        if (options_.mode == load_mode::closed) {
            now.switches = read_context_switches(options_.server_pid);
        }
    }
    now.machine = read_cpu_time(options_.cpus);
    if (options_.interrupts_apart) {
        const auto of_server = read_cpu_time({options_.cpus.at(0)}).interrupts;
        now.server.cpu += of_server;
        now.server.system += of_server;
        now.own.cpu += read_cpu_time({options_.cpus.at(1)}).interrupts;
    }
    return now;
}

void measured_window::open() {
    before_ = read();
    opened_ = clock::now();
    closed_ = clock::time_point::max();
    open_ = true;
}

void measured_window::close(const std::optional<schedule>& due) {
    closed_ = clock::now();
    open_ = false;
    const accounts after = read();
    result_.elapsed = closed_ - opened_;
    result_.own_cpu = after.own.cpu - before_.own.cpu;
    result_.own_waited = after.waited - before_.waited;
    result_.server_cpu = after.server.cpu - before_.server.cpu;
    result_.server_system = after.server.system - before_.server.system;
    result_.server_switches = after.switches - before_.switches;
    result_.server_resident = after.server.resident;
    result_.machine_busy = after.machine.busy - before_.machine.busy;
    result_.machine_stolen = after.machine.stolen - before_.machine.stolen;
    if (due) result_.unsent = due->left_between(opened_, closed_);
    result_.offered += result_.unsent;
}

}  // namespace anel_bench
