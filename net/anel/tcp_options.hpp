// tcp_options.hpp: what can be asked of a TCP socket before its first packet, and what its system
// knows about a connection.
//
// All of it is trivially copyable: an option struct may stand beside a co_await.
// Knows: endpoints. Must not know: sockets, or what the system calls an option.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/endpoint.hpp>
#include <anel/interface_name.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace anel {

/// When a silent connection is asked whether its peer is still there. The system asks, so a program
/// that waits in recv() learns of a peer that has vanished: recv() ends with ETIMEDOUT.
struct keep_alive_times {
    std::chrono::seconds idle{60};      ///< of silence before the first probe; 1 s to 32,767 s
    std::chrono::seconds interval{10};  ///< between two probes; 1 s to 32,767 s
    int probes = 6;                     ///< unanswered ones that end the connection; 1 to 127
};

/// How connect() makes its socket. All of it but `no_delay` is set before the first packet.
struct connect_options {
    /// The address to connect from, of the peer's family; port 0 picks a free one.
    std::optional<endpoint> local{};
    /// As in listen_options.
    bool no_delay = true;
    /// Nothing: no probes are sent.
    std::optional<keep_alive_times> keep_alive{};
    /// How long sent bytes may go unacknowledged before the connection ends with ETIMEDOUT; 0 is
    /// the system's choice, on Linux some 15 minutes. Linux.
    std::chrono::milliseconds user_timeout{0};
    /// Acknowledge the handshake at once, or, with false, along with the first bytes that are sent.
    /// See tcp_stream::set_quick_ack(). Linux.
    std::optional<bool> quick_ack{};
    /// The DSCP times 4: IPv4's TOS, IPv6's traffic class, 0 to 255. TCP itself sets the lowest two
    /// bits.
    std::optional<int> traffic_class{};
    /// Packets leave and come through this interface alone. Linux.
    interface_name interface{};
    /// Take a `local` address that this machine does not have, or not yet. Linux.
    bool free_bind = false;
    /// Where the peer's host has given this one a cookie earlier, connect() ends at once, and the
    /// first send goes along with the request: errors of connecting are then those of that send.
    /// Only for peers that wait for the client to speak first. Linux.
    bool fast_open = false;
    /// Bytes; 0 leaves the system's choice, which adapts.
    int send_buffer = 0;
    int receive_buffer = 0;
};

/// How tcp_listener::bind() makes its socket.
struct listen_options {
    /// Connections that may wait for accept(); the system clips it (Linux: net.core.somaxconn).
    int backlog = 4096;
    /// Bind although connections of an earlier listener are still in TIME_WAIT. For a unix
    /// endpoint: remove the file of a listener that is gone.
    bool reuse_address = true;
    /// Several listeners on one port, which share its connections.
    bool reuse_port = false;
    /// An IPv6 listener takes no IPv4 connections. Set either way: the default differs by system.
    bool v6_only = false;
    /// Off is Nagle's algorithm: with it a small reply waits for the acknowledgement of the one
    /// before, which a peer may delay by 40 ms. Accepted streams inherit it.
    bool no_delay = true;
    /// Bytes; 0 leaves the system's choice, which adapts. Accepted streams inherit both.
    int send_buffer = 0;
    int receive_buffer = 0;
    /// As in connect_options. Accepted streams inherit these.
    std::optional<keep_alive_times> keep_alive{};
    std::chrono::milliseconds user_timeout{0};
    std::optional<int> traffic_class{};
    interface_name interface{};
    /// Bind to an address that this machine does not have, or not yet. Linux.
    bool free_bind = false;
    /// Requests with data that may wait at a time; 0: none are taken. On Linux bit 2 of
    /// net.ipv4.tcp_fastopen must be set too.
    int fast_open_queue = 0;
    /// A connection waits for its first bytes in the system, at most about as long as this, before
    /// accept() gives it; 0 s: it does not. Linux.
    std::chrono::seconds defer_accept{0};
};

/// What the system knows about a TCP connection at a moment. A figure that it does not tell is 0.
struct stream_info {
    std::chrono::microseconds round_trip{0};           ///< smoothed
    std::chrono::microseconds round_trip_variance{0};  ///< mean deviation of it
    std::chrono::microseconds round_trip_least{0};     ///< lately
    std::chrono::microseconds retransmit_after{0};     ///< the current RTO
    std::chrono::milliseconds last_received{0};        ///< ago: since bytes came
    std::chrono::milliseconds last_sent{0};            ///< ago: since bytes were sent
    std::uint32_t segment_size = 0;                    ///< bytes, of what is sent
    std::uint32_t path_mtu = 0;                        ///< bytes
    std::uint32_t congestion_window = 0;               ///< segments
    std::uint32_t unacknowledged = 0;                  ///< segments that were sent
    std::uint32_t lost = 0;                            ///< segments of those, by its estimate
    std::uint32_t retransmitted = 0;                   ///< segments, since it began
    std::uint32_t unsent = 0;                          ///< bytes that wait in this system
    std::uint64_t acknowledged = 0;                    ///< bytes, since it began
    std::uint64_t received = 0;                        ///< bytes, since it began
    std::uint64_t delivery_rate = 0;                   ///< bytes a second, lately
};

/// Who is at the other end of a unix stream.
struct peer_credentials {
    std::uint32_t user = 0;    ///< effective user id
    std::uint32_t group = 0;   ///< effective group id
    std::int32_t process = 0;  ///< 0: the system does not tell
};

static_assert(std::is_trivially_copyable_v<connect_options>);
static_assert(std::is_trivially_copyable_v<listen_options>);

}  // namespace anel
