// address.hpp: an endpoint in the system's form, the form of an operation's data.
//
// Knows: endpoint, and that a system address is bytes with a size. Must not know: what the bytes
// mean (endpoint.cpp does).
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/datagram_batch.hpp>
#include <anel/detail/operation.hpp>
#include <anel/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace anel::detail {

socket_address to_socket_address(const endpoint& address) noexcept;

/// The address of a datagram of a batch.
socket_address to_socket_address(const batch_item& item) noexcept;

/// The address at this end of a datagram, whose port is 0; 0.0.0.0:0 where it is not known, and
/// then the system chooses.
void set_local(datagram_facts& facts, const endpoint& local) noexcept;
endpoint local_of(const datagram_facts& facts) noexcept;

/// What a datagram came with: its ECN codepoint and its time; nothing where it is not known.
std::optional<ecn_codepoint> ecn_of(const datagram_facts& facts) noexcept;
std::optional<receive_time> time_of(const datagram_facts& facts) noexcept;
/// The traffic class of a socket with another ECN codepoint: its DSCP stays.
std::int16_t class_with(std::uint8_t traffic_class, ecn_codepoint ecn) noexcept;

/// Returns nothing for an address that is short, was cut by the system, is of another family, or is
/// a unix name without a text form: longer than endpoint::path_size_max, an abstract name that is
/// empty or contains NUL, a relative path that begins with '@'.
std::optional<endpoint> from_socket_address(const socket_address& address) noexcept;

/// The same as text, for that of an error: nothing where there is none.
std::string text_of(const socket_address& address);

}  // namespace anel::detail
