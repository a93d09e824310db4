// socket_option.hpp: what can be set of a socket, whatever a system calls it.
//
// Must not know: how it is set; runtime/system/options.cpp does, and net/sim/ports.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace anel::detail {

enum class socket_option : std::uint32_t {
    no_delay,
    reuse_address,
    reuse_port,
    v6_only,
    send_buffer,
    receive_buffer,
    linger_reset,  ///< value 1: close() discards and resets instead of finishing politely
    keep_alive,
    keep_alive_idle,      ///< seconds
    keep_alive_interval,  ///< seconds
    keep_alive_probes,
    user_timeout,  ///< milliseconds
    quick_ack,
    traffic_class,
    interface,  ///< data, size: its name
    free_bind,
    port_at_connect,  ///< a bind() without a port leaves the choice to connect()
    fast_open,        ///< of a socket that connects
    fast_open_queue,  ///< of a listener: requests
    defer_accept,     ///< seconds
    broadcast,
    hop_limit,
    multicast_hop_limit,
    multicast_loop,
    multicast_interface,  ///< data: its name, zero-terminated
    join_group,           ///< data: group_membership*
    leave_group,          ///< data: group_membership*
    local_address,        ///< of received datagrams: see datagram_facts
    ecn,                  ///< of received datagrams: datagram_facts::received_class
    receive_time,         ///< of received datagrams: datagram_facts::received_at
    join_datagrams,       ///< those of one sender that follow each other: datagram_facts::segment
};

}  // namespace anel::detail
