// plain.cpp: making descriptors in two steps, and datagrams one by one.
// SPDX-License-Identifier: MIT
#include "runtime/system/plain.hpp"

#include <anel/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace anel::detail::plain {

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

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept {
    return configured(::accept(listener, peer, size), mode);
}

int make_pipe(int (&ends)[2], blocking mode) noexcept {
    if (::pipe(ends) < 0) return -errno;
    const int reading = configured(ends[0], mode);
    const int writing = configured(ends[1], mode);
    if (reading >= 0 && writing >= 0) return 0;
    if (reading >= 0) ::close(reading);
    if (writing >= 0) ::close(writing);
    return reading < 0 ? reading : writing;
}

void make_pipe(int& reading, int& writing) {
    int ends[2];
    if (const int error = make_pipe(ends, blocking::no); error < 0) throw_errno(-error, "pipe", {});
    reading = ends[0];
    writing = ends[1];
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

int send_datagram(int fd, counted_message* from) noexcept {
    return ::sendmsg(fd, &from->msg_hdr, MSG_DONTWAIT | no_signal) < 0 ? -errno : 1;
}

}  // namespace anel::detail::plain
