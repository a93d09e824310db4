// inspect.cpp: what a descriptor is that somebody else made, and what it needs to be one of ours.
// SPDX-License-Identifier: MIT
#include "runtime/system/posix.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

namespace anel::detail {
namespace {

using file = descriptor_facts::file;

int option_of(int fd, int name, int level = SOL_SOCKET) noexcept {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, level, name, &value, &size) < 0 ? -1 : value;
}

descriptor_facts::family family_of(int fd) noexcept {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) < 0) return {};
    switch (name.ss_family) {
        case AF_INET: return descriptor_facts::family::ipv4;
        case AF_INET6: return descriptor_facts::family::ipv6;
        case AF_UNIX: return descriptor_facts::family::unix_path;
        default: return {};
    }
}

void inspect_socket(int fd, descriptor_facts& facts) noexcept {
    const int type = option_of(fd, SO_TYPE);
    if (type == SOCK_STREAM) facts.by = descriptor_facts::transfer::stream;
    if (type == SOCK_DGRAM) facts.by = descriptor_facts::transfer::datagram;
    if (type == SOCK_SEQPACKET) facts.by = descriptor_facts::transfer::seqpacket;
    facts.addresses = family_of(fd);
    facts.listens = option_of(fd, SO_ACCEPTCONN) > 0;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    facts.connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    const bool udp = type == SOCK_DGRAM && facts.addresses != descriptor_facts::family::unix_path;
#ifdef IPV6_TCLASS
    const bool v6 = facts.addresses == descriptor_facts::family::ipv6;
    const int marks =
        v6 ? option_of(fd, IPV6_TCLASS, IPPROTO_IPV6) : option_of(fd, IP_TOS, IPPROTO_IP);
    if (udp && marks > 0) facts.traffic_class = static_cast<std::uint8_t>(marks);
#endif
#ifdef UDP_GRO
    facts.joins_datagrams = udp && option_of(fd, UDP_GRO, IPPROTO_UDP) > 0;
#endif
}

}  // namespace

std::int32_t inspect(int fd, descriptor_facts& facts) noexcept {
    struct stat status{};
    if (::fstat(fd, &status) < 0) return -errno;
    facts = {};
    if (S_ISREG(status.st_mode)) facts.what = file::regular;
    if (S_ISDIR(status.st_mode)) facts.what = file::directory;
    if (S_ISSOCK(status.st_mode)) facts.what = file::socket;
    if (facts.what == file::socket) inspect_socket(fd, facts);
    // What poll(2) and a ring call ready at all times, epoll refuses. Some of /proc's files, which
    // are regular ones, tell of changes.
    if (facts.what == file::socket || S_ISFIFO(status.st_mode)) facts.can_be_polled = true;
    else facts.can_be_polled = can_be_polled(fd);
    return 0;
}

int configure_socket(int fd, blocking mode) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    const int wanted = mode == blocking::no ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) < 0) return -errno;
#ifdef SO_NOSIGPIPE
    const int on = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return 0;
}

}  // namespace anel::detail
