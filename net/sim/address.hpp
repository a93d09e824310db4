// address.hpp: IP addresses as the simulated network compares them.
//
// On the wire an IPv4 address is an IPv4 address; a socket for both families sees it as
// ::ffff:a.b.c.d, as on a real system.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/address.hpp"

#include <anel/detail/packed_endpoint.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace anel::sim {
using namespace detail;

using address = packed_endpoint;

inline constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

/// The interfaces of each host. All its addresses but 127.0.0.1 and ::1 are those of eth0.
inline constexpr std::uint32_t index_of_lo = 1;
inline constexpr std::uint32_t index_of_eth0 = 2;

/// fe80::/10, which means something on one link alone: it goes with a zone, the others without.
inline bool is_link_local(const address& which) noexcept {
    return which.family == address_family::ipv6 && which.bytes[0] == 0xfe &&
           (which.bytes[1] & 0xc0) == 0x80;
}

/// The address without the disguise of IPv4 as IPv6. A zone stays as it was asked for; addresses
/// are compared without.
inline address on_the_wire(address from) noexcept {
    const bool mapped = from.family == address_family::ipv6 &&
                        std::equal(mapped_prefix.begin(), mapped_prefix.end(), from.bytes.begin());
    if (!mapped) return from;
    address plain;
    std::copy_n(from.bytes.begin() + 12, 4, plain.bytes.begin());
    plain.port = from.port;
    return plain;
}

/// What a socket of `family` calls an address on the wire.
inline address as_seen(address_family family, address from) noexcept {
    from.scope = is_link_local(from) ? index_of_eth0 : 0;
    if (family != address_family::ipv6 || from.family != address_family::ipv4) return from;
    address mapped;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), mapped.bytes.begin());
    std::copy_n(from.bytes.begin(), 4, mapped.bytes.begin() + 12);
    mapped.port = from.port;
    mapped.family = address_family::ipv6;
    return mapped;
}

inline bool same_ip(const address& left, const address& right) noexcept {
    return left.family == right.family && left.bytes == right.bytes;
}
inline bool same(const address& left, const address& right) noexcept {
    return left.port == right.port && same_ip(left, right);
}
inline bool is_any(const address& which) noexcept { return which.bytes == decltype(which.bytes){}; }
inline bool is_loopback(const address& which) noexcept {
    if (which.family == address_family::ipv4) return which.bytes[0] == 127;
    constexpr std::array<std::uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return which.bytes == one;
}
inline address loopback(address_family family, std::uint16_t port) noexcept {
    return pack(family == address_family::ipv6 ? endpoint::loopback_ipv6(port)
                                               : endpoint::loopback_ipv4(port));
}

}  // namespace anel::sim
