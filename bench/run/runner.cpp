// runner.cpp: one measured run: a fresh server on its CPU, the load on another, everything stopped.
//
// The load child reports through a pipe: one byte when the window opens, one when it closes, one
// and the result at the end. Both ends are the same program, so the result travels as plain memory.
//
// SPDX-License-Identifier: MIT
#include "run/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>
#include <system_error>
#include <vector>

#include "common/clocks.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "run/syscall_counter.hpp"
#include "run/workloads.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto stop_grace = 3000ms;
// On top of warm-up and window: connecting thousands, and the last replies of slow servers.
constexpr auto load_grace = 60s;
// Shares of the two CPUs taken by others, above which a run says little.
constexpr double others_max = 0.05;
constexpr double stolen_max = 0.01;
constexpr char result_follows = 'r';
constexpr char failure_follows = 'f';

void write_all(int fd, const void* data, std::size_t size) {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t n = write(fd, bytes, size);
        if (n <= 0) _exit(1);  // the parent is gone
        bytes += n;
        size -= static_cast<std::size_t>(n);
    }
}

int load_child(const load_options& options, int pipe) {
    try {
        const load_result result =
            run_load(options, [&](load_event event) { write_all(pipe, &event, sizeof event); });
        write_all(pipe, &result_follows, 1);
        write_all(pipe, &result, sizeof result);
        return 0;
    } catch (const std::exception& error) {
        const std::string text = error.what();
        write_all(pipe, &failure_follows, 1);
        write_all(pipe, text.data(), text.size());
        return 1;
    }
}

std::size_t read_up_to(int fd, char* data, std::size_t size, const interrupts& ctrl_c,
                       deadline until) {
    std::size_t done = 0;
    while (done < size && ctrl_c.wait_readable(fd, until)) {
        const ssize_t n = read(fd, data + done, size - done);
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

/// Follows the load child's pipe to its end. Returns why there is no result, or nothing.
std::string follow_load(int pipe, load_result& result, syscall_counter* counter, deadline until,
                        const interrupts& ctrl_c) {
    char tag = 0;
    while (read_up_to(pipe, &tag, 1, ctrl_c, until) == 1) {
        if (tag == static_cast<char>(load_event::window_opens)) {
            if (counter != nullptr) counter->window_opens();
        } else if (tag == static_cast<char>(load_event::window_closes)) {
            if (counter != nullptr) counter->window_closes();
        } else if (tag == result_follows) {
            char* memory = reinterpret_cast<char*>(&result);
            const auto n = read_up_to(pipe, memory, sizeof result, ctrl_c, until);
            return n == sizeof result ? "" : "the load generator's result was cut short";
        } else {
            std::string text(500, '\0');
            text.resize(read_up_to(pipe, text.data(), text.size(), ctrl_c, until));
            return text;
        }
    }
    return std::chrono::steady_clock::now() < until ? "the load generator died"
                                                    : "the load generator hung and was killed";
}

std::string describe_errors(const load_result& load) {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    return format("%llu connections failed (%llu corrupted, %llu broken off, %llu unanswered); "
                  "first %s",
                  number(load.errors()), number(load.corrupted), number(load.broken),
                  number(load.unanswered), load.first_error.data());
}

}  // namespace

run_result run_once(const server_spec& spec, load_options load, const placement& places,
                    bool count_syscalls, const interrupts& ctrl_c) {
    run_result result;
    try {
        running_server server = start_server(spec, load, places, ctrl_c);
        result.details = server.details;
        load.server = server.address;
        load.sleeps = load.sleeps || !places.load;
        load.server_pid = server.process.pid();
        load.cpus = places.cpus();
        load.interrupts_apart = places.interrupts_apart;
        result.resident_before = read_process(load.server_pid).value_or(process_usage{}).resident;

        std::optional<syscall_counter> counter;
        if (count_syscalls) counter = syscall_counter::attach(load.server_pid, ctrl_c);

        pipe_ends reports = make_pipe();
        const int report_to = reports.write.get();
        child generator = child::run([&] { return load_child(load, report_to); }, places.load);
        reports.write.reset();
        const auto until =
            std::chrono::steady_clock::now() + load.warmup + load.window + load_grace;
        result.error = follow_load(reports.read.get(), result.load, counter ? &*counter : nullptr,
                                   until, ctrl_c);
        if (result.error.empty() && result.load.errors() > 0) {
            result.error = describe_errors(result.load);
        } else if (result.error.empty() && result.load.requests == 0) {
            result.error = "no reply within the window";
        }

        if (counter) {
            const auto count = counter->finish();
            const bool whole_run = count && count->whole_run;
            const auto of = whole_run ? result.load.requests_run : result.load.requests;
            result.counted_with = whole_run ? "strace" : "perf";
            // Of a whole run the connecting and ending count too: they must not weigh.
            const auto least = whole_run ? 100 * all_connections(load) : 1;
            if (count && result.error.empty() && of >= least) {
                const auto calls = static_cast<double>(count->calls);
                result.syscalls_per_request = calls / static_cast<double>(of);
                if (count->ring_completions > 0 && calls > 0) {
                    result.completions_per_call =
                        static_cast<double>(count->ring_completions) / calls;
                }
            }
        }

        if (const auto ended = server.process.poll_exit()) {
            result.error = "the server died during the run: " + ended->text() +
                           (result.error.empty() ? "" : "; " + result.error);
        } else if (const auto status = server.process.stop(SIGTERM, stop_grace, ctrl_c);
                   !status.success() && result.error.empty()) {
            result.error = "the server did not end well on SIGTERM: " + status.text();
        }
    } catch (const std::exception& error) {
        result.error = error.what();
    }
    const std::size_t cpus = places.cpu_count();
    if (const double others = others_share(result.load, cpus); others > others_max) {
        result.disturbed = format("other processes took %.0f %% of the CPUs", 100 * others);
    } else if (const double stolen = stolen_share(result.load, cpus); stolen > stolen_max) {
        result.disturbed = format("the hypervisor took %.1f %% of the CPUs", 100 * stolen);
    }
    return result;
}

}  // namespace anel_bench
