// child.cpp: posix_spawn(3), which tells why a program could not be executed, and copies no memory
// of a large process; waitid(2).
// SPDX-License-Identifier: MIT
#include "runtime/system/child.hpp"

#include "runtime/system/system.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __APPLE__
#include <crt_externs.h>
#endif

#include <algorithm>
#include <cerrno>

namespace anel::detail {
namespace {

constexpr int first_above_standard = 3;

char* const* own_variables() noexcept {
#ifdef __APPLE__
    return *_NSGetEnviron();
#else
    return ::environ;
#endif
}

std::int32_t lift(file_holder& low) noexcept {
    if (low.fd() >= first_above_standard) return 0;
    const int high = ::fcntl(low.fd(), F_DUPFD_CLOEXEC, first_above_standard);
    if (high < 0) return -errno;
    low = file_holder(high);
    return 0;
}

// The functions of posix_spawn(3) return an errno; the first that fails counts.
class spawn_settings {
public:
    spawn_settings() noexcept {
        error_ = ::posix_spawn_file_actions_init(&files_);
        if (error_ != 0) return;
        error_ = ::posix_spawnattr_init(&attributes_);
        if (error_ != 0) (void)::posix_spawn_file_actions_destroy(&files_);
        valid_ = error_ == 0;
    }
    spawn_settings(const spawn_settings&) = delete;
    spawn_settings& operator=(const spawn_settings&) = delete;
    ~spawn_settings() {
        if (!valid_) return;
        (void)::posix_spawn_file_actions_destroy(&files_);
        (void)::posix_spawnattr_destroy(&attributes_);
    }

    void set_streams(const int (&streams)[3]) noexcept {
        for (int to = 0; to < 3; ++to) {
            const int from = streams[to];
            if (from == null_device) {
                const int mode = to == STDIN_FILENO ? O_RDONLY : O_WRONLY;
                note([&] {
                    return ::posix_spawn_file_actions_addopen(&files_, to, "/dev/null", mode, 0);
                });
            } else if (from == same_as_output) {
                note(
                    [&] { return ::posix_spawn_file_actions_adddup2(&files_, STDOUT_FILENO, to); });
            } else if (from >= 0) {
                note([&] { return ::posix_spawn_file_actions_adddup2(&files_, from, to); });
            }
        }
    }
    void set_directory(const char* path) noexcept {
        note([&] { return ::posix_spawn_file_actions_addchdir_np(&files_, path); });
    }
    // A helper thread has every signal blocked, and a server may ignore SIGPIPE: both would be the
    // program's too, and `yes | head` would not end.
    void set_signals(bool own_group) noexcept {
        sigset_t none;
        sigset_t pipe;
        sigemptyset(&none);
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        note([&] { return ::posix_spawnattr_setsigmask(&attributes_, &none); });
        note([&] { return ::posix_spawnattr_setsigdefault(&attributes_, &pipe); });
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (own_group) flags |= POSIX_SPAWN_SETPGROUP;
        note([&] { return ::posix_spawnattr_setpgroup(&attributes_, 0); });
        note([&] { return ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)); });
    }
    std::int32_t start(program_start& what) noexcept {
        char* const* variables = what.variables ? what.variables : own_variables();
        note([&] {
            return ::posix_spawnp(&what.id, what.arguments[0], &files_, &attributes_,
                                  what.arguments, variables);
        });
        return -error_;
    }

private:
    template <class Call>
    void note(const Call& call) noexcept {
        if (error_ == 0) error_ = call();
    }

    posix_spawn_file_actions_t files_;
    posix_spawnattr_t attributes_;
    int error_ = 0;
    bool valid_ = false;
};

}  // namespace

file_holder::~file_holder() {
    if (fd_ >= 0) ::close(fd_);
}

std::int32_t open_pipe(pipe_ends& made) noexcept {
    int ends[2];
    if (const int error = make_pipe(ends); error < 0) return error;
    made.reading = file_holder(ends[0]);
    made.writing = file_holder(ends[1]);
    const std::int32_t error = lift(made.reading);
    return error < 0 ? error : lift(made.writing);
}

std::int32_t make_nonblocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

std::int32_t start_program(program_start& what) noexcept {
    spawn_settings settings;
    settings.set_streams(what.streams);
    if (what.directory) settings.set_directory(what.directory);
    settings.set_signals(what.own_group);
    if (const std::int32_t error = settings.start(what); error < 0) return error;
    what.pidfd = std::max(open_process(what.id), -1);
    return 0;
}

std::int32_t try_directory(const char* directory) noexcept {
    const file_holder opened(::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.fd() < 0 && errno != EACCES) return -errno;
    return ::access(directory, X_OK) < 0 ? -errno : 0;
}

std::int32_t reap(int id, bool may_wait, process_end& how) noexcept {
    siginfo_t told{};
    const int flags = WEXITED | (may_wait ? 0 : WNOHANG);
    while (::waitid(P_PID, static_cast<id_t>(id), &told, flags) < 0) {
        if (errno != EINTR) return -errno;
    }
    if (told.si_pid == 0) return 0;
    (told.si_code == CLD_EXITED ? how.code : how.signal) = told.si_status;
    return 1;
}

// A child may have left the group that was made for it. Where somebody else reaps, SIGCHLD being
// ignored say, its number may be another process's by now.
std::int32_t send_signal(int id, bool whole_group, int number) noexcept {
    siginfo_t told{};
    if (::waitid(P_PID, static_cast<id_t>(id), &told, WEXITED | WNOHANG | WNOWAIT) < 0) {
        return errno == ECHILD ? -ESRCH : -errno;
    }
    const bool left = whole_group && ::getpgid(id) != id;
    if (whole_group && ::kill(-id, number) < 0 && !(left && errno == ESRCH)) return -errno;
    if (whole_group && !left) return 0;
    return ::kill(id, number) < 0 ? -errno : 0;
}

}  // namespace anel::detail
