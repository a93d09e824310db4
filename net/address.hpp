// address.hpp: an endpoint in the system's form, the form of an operation's data.
//
// Knows: endpoint, and that a system address is bytes with a size. Must not know: what the bytes
// mean (endpoint.cpp does).
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>
#include <anel/endpoint.hpp>

#include <optional>

namespace anel::detail {

socket_address to_socket_address(const endpoint& address) noexcept;

/// The address of a datagram of a batch.
socket_address to_socket_address(const batch_item& item) noexcept;

/// Returns nothing for an address that is short, was cut by the system, is of another family, or is
/// a unix name without a text form: longer than endpoint::path_size_max, an abstract name that is
/// empty or contains NUL, a relative path that begins with '@'.
std::optional<endpoint> from_socket_address(const socket_address& address) noexcept;

}  // namespace anel::detail
