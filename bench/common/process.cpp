// process.cpp: child processes that cannot be left behind, and waiting that Ctrl-C can end.
//
// See process.hpp. Between fork and exec the child only makes system calls and sets variables; that
// is allowed because the process is single-threaded.
//
// SPDX-License-Identifier: MIT
#include "common/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "common/text.hpp"

namespace anel_bench {
namespace {

[[noreturn]] void fail(const std::string& operation, int error = errno) {
    throw std::system_error(error, std::generic_category(), operation);
}

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

// glibc has a function for it since 2.36; the system call is older (Linux 5.3).
unique_fd open_pidfd(pid_t pid) {
    unique_fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!fd) fail("pidfd_open");
    return fd;
}

// First thing in a child: its life hangs on its parent's, signals act as usual, CPU pinned.
// Returns 0 or errno.
int settle(pid_t parent, std::optional<int> cpu) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    if (getppid() != parent) return ECHILD;  // it died before the line above
    const sigset_t set = stop_signals();
    if (sigprocmask(SIG_UNBLOCK, &set, nullptr) != 0) return errno;
    if (std::signal(SIGPIPE, SIG_DFL) == SIG_ERR) return errno;
    if (cpu) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(static_cast<unsigned>(*cpu), &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) return errno;
    }
    return 0;
}

// Returns errno: it only comes back when something failed.
int become(const command& program) {
    if (program.network && setns(*program.network, CLONE_NEWNET) != 0) return errno;
    // Two steps, because a number wanted may be in use by another descriptor still to be moved.
    std::vector<std::pair<int, int>> moved;
    for (const auto& [ours, wanted] : program.descriptors) {
        const int copy = fcntl(ours, F_DUPFD_CLOEXEC, 64);
        if (copy < 0) return errno;
        moved.emplace_back(copy, wanted);
    }
    for (const auto& [copy, wanted] : moved) {
        if (dup2(copy, wanted) < 0) return errno;
    }
    for (const auto& [name, value] : program.environment) {
        if (setenv(name.c_str(), value.c_str(), 1) != 0) return errno;
    }
    std::vector<std::string> words{program.path};
    words.insert(words.end(), program.arguments.begin(), program.arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execvp(program.path.c_str(), pointers.data());
    return errno;
}

}  // namespace

interrupts::interrupts() {
    const sigset_t set = stop_signals();
    if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) fail("sigprocmask");
    signals_ = unique_fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) fail("signalfd");
    // Whoever reads the terminal's text may have gone: the report is written all the same.
    std::signal(SIGPIPE, SIG_IGN);
}

interrupts::~interrupts() {
    const sigset_t set = stop_signals();
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

bool interrupts::wait_readable(int fd, deadline until) const {
    std::array<pollfd, 2> waiting{pollfd{signals_.get(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
    for (;;) {
        const auto left = until - std::chrono::steady_clock::now();
        const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        const int n = poll(waiting.data(), waiting.size(),
                           static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 1'000'000)));
        if (n < 0 && errno != EINTR) fail("poll");
        if (n > 0 && waiting[0].revents != 0) {
            signalfd_siginfo info{};
            if (read(signals_.get(), &info, sizeof info) == sizeof info) {
                throw interrupted{static_cast<int>(info.ssi_signo)};
            }
        }
        if (n > 0 && waiting[1].revents != 0) return true;
        if (n == 0 && left_ms <= 0) return false;
    }
}

std::string exit_status::text() const {
    if (signal != 0) return format("signal %d (%s)", signal, strsignal(signal));
    return format("exit code %d", code);
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      handle_(std::move(other.handle_)),
      status_(other.status_) {}

child& child::operator=(child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(handle_, other.handle_);
    std::swap(status_, other.status_);
    return *this;
}

child::~child() { kill_and_reap(); }

child child::run(const std::function<int()>& body, std::optional<int> cpu) {
    const pid_t parent = getpid();
    std::fflush(nullptr);  // or the child would print what is buffered a second time
    const pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        if (const int error = settle(parent, cpu)) {
            std::fprintf(stderr, "anel-bench: preparing a child: %s\n", std::strerror(error));
            _exit(127);
        }
        _exit(body());  // no destructors, no atexit: they belong to the parent
    }
    child started(pid);  // owned from here on, whatever happens next
    started.handle_ = open_pidfd(pid);
    return started;
}

child child::execute(const command& program) {
    // Closed by a successful exec; carries errno otherwise.
    pipe_ends report = make_pipe();
    child started = run(
        [&] {
            const int error = become(program);
            return write(report.write.get(), &error, sizeof error) == sizeof error ? 127 : 126;
        },
        program.cpu);
    report.write.reset();
    int error = 0;
    if (read(report.read.get(), &error, sizeof error) == sizeof error) {
        fail("start " + program.path, error);
    }
    return started;
}

std::optional<exit_status> child::poll_exit() {
    if (pid_ < 0) return status_;
    int raw = 0;
    if (waitpid(pid_, &raw, WNOHANG) != pid_) return {};
    pid_ = -1;
    if (WIFSIGNALED(raw)) status_.signal = WTERMSIG(raw);
    else status_.code = WEXITSTATUS(raw);
    return status_;
}

exit_status child::stop(int signal, std::chrono::milliseconds grace, const interrupts& ctrl_c) {
    if (const auto ended = poll_exit()) return *ended;
    kill(pid_, signal);
    ctrl_c.wait_readable(handle_.get(), std::chrono::steady_clock::now() + grace);
    if (const auto ended = poll_exit()) return *ended;
    kill_and_reap();
    return {.code = 0, .signal = SIGKILL};
}

void child::kill_and_reap() noexcept {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    int raw = 0;
    while (waitpid(pid_, &raw, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
}

pipe_ends make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

std::optional<std::string> read_line(int fd, const interrupts& ctrl_c, deadline until) {
    std::string line;
    while (ctrl_c.wait_readable(fd, until)) {
        char c = 0;
        if (read(fd, &c, 1) != 1) return {};
        if (c == '\n') return line;
        line += c;
    }
    return {};
}

}  // namespace anel_bench
