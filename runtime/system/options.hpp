// options.hpp: sets the options of a socket, and asks what the system knows about a connection.
//
// Knows: what an option is called here. Must not know: who asks for it, or why.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/opcode.hpp>
#include <anel/detail/operands.hpp>

#include <cstddef>
#include <cstdint>

namespace anel::detail {

/// Returns 0 or -errno; -ENOPROTOOPT where the system has no such option.
std::int32_t set_option(int fd, socket_option option, int value) noexcept;
/// Keeps a socket to one interface. Returns as set_option().
std::int32_t set_interface(int fd, const char* name, std::size_t size) noexcept;
/// Where groups are sent to; an empty name is the system's choice. -ENODEV: there is none.
std::int32_t set_multicast_interface(int fd, const char* name) noexcept;
/// Joins or leaves a group. Returns as set_multicast_interface().
std::int32_t change_membership(int fd, const group_membership& which, bool join) noexcept;
/// Fills in what is known about a TCP connection. Returns 0 or -errno; -ENOPROTOOPT where the
/// system does not tell.
std::int32_t describe_stream(int fd, stream_facts& facts) noexcept;

/// Finds out who is at the other end of a unix stream. Returns 0 or -errno; -ENOPROTOOPT where the
/// system does not tell.
std::int32_t identify_peer(int fd, process_identity& who) noexcept;

}  // namespace anel::detail
