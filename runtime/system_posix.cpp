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
