// syscall_counter.cpp: counts the system calls of another process with perf, else with strace.
//
// See syscall_counter.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/syscall_counter.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

deadline soon() { return std::chrono::steady_clock::now() + 5s; }  // to attach, obey or print

constexpr const char* call_event = "raw_syscalls:sys_enter";
constexpr const char* completion_event = "io_uring:io_uring_complete";
constexpr const char* submission_event = "io_uring:io_uring_submit_req";
constexpr const char* instruction_event = "instructions:u";

/// "184467,,raw_syscalls:sys_enter,…", or "<not counted>" in place of the number.
std::optional<std::uint64_t> count_of_perf(const std::string& line, const char* event) {
    if (line.find(event) == std::string::npos) return {};
    char* end = nullptr;
    const auto calls = std::strtoull(line.c_str(), &end, 10);
    if (end == line.c_str()) return {};
    return calls;
}

/// "100.00    0.000000           0        29         1 total"
std::optional<std::uint64_t> count_of_strace(const std::string& line) {
    if (!line.ends_with(" total")) return {};
    std::istringstream words(line);
    double percent = 0, seconds = 0, microseconds_per_call = 0;
    std::uint64_t calls = 0;
    if (!(words >> percent >> seconds >> microseconds_per_call >> calls)) return {};
    return calls;
}

command perf(pid_t pid, int control, int answer, int report) {
    command program;
    program.path = "perf";
    program.arguments = {"stat", "-x", ",", "-e", call_event, "-e", instruction_event, "-D", "-1"};
    for (const char* event : {completion_event, submission_event}) {
        std::string file = event;
        file.replace(file.find(':'), 1, "/");
        if (access(("/sys/kernel/tracing/events/" + file).c_str(), F_OK) == 0) {
            program.arguments.insert(program.arguments.end(), {"-e", event});
        }
    }
    program.arguments.insert(program.arguments.end(),
                             {"--control", "fd:3,4", "-p", std::to_string(pid)});
    program.descriptors = {{control, 3}, {answer, 4}, {report, STDERR_FILENO}};
    program.environment = {{"LC_ALL", "C"}};
    return program;
}

command strace(pid_t pid, int report) {
    command program;
    program.path = "strace";
    program.arguments = {"-c", "-f", "-p", std::to_string(pid)};
    program.descriptors = {{report, STDERR_FILENO}};
    program.environment = {{"LC_ALL", "C"}};
    return program;
}

}  // namespace

std::optional<syscall_counter> syscall_counter::attach(pid_t pid, const interrupts& ctrl_c) {
    auto counter = try_attach(tool::perf, pid, ctrl_c);
    if (!counter) counter = try_attach(tool::strace, pid, ctrl_c);
    return counter;
}

std::optional<syscall_counter> syscall_counter::try_attach(tool which, pid_t pid,
                                                           const interrupts& ctrl_c) {
    try {
        syscall_counter counter(which, pid, ctrl_c);
        if (counter.is_attached()) return counter;
        return {};
    } catch (const std::system_error&) {
        return {};  // not installed: the next tool may be
    }
}

syscall_counter::syscall_counter(tool which, pid_t pid, const interrupts& ctrl_c)
    : tool_(which),
      ctrl_c_(&ctrl_c),
      process_(child::execute(which == tool::perf ? perf(pid, control_.read.get(),
                                                         answer_.write.get(), report_.write.get())
                                                  : strace(pid, report_.write.get()))) {
    answer_.write.reset();  // so that the tool's end shows as the end of what it writes
    report_.write.reset();
}

bool syscall_counter::is_attached() {
    if (tool_ == tool::perf) return tell_perf("disable");  // it answers once it is attached
    const auto line = read_line(report_.read.get(), *ctrl_c_, soon());
    return line && line->find("attached") != std::string::npos;
}

bool syscall_counter::tell_perf(const std::string& word) {
    const std::string line = word + "\n";
    // Never SIGPIPE: our copy of the reading end is open. A perf that has ended does not answer.
    if (write(control_.write.get(), line.data(), line.size()) < 0) return false;
    const auto reply = read_line(answer_.read.get(), *ctrl_c_, soon());
    return reply && reply->find("ack") != std::string::npos;
}

void syscall_counter::begins() {
    if (tool_ == tool::perf) obeyed_ = tell_perf("enable") && obeyed_;
}

void syscall_counter::ends() {
    if (tool_ == tool::perf) obeyed_ = tell_perf("disable") && obeyed_;
}

std::optional<syscall_count> syscall_counter::finish() {
    kill(process_.pid(), SIGINT);  // both detach and print
    syscall_count result;
    std::optional<std::uint64_t> calls;
    const bool perf = tool_ == tool::perf;
    result.tool = perf ? "perf" : "strace";
    while (const auto line = read_line(report_.read.get(), *ctrl_c_, soon())) {
        if (const auto found = perf ? count_of_perf(*line, call_event) : count_of_strace(*line)) {
            calls = found;
        }
        if (!perf) continue;
        result.ring_completions += count_of_perf(*line, completion_event).value_or(0);
        result.ring_submissions += count_of_perf(*line, submission_event).value_or(0);
        if (const auto found = count_of_perf(*line, instruction_event)) {
            result.user_instructions = found;
        }
    }
    if (!obeyed_ || !calls) return {};
    result.calls = *calls;
    return result;
}

}  // namespace anel_bench
