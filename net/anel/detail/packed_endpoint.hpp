// packed_endpoint.hpp: an IP endpoint in 24 bytes, for a stream to remember its peer by.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/endpoint.hpp>

#include <array>
#include <cstdint>
#include <type_traits>

namespace anel::detail {

/// An IP endpoint in 24 bytes, for a stream to remember its peer by. A unix path is not kept.
struct packed_endpoint {
    std::array<std::uint8_t, 16> bytes{};
    std::uint32_t scope = 0;
    std::uint16_t port = 0;
    address_family family = address_family::ipv4;
};
static_assert(sizeof(packed_endpoint) == 24 && std::is_trivially_copyable_v<packed_endpoint>);

constexpr packed_endpoint pack(const endpoint& address) noexcept {
    return {address.address_bytes(), address.scope_id(), address.port(), address.family()};
}

/// Returns the endpoint that was packed; the unnamed one for every unix path.
constexpr endpoint unpack(const packed_endpoint& packed) noexcept {
    const auto& bytes = packed.bytes;
    switch (packed.family) {
        case address_family::ipv4:
            return endpoint::ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}, packed.port);
        case address_family::ipv6: return endpoint::ipv6(bytes, packed.port, packed.scope);
        case address_family::unix_path: break;
    }
    return endpoint::unix_unnamed();
}

}  // namespace anel::detail
