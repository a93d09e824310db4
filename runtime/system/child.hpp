// child.hpp: programs in processes of their own: started, signalled, and reaped at their end.
//
// Every descriptor is close-on-exec. Nothing here waits for SIGCHLD, and nothing reaps what it did
// not start.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

namespace anel::detail {

/// Owner of a descriptor that no loop knows.
class file_holder {
public:
    file_holder() noexcept = default;
    explicit file_holder(int fd) noexcept : fd_(fd) {}
    file_holder(file_holder&& other) noexcept : fd_(other.release()) {}
    file_holder& operator=(file_holder&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~file_holder();

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

/// The two ends of a pipe. Above 2, so that they are no standard stream of a child by chance.
struct pipe_ends {
    file_holder reading;
    file_holder writing;
};
/// Makes a pipe whose ends block. Returns 0 or -errno.
std::int32_t open_pipe(pipe_ends& made) noexcept;
/// Sets O_NONBLOCK, on a descriptor that nobody shares. Returns 0 or -errno.
std::int32_t make_nonblocking(int fd) noexcept;

/// What a child gets for one of its descriptors 0, 1 and 2, if not a descriptor of ours.
inline constexpr int inherited = -1;
inline constexpr int null_device = -2;
inline constexpr int same_as_output = -3;

/// A program to be started; must stay until it is. Lists end with a null.
struct program_start {
    char* const* arguments = nullptr;
    char* const* variables = nullptr;  ///< null: those of this process
    const char* directory = nullptr;   ///< null: that of this process
    int streams[3] = {inherited, inherited, inherited};
    bool own_group = false;
    int id = 0;      ///< of the process, once it has started
    int pidfd = -1;  ///< -1: the system has none
};

/// Starts it; returns once it runs, or 0 is not returned but -errno. Waits for a disk: for a helper
/// thread.
std::int32_t start_program(program_start& what) noexcept;

/// Whether `directory` can be entered: 0 or -errno. Tells why start_program() failed.
std::int32_t try_directory(const char* directory) noexcept;

/// How a process ended: one of both is not 0, or it ended with 0.
struct process_end {
    int code = 0;
    int signal = 0;
};
/// Reaps the process if it has ended, or once it has. Returns 1 when it has; 0: not yet; -errno.
std::int32_t reap(int id, bool may_wait, process_end& how) noexcept;

/// Signals a child, and with `whole_group` the group that was made for it. Returns 0 or -errno:
/// -ESRCH when it is no child of ours any more.
std::int32_t send_signal(int id, bool whole_group, int number) noexcept;

}  // namespace anel::detail
