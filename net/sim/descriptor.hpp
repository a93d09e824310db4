// descriptor.hpp: a socket of a simulated host, and what its operations leave behind there.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/address.hpp"

#include <anel/detail/operation.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace anel::sim {
using namespace detail;

class machine_backend;
struct connection;

/// A datagram in a socket's queue.
struct received_datagram {
    address from;
    address to;
    std::string bytes;
    std::uint8_t traffic_class = 0;
    time_point at{};  // when it arrived
};

/// What an attempt at an operation says when it has to wait; below every -errno.
inline constexpr std::int32_t would_wait = -0x10000;

struct descriptor {
    // Linux: net.core.wmem_default and rmem_default.
    static constexpr std::size_t usual_buffer = 212'992;
    // Linux: what a stream's receiver offers at first, half of net.ipv4.tcp_rmem's middle.
    static constexpr std::size_t usual_window = 65'536;

    machine_backend* home = nullptr;
    int fd = -1;
    socket_kind kind{};

    address local;  // on the wire; the port is 0 while it is not bound
    bool bound = false;
    std::string path;  // of a unix socket: the name it is bound to
    bool reuse_address = false;
    bool reuse_port = false;
    bool v6_only = false;
    bool no_delay = false;
    bool reset_on_close = false;
    bool free_bind = false;
    bool tells_local = false;  // of received datagrams; the following two also
    bool tells_ecn = false;
    bool tells_time = false;
    std::uint8_t traffic_class = 0;
    std::size_t send_buffer = usual_buffer;
    std::size_t receive_buffer = usual_buffer;
    std::size_t window = usual_window;

    operation* parked[2] = {};       // [0] taking something in, [1] moving something out
    std::uint64_t parked_bytes = 0;  // a sum over what the one that moves out has still to move

    // A stream.
    connection* link = nullptr;
    std::uint32_t end = 0;  // which end of it this is

    // A listener.
    bool listening = false;
    bool shut = false;  // shutdown() of a listener: it accepts no more
    std::size_t backlog = 0;
    std::deque<connection*> queue;  // established, not yet accepted

    // A datagram socket.
    std::deque<received_datagram> received;
    std::size_t received_bytes = 0;
    address peer;
    bool has_peer = false;
    bool deaf = false;  // shutdown() of the receiving side
    std::int32_t pending_error = 0;

    [[nodiscard]] bool is_stream() const noexcept {
        return kind == socket_kind::tcp4 || kind == socket_kind::tcp6 || is_unix();
    }
    [[nodiscard]] bool is_unix() const noexcept { return kind == socket_kind::unix_stream; }
    [[nodiscard]] address_family family() const noexcept {
        if (is_unix()) return address_family::unix_path;
        const bool six = kind == socket_kind::tcp6 || kind == socket_kind::udp6;
        return six ? address_family::ipv6 : address_family::ipv4;
    }
};

/// A connect is not told which link is meant.
inline bool lacks_zone(const descriptor& from, const address& to) noexcept {
    return is_link_local(to) && to.scope == 0 && !is_link_local(from.local);
}

}  // namespace anel::sim
