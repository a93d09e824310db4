// posix.hpp: operations as POSIX calls: the control calls of the backends over a kernel, and
// attempts.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/system.hpp"

#include <anel/detail/backend.hpp>

#include <sys/socket.h>

namespace anel::detail {

/// Performs a control call. Returns >= 0 or -errno. `mode` is what new sockets are made with.
std::int32_t control_call(operation& op, blocking mode) noexcept;

/// Accepts a connection of that mode; the listener does not block. Returns what attempt() does.
std::int32_t accept_connection(operation& op, blocking mode) noexcept;

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

/// What a poll waits for, as poll(2) says it; and its result when poll(2) or a ring has told of
/// `told`: 0, would_wait, or -EBADF. A hang-up and an error count as ready.
short events_of(const operation& poll) noexcept;
std::int32_t answer_to(const operation& poll, int told) noexcept;

/// Finds out what `fd` is. Returns 0 or -errno.
std::int32_t inspect(int fd, descriptor_facts& facts) noexcept;

/// The attempts at a batch of datagrams.
std::int32_t receive_batch(operation& op) noexcept;
std::int32_t send_batch(operation& op) noexcept;

/// Gives a header the control data that `facts` ask for, or room for what is received.
void give_control(msghdr& header, datagram_facts& facts) noexcept;
/// Whether this system has control data for all that is asked of a datagram that is sent.
bool can_send_with(const datagram_facts& facts) noexcept;
/// Takes over what was received as control data.
void read_control(const msghdr& header, datagram_facts& facts) noexcept;

/// The attempts at a message over a unix socket.
std::int32_t receive_passed(operation& op) noexcept;
std::int32_t send_passed(operation& op) noexcept;

/// Fills the msghdr inside a message and returns it. Of several buffers it takes as many as make a
/// share, and at least one.
msghdr* native_message(message& data) noexcept;
/// Takes over what the kernel said in that msghdr: address size, truncation.
void read_native_message(message& data) noexcept;

/// Ends a connection at once: what the system has still to send is dropped, the peer is reset.
void reset_connection(int fd) noexcept;

/// Whether there is no connection any more, as after a reset; an end that the peer told leaves one.
bool is_disconnected(int fd) noexcept;

/// How long a descriptor is left alone that tells of an error which no attempt takes away.
inline constexpr duration pause_after_error = std::chrono::milliseconds(10);

/// CLOCK_MONOTONIC.
time_point monotonic_now() noexcept;

}  // namespace anel::detail
