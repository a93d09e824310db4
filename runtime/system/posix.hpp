// posix.hpp: operations as POSIX calls: the control calls of every backend, and the attempts of the
// backends that are told about readiness.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/system.hpp"

#include <anel/detail/backend.hpp>

#include <sys/socket.h>

namespace anel::detail {

/// Performs a control call. Returns >= 0 or -errno. `mode` is what new sockets are made with.
std::int32_t control_call(operation& op, blocking mode) noexcept;

/// Tries `op` on a non-blocking descriptor. Returns >= 0, -errno, or would_wait.
/// A `whole` operation goes on until the kernel would wait; its data and size say how far it came.
/// After share_bytes it stops all the same, with had_its_share.
std::int32_t attempt(operation& op) noexcept;
inline constexpr std::int32_t would_wait = -0x10000;  // both are below every -errno
inline constexpr std::int32_t had_its_share = -0x10001;

/// What an attempt that began with `size` bytes to move and ended with `result` has done: calls,
/// each datagram of a batch counted as one, and bytes.
struct effort {
    std::uint32_t calls;
    std::size_t bytes;
};
effort effort_of(const operation& op, std::size_t size, std::int32_t result) noexcept;

/// The attempts at a batch of datagrams.
std::int32_t receive_batch(operation& op) noexcept;
std::int32_t send_batch(operation& op) noexcept;

/// Most bytes of one call or submission. The kernel moves what it can before it returns: a peer on
/// another processor that reads as fast as we send would keep it there for as long as there are
/// bytes, and every other task waiting.
inline constexpr std::size_t share_bytes = 1U << 20;

/// Fills the msghdr inside a message and returns it. Of several buffers it takes as many as make a
/// share, and at least one.
msghdr* native_message(message& data) noexcept;
/// Takes over what the kernel said in that msghdr: address size, truncation.
void read_native_message(message& data) noexcept;

/// True for a recv, send or send_file on a stream of no bytes: done at once, or it would wait for
/// data it does not want. Datagrams may well be empty.
constexpr bool moves_nothing(const operation& op) noexcept {
    return op.size == 0 &&
           (op.code == opcode::recv || op.code == opcode::send || op.code == opcode::send_file);
}

/// The first share of a sendmsg of several parts whose first part is longer; else nothing.
io_buffer oversized_part(const operation& op) noexcept;

/// Drops `moved` bytes from the front of what a `whole` operation still has to move.
void advance(operation& op, std::size_t moved) noexcept;

/// Ends a connection at once: what the system has still to send is dropped, the peer is reset.
void reset_connection(int fd) noexcept;

/// Whether there is no connection any more, as after a reset; an end that the peer told leaves one.
bool is_disconnected(int fd) noexcept;

/// How long a descriptor is left alone that tells of an error which no attempt takes away.
inline constexpr duration pause_after_error = std::chrono::milliseconds(10);

/// CLOCK_MONOTONIC.
time_point monotonic_now() noexcept;

}  // namespace anel::detail
