// process.hpp: child processes that cannot be left behind, and waiting that Ctrl-C can end.
//
// A child dies with its owner: the destructor kills and reaps it, and the kernel kills it when this
// process dies without running destructors (PR_SET_PDEATHSIG). For that the process has to stay
// single-threaded: "parent" means the thread that forked. Signals arrive as readable descriptors,
// never as handlers, so an interrupt is an ordinary exception that unwinds through the owners.
// Knows nothing of servers or measurements.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/unique_fd.hpp"

namespace anel_bench {

using deadline = std::chrono::steady_clock::time_point;

/// Thrown out of every wait when SIGINT, SIGTERM or SIGHUP has arrived. Not a std::exception: no
/// handler for failed runs may swallow it.
struct interrupted {
    int signal;
};

/// Holds those signals back, and ignores SIGPIPE, while it lives and turns them into `interrupted`.
class interrupts {
public:
    interrupts();
    ~interrupts();
    interrupts(const interrupts&) = delete;
    interrupts& operator=(const interrupts&) = delete;

    /// Returns  whether `fd` became readable, or its other end closed, before `until`.
    /// Errors   throws `interrupted`.
    bool wait_readable(int fd, deadline until) const;

private:
    unique_fd signals_;
};

struct command {
    std::string path;  // looked up in PATH when it holds no slash
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;  // set on top of ours
    std::optional<int> cpu;                                        // pinned there before it starts
    std::optional<int> network;                                    // a namespace it is moved into
    std::vector<std::pair<int, int>> descriptors;                  // ours → the child's number
};

/// How a child ended; at most one of the two is not 0.
struct exit_status {
    int code = 0;
    int signal = 0;
    [[nodiscard]] bool success() const noexcept { return code == 0 && signal == 0; }
    [[nodiscard]] std::string text() const;  // "exit code 1", "signal 9 (Killed)"
};

class child {
public:
    /// Starts a program. Errors: std::system_error that names the path when it cannot be executed.
    static child execute(const command& program);
    /// Runs `body` in a copy of this process, whose exit code is what `body` returns.
    static child run(const std::function<int()>& body, std::optional<int> cpu);

    child(child&& other) noexcept;
    child& operator=(child&& other) noexcept;
    ~child();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// How it ended, if it has.
    std::optional<exit_status> poll_exit();
    /// Sends `signal` and waits up to `grace`, then kills it.
    exit_status stop(int signal, std::chrono::milliseconds grace, const interrupts& ctrl_c);

private:
    explicit child(pid_t pid) : pid_(pid) {}
    void kill_and_reap() noexcept;

    pid_t pid_ = -1;    // -1: reaped, or moved from
    unique_fd handle_;  // a pidfd: readable once the process has ended
    exit_status status_;
};

struct pipe_ends {
    unique_fd read;
    unique_fd write;
};
/// A pipe whose ends no program started later inherits.
pipe_ends make_pipe();

/// Reads a line, without its end; nothing at the end of the stream or at `until`. Reads byte by
/// byte, so that nothing after the line is consumed.
std::optional<std::string> read_line(int fd, const interrupts& ctrl_c, deadline until);

}  // namespace anel_bench
