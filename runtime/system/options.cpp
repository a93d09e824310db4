// options.cpp: what each option of a socket is to the system.
//
// Where a system has no such option, it is refused with ENOPROTOOPT, as setsockopt(2) would.
// SPDX-License-Identifier: MIT
#ifdef __APPLE__
#define __APPLE_USE_RFC_3542  // IPV6_RECVPKTINFO
#endif
#include "runtime/system/options.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace anel::detail {
namespace {

template <class T>
std::int32_t set(int fd, int level, int name, const T& value) noexcept {
    return ::setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

bool is_ipv6(int fd) noexcept {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    const int known = ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    return known == 0 && name.ss_family == AF_INET6;
}

// An IPv6 socket may have IPv4 peers: it has the options of both, and only its own can be refused.
std::int32_t set_of_family(int fd, int name4, int name6, int value) noexcept {
    if (!is_ipv6(fd)) return set(fd, IPPROTO_IP, name4, value);
    (void)set(fd, IPPROTO_IP, name4, value);
    return set(fd, IPPROTO_IPV6, name6, value);
}

// IPv4's are bytes on some systems; Linux takes both.
std::int32_t set_multicast_option(int fd, int name4, int name6, int value) noexcept {
    const auto byte = static_cast<unsigned char>(value);
    const std::int32_t result = set(fd, IPPROTO_IP, name4, byte);
    return is_ipv6(fd) ? set(fd, IPPROTO_IPV6, name6, value) : result;
}

// An IPv6 socket tells the address of an IPv4 datagram as a mapped one.
std::int32_t tell_local_address(int fd, int on) noexcept {
#ifdef IPV6_RECVPKTINFO
    if (is_ipv6(fd)) return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, on);
#endif
#if defined(IP_RECVPKTINFO)
    return set(fd, IPPROTO_IP, IP_RECVPKTINFO, on);
#elif defined(IP_PKTINFO)
    return set(fd, IPPROTO_IP, IP_PKTINFO, on);
#else
    return -ENOPROTOOPT;
#endif
}

std::int32_t tell_receive_time(int fd, int on) noexcept {
#if defined(SO_TIMESTAMPNS)
    return set(fd, SOL_SOCKET, SO_TIMESTAMPNS, on);
#elif defined(SO_TIMESTAMP)  // microseconds
    return set(fd, SOL_SOCKET, SO_TIMESTAMP, on);
#else
    (void)fd, (void)on;
    return -ENOPROTOOPT;
#endif
}

std::int32_t set_datagram_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::broadcast: return set(fd, SOL_SOCKET, SO_BROADCAST, value);
        case socket_option::hop_limit: return set_of_family(fd, IP_TTL, IPV6_UNICAST_HOPS, value);
        case socket_option::multicast_hop_limit:
            return set_multicast_option(fd, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, value);
        case socket_option::multicast_loop:
            return set_multicast_option(fd, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, value);
        case socket_option::local_address: return tell_local_address(fd, value);
        case socket_option::receive_time: return tell_receive_time(fd, value);
#if defined(IP_RECVTOS) && defined(IPV6_RECVTCLASS)
        case socket_option::ecn: return set_of_family(fd, IP_RECVTOS, IPV6_RECVTCLASS, value);
#endif
#ifdef UDP_GRO
        case socket_option::join_datagrams: return set(fd, IPPROTO_UDP, UDP_GRO, value);
#endif
        default: return -ENOPROTOOPT;
    }
}

std::int32_t set_keep_alive_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::keep_alive: return set(fd, SOL_SOCKET, SO_KEEPALIVE, value);
#if defined(TCP_KEEPIDLE)
        case socket_option::keep_alive_idle: return set(fd, IPPROTO_TCP, TCP_KEEPIDLE, value);
#elif defined(TCP_KEEPALIVE)  // macOS
        case socket_option::keep_alive_idle: return set(fd, IPPROTO_TCP, TCP_KEEPALIVE, value);
#endif
#ifdef TCP_KEEPINTVL
        case socket_option::keep_alive_interval: return set(fd, IPPROTO_TCP, TCP_KEEPINTVL, value);
#endif
#ifdef TCP_KEEPCNT
        case socket_option::keep_alive_probes: return set(fd, IPPROTO_TCP, TCP_KEEPCNT, value);
#endif
        default: return set_datagram_option(fd, option, value);
    }
}

std::int32_t set_tcp_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::no_delay: return set(fd, IPPROTO_TCP, TCP_NODELAY, value);
#ifdef TCP_USER_TIMEOUT
        case socket_option::user_timeout: return set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, value);
#endif
#ifdef TCP_QUICKACK
        case socket_option::quick_ack: return set(fd, IPPROTO_TCP, TCP_QUICKACK, value);
#endif
#ifdef TCP_FASTOPEN_CONNECT
        case socket_option::fast_open: return set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, value);
#endif
#ifdef TCP_FASTOPEN
        case socket_option::fast_open_queue: return set(fd, IPPROTO_TCP, TCP_FASTOPEN, value);
#endif
#ifdef TCP_DEFER_ACCEPT
        case socket_option::defer_accept: return set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, value);
#endif
        default: return set_keep_alive_option(fd, option, value);
    }
}

std::int32_t set_ip_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::v6_only: return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, value);
#if defined(IP_TOS) && defined(IPV6_TCLASS)
        case socket_option::traffic_class: return set_of_family(fd, IP_TOS, IPV6_TCLASS, value);
#endif
#ifdef IP_FREEBIND  // IPv6 sockets have it too
        case socket_option::free_bind: return set(fd, IPPROTO_IP, IP_FREEBIND, value);
#endif
#ifdef IP_BIND_ADDRESS_NO_PORT  // Linux 4.2
        case socket_option::port_at_connect:
            return set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, value);
#endif
        default: return set_tcp_option(fd, option, value);
    }
}

}  // namespace

std::int32_t set_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::reuse_address: return set(fd, SOL_SOCKET, SO_REUSEADDR, value);
        case socket_option::reuse_port: return set(fd, SOL_SOCKET, SO_REUSEPORT, value);
        case socket_option::send_buffer: return set(fd, SOL_SOCKET, SO_SNDBUF, value);
        case socket_option::receive_buffer: return set(fd, SOL_SOCKET, SO_RCVBUF, value);
        case socket_option::linger_reset:
            return set(fd, SOL_SOCKET, SO_LINGER, linger{.l_onoff = value, .l_linger = 0});
        default: return set_ip_option(fd, option, value);
    }
}

std::int32_t set_interface(int fd, const char* name, std::size_t size) noexcept {
#ifdef SO_BINDTODEVICE
    const auto length = static_cast<socklen_t>(size);
    return ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, length) < 0 ? -errno : 0;
#else
    (void)fd, (void)name, (void)size;
    return -ENOPROTOOPT;
#endif
}

std::int32_t set_multicast_interface(int fd, const char* name) noexcept {
    const unsigned index = *name == '\0' ? 0 : ::if_nametoindex(name);
    if (index == 0 && *name != '\0') return -ENODEV;
    if (is_ipv6(fd)) return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
#ifdef __linux__
    ip_mreqn by_index{};
    by_index.imr_ifindex = static_cast<int>(index);
    return set(fd, IPPROTO_IP, IP_MULTICAST_IF, by_index);
#else
    return -ENOPROTOOPT;
#endif
}

std::int32_t change_membership(int fd, const group_membership& which, bool join) noexcept {
#ifdef MCAST_JOIN_GROUP
    group_req request{};
    request.gr_interface = *which.interface == '\0' ? 0 : ::if_nametoindex(which.interface);
    if (request.gr_interface == 0 && *which.interface != '\0') return -ENODEV;
    std::memcpy(&request.gr_group, which.group.bytes, which.group.size);
    const bool six = request.gr_group.ss_family == AF_INET6;
    const int name = join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    return set(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, name, request);
#else
    (void)fd, (void)which, (void)join;
    return -ENOPROTOOPT;
#endif
}

}  // namespace anel::detail
