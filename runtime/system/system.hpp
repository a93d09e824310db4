// system.hpp: the few calls that differ between Linux and other POSIX systems.
//
// linux.cpp makes a descriptor and its flags in one call; portable.cpp needs two or
// three. All return >= 0 or -errno. Every descriptor is close-on-exec.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace anel::detail {

#ifdef MSG_MORE
inline constexpr int more_follows = MSG_MORE;
#else
inline constexpr int more_follows = 0;
#endif

#ifdef MSG_NOSIGNAL
inline constexpr int no_signal = MSG_NOSIGNAL;
#else
inline constexpr int no_signal = 0;  // BSD and macOS: make_socket sets SO_NOSIGPIPE instead
#endif

enum class blocking : bool { no, yes };

int make_socket(int family, int type, blocking mode) noexcept;
int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept;
/// Gives a socket that was made elsewhere what make_socket() gives, besides close-on-exec.
int configure_socket(int fd, blocking mode) noexcept;
/// Whether it can be waited for whether `fd`, which is no socket, can be read or written.
bool can_be_polled(int fd) noexcept;
/// Two connected stream sockets. Receiving may block, sending does not.
int make_socket_pair(int (&pair)[2]) noexcept;

/// A pipe, whose ends block: [0] is read from, [1] written to.
int make_pipe(int (&ends)[2]) noexcept;
/// A descriptor that can be read from once the process has ended. Returns it or -errno: -ENOSYS
/// where a system has none.
int open_process(int id) noexcept;

/// A message, and how many bytes of it were received.
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
using counted_message = mmsghdr;
#else
struct counted_message {
    msghdr msg_hdr;
    unsigned msg_len;
};
#endif

/// Receives what is there, at most `count` datagrams, without waiting. Returns how many, or -errno.
/// `late`: 0, or the -errno that came after the last of them and that the next call will not tell.
int receive_datagrams(int fd, counted_message* into, unsigned count, std::int32_t& late) noexcept;
/// Sends datagrams without waiting, at most `count`, up to the first that fails. Returns how many,
/// or -errno when that was the first.
int send_datagrams(int fd, counted_message* from, unsigned count) noexcept;

/// Writes to the standard error. What nobody takes in 0.1 s is given up. No SIGPIPE.
void print_error(std::string_view text) noexcept;

/// A listening socket for those who want to look into this process: `anel-PID-N` in the abstract
/// namespace, with the first N that is free. Returns it, -errno, or -ENOTSUP where there is none.
int listen_for_inspectors() noexcept;
/// The next of them that is this user or root; sending to it gives up after 0.1 s. Returns -errno
/// for none and for a stranger.
int accept_inspector(int listener) noexcept;

/// A variable of the environment; null: not set, or this program has rights that whoever started it
/// has not.
const char* environment(const char* name) noexcept;

/// What this program is called, as far as the system knows.
std::string program_name();

/// The id of this process.
int process_id() noexcept;

/// A word with the id of the process that made it, 0 in a child of fork(). Null where a system has
/// no memory that it empties there.
const std::atomic<int>* process_mark() noexcept;

/// Keeps this thread on the `index`-th of the processors it may use, counted round. Returns 0 or
/// -errno; -ENOTSUP where a system cannot do that.
int pin_thread(unsigned index) noexcept;

/// Whether these bytes of a file can be had without waiting for a disk, as far as the system tells.
/// What lies beyond the end of the file can.
bool in_memory(int file, std::uint64_t offset, std::size_t size) noexcept;
/// Reads what can be had without waiting for a disk. Returns bytes, 0 at the end of the file, or
/// -errno: -EAGAIN and -EOPNOTSUPP when there may be more. Systems that cannot do it wait.
std::int32_t read_at_once(int file, std::uint64_t offset, void* to, std::size_t size) noexcept;
/// Sends bytes of a file on a non-blocking socket without bringing them into this process. Raises
/// no SIGPIPE. Returns bytes, 0 at the end of the file, or -errno; -EOPNOTSUPP where it cannot be
/// done.
std::int32_t send_uncopied(int socket, int file, std::uint64_t offset, std::size_t size) noexcept;

/// Wakes a thread that waits in the kernel: signal() makes descriptor() readable until clear().
class wake_signal {
public:
    wake_signal();
    wake_signal(const wake_signal&) = delete;
    wake_signal& operator=(const wake_signal&) = delete;
    ~wake_signal();

    [[nodiscard]] int descriptor() const noexcept { return reading_; }
    /// Thread: any.
    void signal() noexcept;
    void clear() noexcept;

private:
    int reading_ = -1;
    int writing_ = -1;  // the same as reading_ where there is an eventfd
};

}  // namespace anel::detail
