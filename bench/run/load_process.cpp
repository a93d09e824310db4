// load_process.cpp: a load in a process of its own, on the CPU that the load has.
//
// See load_process.hpp. Before each result goes one byte that says what follows.
//
// SPDX-License-Identifier: MIT
#include "run/load_process.hpp"

#include <unistd.h>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

namespace anel_bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// On top of what was asked for: connecting thousands, and the last replies of slow servers.
constexpr auto load_grace = 60s;
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

std::size_t read_up_to(int fd, void* data, std::size_t size, const interrupts& ctrl_c,
                       deadline until) {
    std::size_t done = 0;
    while (done < size && ctrl_c.wait_readable(fd, until)) {
        const ssize_t n = read(fd, static_cast<char*>(data) + done, size - done);
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

/// In the child: hands over results until one cannot be had.
int report(int pipe, const std::function<void(int)>& work) {
    try {
        work(pipe);
        return 0;
    } catch (const std::exception& error) {
        const std::string text = error.what();
        write_all(pipe, &failure_follows, 1);
        write_all(pipe, text.data(), text.size());
        return 1;
    }
}

void hand_over(int pipe, const load_result& result) {
    write_all(pipe, &result_follows, 1);
    write_all(pipe, &result, sizeof result);
}

load_result take_result(int pipe, deadline until, const interrupts& ctrl_c) {
    char tag = 0;
    if (read_up_to(pipe, &tag, 1, ctrl_c, until) != 1) {
        throw std::runtime_error(clock::now() < until ? "the load generator died"
                                                      : "the load generator hung and was killed");
    }
    load_result result;
    if (tag == failure_follows) {
        std::string text(500, '\0');
        text.resize(read_up_to(pipe, text.data(), text.size(), ctrl_c, until));
        throw std::runtime_error(text);
    }
    if (read_up_to(pipe, &result, sizeof result, ctrl_c, until) != sizeof result) {
        throw std::runtime_error("the load generator's result was cut short");
    }
    return result;
}

}  // namespace

load_result run_load_apart(const load_options& options, std::optional<int> cpu,
                           const interrupts& ctrl_c) {
    pipe_ends results = make_pipe();
    const int to = results.write.get();
    const auto work = [&options](int pipe) { hand_over(pipe, run_load(options)); };
    child generator = child::run([&] { return report(to, work); }, cpu);
    results.write.reset();
    const auto until = clock::now() + options.warmup + options.window + load_grace;
    return take_result(results.read.get(), until, ctrl_c);
}

load_process::load_process(const load_options& options, std::optional<int> cpu,
                           const interrupts& ctrl_c)
    : ctrl_c_(&ctrl_c) {
    const int from = orders_.read.get(), to = results_.write.get();
    const auto work = [&options, from](int pipe) {
        const sliced_load load = connect_sliced_load(options);
        hand_over(pipe, {});
        std::chrono::nanoseconds length{0};
        while (read(from, &length, sizeof length) == sizeof length) hand_over(pipe, load(length));
    };
    process_ = child::run([&] { return report(to, work); }, cpu);
    orders_.read.reset();
    results_.write.reset();
    take_result(results_.read.get(), clock::now() + load_grace, ctrl_c);
}

load_result load_process::slice(std::chrono::nanoseconds length) {
    if (write(orders_.write.get(), &length, sizeof length) < 0) {
        throw std::runtime_error("the load generator died");
    }
    return take_result(results_.read.get(), clock::now() + length + load_grace, *ctrl_c_);
}

}  // namespace anel_bench
