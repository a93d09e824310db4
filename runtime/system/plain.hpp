// plain.hpp: calls of system.hpp in their oldest form, which every POSIX system has.
//
// portable.cpp has nothing else; linux.cpp comes here when a newer call is refused.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/system.hpp"

namespace anel::detail::plain {

/// Gives a new descriptor its flags; `fd` may be -1, and then errno says why. Returns it; or
/// -errno, and it is closed. Until then a fork in another thread can inherit it.
int configured(int fd, blocking mode) noexcept;

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept;
/// The two ends of a pipe. Returns 0 or -errno.
int make_pipe(int (&ends)[2], blocking mode) noexcept;
/// The same, neither of which blocks. Errors: io_error.
void make_pipe(int& reading, int& writing);

int receive_datagrams(int fd, counted_message* into, unsigned count, std::int32_t& late) noexcept;
/// One: an error that came after the first would have to be told with it.
int send_datagram(int fd, counted_message* from) noexcept;

}  // namespace anel::detail::plain
