// system_posix.cpp: system.hpp with nothing but what every POSIX system has.
// SPDX-License-Identifier: MIT
#if !defined(__linux__) || defined(ANEL_POSIX_ONLY)

#include "runtime/system.hpp"

#include <anel/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace anel {
namespace {

// Between the call that makes a descriptor and this one, a fork in another thread can inherit it;
// POSIX has no better way.
int configured(int fd, blocking mode) noexcept {
    if (fd < 0) return -errno;
    bool failed = ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0;
    if (mode == blocking::no) failed |= ::fcntl(fd, F_SETFL, O_NONBLOCK) < 0;
#ifdef SO_NOSIGPIPE
    const int on = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);  // not for pipes
#endif
    if (!failed) return fd;
    const int error = errno;
    ::close(fd);
    return -error;
}

}  // namespace

int make_socket(int family, int type, blocking mode) noexcept {
    return configured(::socket(family, type, 0), mode);
}

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept {
    return configured(::accept(listener, peer, size), mode);
}

int make_socket_pair(int (&pair)[2]) noexcept {
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return -errno;
    const int first = configured(pair[0], blocking::no);
    const int second = configured(pair[1], blocking::no);
    if (first >= 0 && second >= 0) return 0;
    if (first >= 0) ::close(first);
    if (second >= 0) ::close(second);
    return first < 0 ? first : second;
}

int receive_datagrams(int fd, counted_message* into, unsigned count, std::int32_t& late) noexcept {
    late = 0;
    for (unsigned i = 0; i < count; ++i) {
        const ssize_t bytes = ::recvmsg(fd, &into[i].msg_hdr, MSG_DONTWAIT);
        if (bytes < 0 && i == 0) return -errno;
        if (bytes < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) late = -errno;
            return static_cast<int>(i);
        }
        into[i].msg_len = static_cast<unsigned>(bytes);
    }
    return static_cast<int>(count);
}

// One: an error that came after the first would have to be told with it.
int send_datagrams(int fd, counted_message* from, unsigned) noexcept {
    return ::sendmsg(fd, &from->msg_hdr, MSG_DONTWAIT | no_signal) < 0 ? -errno : 1;
}

int pin_thread(unsigned) noexcept { return -ENOTSUP; }

// Nothing tells: a read of a regular file is taken for one that does not wait.
bool in_memory(int, std::uint64_t, std::size_t) noexcept { return true; }

std::int32_t send_uncopied(int, int, std::uint64_t, std::size_t) noexcept { return -EOPNOTSUPP; }

wake_signal::wake_signal() {
    int pair[2];
    if (::pipe(pair) < 0) throw_errno(errno, "pipe", {});
    reading_ = configured(pair[0], blocking::no);
    writing_ = configured(pair[1], blocking::no);
    if (reading_ < 0 || writing_ < 0) throw_errno(EMFILE, "pipe", {});
}

wake_signal::~wake_signal() {
    ::close(reading_);
    ::close(writing_);
}

void wake_signal::signal() noexcept {
    // A full pipe wakes its reader as well as one more byte would.
    (void)!::write(writing_, "", 1);
}

void wake_signal::clear() noexcept {
    char bytes[64];
    while (::read(reading_, bytes, sizeof bytes) == sizeof bytes) {}
}

}  // namespace anel

#endif
