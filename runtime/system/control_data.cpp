// control_data.cpp: the control data of datagrams: the address at this end, the interface, how long
// each of several is that the system joined or is to cut, ECN, and when it was received.
//
// What a system does not tell is not known. What it cannot send with is refused: a datagram that
// goes out in another way than it was asked to would be worse than none.
// SPDX-License-Identifier: MIT
#ifdef __APPLE__
#define __APPLE_USE_RFC_3542  // IPV6_PKTINFO
#endif
#include "runtime/system/posix.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>

// POSIX_ONLY stands for the systems that cannot cut a datagram.
#if defined(UDP_SEGMENT) && !defined(ANEL_POSIX_ONLY)
#define ANEL_UDP_SEGMENT
#endif

namespace anel::detail {
namespace {

// Without room for all, the system cuts the last entry: options that a program sets itself have
// entries too.
template <class T>
bool is_whole(const cmsghdr& header, int level, int type) noexcept {
    return header.cmsg_level == level && header.cmsg_type == type &&
           header.cmsg_len >= CMSG_LEN(sizeof(T));
}

template <class T>
T content_of(const cmsghdr& header) noexcept {
    T content;
    std::memcpy(&content, CMSG_DATA(&header), sizeof content);
    return content;
}

template <class T>
void put_local(datagram_facts& facts, const T& name) noexcept {
    static_assert(sizeof name <= sizeof facts.local);
    std::memcpy(facts.local, &name, sizeof name);
    facts.local_size = sizeof name;
}

#if defined(SO_TIMESTAMPNS) || defined(SO_TIMESTAMP)
void put_time(datagram_facts& facts, std::int64_t seconds, std::int64_t nanoseconds) noexcept {
    facts.received_at = seconds * 1'000'000'000 + nanoseconds;
}
#endif

// The byte with DSCP and ECN, and the moment at which the system took it.
void read_mark(const cmsghdr& header, datagram_facts& facts) noexcept {
#ifdef IP_RECVTOS  // Linux calls the entry IP_TOS, the BSDs IP_RECVTOS
    if (is_whole<std::uint8_t>(header, IPPROTO_IP, IP_TOS) ||
        is_whole<std::uint8_t>(header, IPPROTO_IP, IP_RECVTOS)) {
        facts.received_class = content_of<std::uint8_t>(header);
    }
#endif
#ifdef IPV6_RECVTCLASS
    if (is_whole<int>(header, IPPROTO_IPV6, IPV6_TCLASS)) {
        facts.received_class = static_cast<std::uint8_t>(content_of<int>(header));
    }
#endif
#if defined(SO_TIMESTAMPNS)
    if (is_whole<timespec>(header, SOL_SOCKET, SO_TIMESTAMPNS)) {
        const auto time = content_of<timespec>(header);
        put_time(facts, time.tv_sec, time.tv_nsec);
    }
#elif defined(SO_TIMESTAMP)
    if (is_whole<timeval>(header, SOL_SOCKET, SCM_TIMESTAMP)) {
        const auto time = content_of<timeval>(header);
        put_time(facts, time.tv_sec, time.tv_usec * 1'000);
    }
#endif
}

// The address to answer from: a group or a broadcast address is none.
void read_control_entry(const cmsghdr& header, datagram_facts& facts) noexcept {
#ifdef IP_PKTINFO
    if (is_whole<in_pktinfo>(header, IPPROTO_IP, IP_PKTINFO)) {
        const auto info = content_of<in_pktinfo>(header);
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr = info.ipi_spec_dst;
        put_local(facts, name);
        facts.interface = static_cast<std::uint32_t>(info.ipi_ifindex);
    }
#endif
#ifdef IPV6_PKTINFO
    if (is_whole<in6_pktinfo>(header, IPPROTO_IPV6, IPV6_PKTINFO)) {
        const auto info = content_of<in6_pktinfo>(header);
        facts.interface = static_cast<std::uint32_t>(info.ipi6_ifindex);
        if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) return;
        sockaddr_in6 name{};
        name.sin6_family = AF_INET6;
        name.sin6_addr = info.ipi6_addr;
        if (IN6_IS_ADDR_LINKLOCAL(&name.sin6_addr)) name.sin6_scope_id = facts.interface;
        put_local(facts, name);
    }
#endif
#ifdef UDP_GRO
    if (is_whole<int>(header, IPPROTO_UDP, UDP_GRO)) {
        facts.segment = static_cast<std::uint32_t>(content_of<int>(header));
    }
#endif
}

// Appends an entry behind the first `used` bytes. Returns how many are used then.
template <class T>
std::size_t put_entry(datagram_facts& facts, std::size_t used, int level, int type,
                      const T& content) noexcept {
    auto* header = reinterpret_cast<cmsghdr*>(facts.native + used);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof content);
    std::memcpy(CMSG_DATA(header), &content, sizeof content);
    return used + CMSG_SPACE(sizeof content);
}

std::size_t put_local_entry(datagram_facts& facts, std::size_t used) noexcept {
    if (facts.local_size == 0) return used;
    sockaddr_storage name{};
    std::memcpy(&name, facts.local, facts.local_size);
#ifdef IP_PKTINFO
    if (name.ss_family == AF_INET) {
        in_pktinfo info{};
        info.ipi_spec_dst = reinterpret_cast<const sockaddr_in&>(name).sin_addr;
        return put_entry(facts, used, IPPROTO_IP, IP_PKTINFO, info);
    }
#endif
#ifdef IPV6_PKTINFO
    if (name.ss_family == AF_INET6) {
        const auto& from = reinterpret_cast<const sockaddr_in6&>(name);
        in6_pktinfo info{};
        info.ipi6_addr = from.sin6_addr;
        info.ipi6_ifindex = static_cast<decltype(info.ipi6_ifindex)>(from.sin6_scope_id);
        return put_entry(facts, used, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
#endif
    return used;
}

// Of both families: a system looks at what belongs to the one that the datagram goes by, and a
// socket of IPv6 may have peers of IPv4.
std::size_t put_class_entries(datagram_facts& facts, std::size_t used) noexcept {
    if (facts.sent_class == datagram_facts::not_known) return used;
    const int value = facts.sent_class;
    used = put_entry(facts, used, IPPROTO_IP, IP_TOS, value);
#ifdef IPV6_TCLASS
    used = put_entry(facts, used, IPPROTO_IPV6, IPV6_TCLASS, value);
#endif
    return used;
}

// One of each kind.
constexpr std::size_t sent_max = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
                                 CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t));
static_assert(sent_max <= sizeof datagram_facts::native);

}  // namespace

bool can_send_with([[maybe_unused]] const datagram_facts& facts) noexcept {
#ifndef ANEL_UDP_SEGMENT
    if (facts.segment > 0) return false;
#endif
#ifndef IP_PKTINFO
    if (facts.local_size == sizeof(sockaddr_in)) return false;
#endif
#ifndef IPV6_PKTINFO
    if (facts.local_size == sizeof(sockaddr_in6)) return false;
#endif
    return true;
}

void give_control(msghdr& header, datagram_facts& facts) noexcept {
    header.msg_control = facts.native;
    if (facts.incoming) {
        facts.clear();
        header.msg_controllen = sizeof facts.native;
        return;
    }
    std::memset(facts.native, 0, sizeof facts.native);
    std::size_t used = put_class_entries(facts, put_local_entry(facts, 0));
#ifdef ANEL_UDP_SEGMENT
    if (facts.segment > 0) {
        const auto size = static_cast<std::uint16_t>(facts.segment);
        used = put_entry(facts, used, IPPROTO_UDP, UDP_SEGMENT, size);
    }
#endif
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(used);
    if (used == 0) header.msg_control = nullptr;
}

void read_control(const msghdr& header, datagram_facts& facts) noexcept {
    facts.truncated = (header.msg_flags & MSG_CTRUNC) != 0;
    auto* from = const_cast<msghdr*>(&header);  // CMSG_NXTHDR takes no other
    for (auto* entry = CMSG_FIRSTHDR(from); entry; entry = CMSG_NXTHDR(from, entry)) {
        read_control_entry(*entry, facts);
        read_mark(*entry, facts);
    }
}

}  // namespace anel::detail
