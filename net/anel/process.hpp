// process.hpp: starts a program, talks with it through streams, and waits for its end.
//
//     spawn_options options;
//     options.output = child_stream::pipe;
//     const std::vector<std::string> words{"ls", "-l"};
//     auto child = co_await spawn_process(words, options);
//     while (auto n = co_await child.output().recv(buffer)) …
//     const exit_status ended = co_await child.wait();
//
// Knows: pipes and a descriptor of the process. Must not know: SIGCHLD, which is the program's own.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/descriptor.hpp>
#include <anel/pipe.hpp>
#include <anel/task.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace anel {

class child_process;

namespace detail {
class child_maker;
}  // namespace detail

/// What a child has for its standard input, output or error.
enum class child_stream : std::uint8_t {
    inherit,         ///< that of this program
    null,            ///< nothing: /dev/null
    pipe,            ///< a pipe, whose other end is a stream of the child_process
    same_as_output,  ///< for `errors` alone: where the standard output goes
};

/// How spawn_process() starts a program.
struct spawn_options {
    child_stream input = child_stream::inherit;   ///< its descriptor 0
    child_stream output = child_stream::inherit;  ///< 1
    child_stream errors = child_stream::inherit;  ///< 2
    /// Where it runs; empty: where this program does. A relative path to the program begins there.
    std::string directory;
    /// Its variables, each `NAME=value`; without, those of this program. The program is looked for
    /// in the PATH of this one in any case.
    std::optional<std::vector<std::string>> environment;
    /// A process group of its own: what ends the child then ends what it has started, too, and
    /// Ctrl-C in the terminal reaches neither.
    bool own_group = false;
};

/// How a process ended.
struct exit_status {
    int code = 0;    ///< its exit code, 0 to 255; 0 when a signal ended it
    int signal = 0;  ///< the signal that ended it; 0: it ended by itself

    /// Whether it ended by itself, with code 0.
    [[nodiscard]] bool success() const noexcept { return code == 0 && signal == 0; }
    /// `exit code 3`, `signal 9`.
    [[nodiscard]] std::string text() const;
    friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// A program that was started. When the object goes before the program has ended and been waited
/// for, the program is killed and reaped: a cancel of the task that has it leaves nothing behind.
/// Only one that has become another user's, with sudo say, may not be killed: it runs on.
/// Move-only. Nothing may be waiting when it is moved or destroyed, which is asserted.
/// Lifetime  may outlive its run(); then it can only be destroyed.
/// Cost      a destructor that has to kill waits until the system has ended the process, as a rule
///           less than a millisecond; kill_and_wait() lets the loop go on.
class child_process {
public:
    /// None.
    child_process() noexcept = default;
    child_process(child_process&& other) noexcept { take(other); }
    child_process& operator=(child_process&& other) noexcept;
    ~child_process() { end_now(); }

    /// Where its standard input comes from: send to it, and shutdown_send() is its end. Closed
    /// unless child_stream::pipe was asked for; so are the others.
    [[nodiscard]] pipe_stream& input() noexcept { return input_; }
    /// Its standard output: receive from it.
    [[nodiscard]] pipe_stream& output() noexcept { return output_; }
    /// Its standard error: receive from it.
    [[nodiscard]] pipe_stream& errors() noexcept { return errors_; }

    /// Waits until it has ended, and reaps it. What it wrote can still be received. A child that
    /// writes more than a pipe holds, 64 KiB on Linux, waits for you to receive: do that first, or
    /// in another task. After it has ended, every wait() gives the same.
    /// Errors   `wait for sh (process 4711): …` ECHILD when somebody else has reaped it, as with
    ///          SIGCHLD ignored. A cancel loses nothing: the child runs on.
    /// Thread   one task at a time.
    /// Cost     a coroutine. Linux 5.3: a poll of its pidfd. Systems without look for its end every
    ///          1 ms to 100 ms, less and less often.
    /// Source   pidfd_open(2), waitid(2).
    task<exit_status> wait();

    /// Sends it a signal; with spawn_options::own_group, to its whole group.
    /// Returns  false when it has been waited for already: its number may be another's by then.
    /// Errors   `kill sh (process 4711): …` EINVAL for no signal; EPERM.
    bool send_signal(int number);

    /// Kills it and waits for its end, which a cancel does not cut short.
    /// Errors   those of wait(), and of send_signal().
    task<exit_status> kill_and_wait();

    /// Its process id; 0: none was started.
    [[nodiscard]] int id() const noexcept { return id_; }
    /// Its end, once it was waited for.
    [[nodiscard]] const std::optional<exit_status>& status() const noexcept { return status_; }

private:
    friend detail::child_maker;
    void take(child_process& other) noexcept;
    void end_now() noexcept;
    [[nodiscard]] bool must_be_reaped() const noexcept { return id_ != 0 && !status_ && !lost_; }
    [[nodiscard]] std::string subject() const;
    bool has_ended();

    int id_ = 0;
    bool own_group_ = false;
    bool lost_ = false;  // somebody else has reaped it
    std::optional<exit_status> status_;
    std::string name_;
    descriptor ended_;  // the pidfd, if the system has them
    pipe_stream input_;
    pipe_stream output_;
    pipe_stream errors_;
};

/// Starts the program `arguments[0]`, which is looked for in PATH unless it has a slash. It has no
/// descriptor of the library beside 0, 1 and 2; one of yours only if it was opened without
/// close-on-exec. No signal is blocked in it, and SIGPIPE ends it.
/// Errors   `spawn /no/such: No such file or directory (ENOENT)`, EACCES, ENOEXEC, also where exec
///          fails; `spawn ls in /no/such: …`; EMFILE, EAGAIN; EINVAL without a program, for a zero
///          byte, or a variable without a name and `=`; EOPNOTSUPP on the simulated network.
/// Thread   it is started on a helper thread, because the program may have to be read from a disk.
///          A cancel waits for that, and kills what was started.
/// Source   posix_spawnp(3), pidfd_open(2).
task<child_process> spawn_process(std::vector<std::string> arguments, spawn_options options);
/// The same with the streams, directory and variables of this program. Not a default argument: g++
/// 12 destroys such an aggregate twice beside a co_await.
task<child_process> spawn_process(std::vector<std::string> arguments);

}  // namespace anel
