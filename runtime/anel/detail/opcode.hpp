// opcode.hpp: what operations do, and what is known of each whoever performs it: one table.
//
// What an opcode means stands in system/posix.cpp as a POSIX call, in uring/uring.cpp for a ring,
// and in net/sim/ for the simulated network.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace anel::detail {

/// What an operation does. The POSIX names mean what POSIX says.
enum class opcode : std::uint8_t {
    // These may take time.
    accept,      ///< fd: listener; data: socket_address* for the peer, or null. Result: descriptor
    connect,     ///< data: socket_address*
    recv,        ///< data, size: the buffer. Result: bytes; 0 at end of stream
    send,        ///< data, size: the bytes
    recvmsg,     ///< data: message*; its address is filled in. Result: bytes
    sendmsg,     ///< data: message*; size: bytes in all its buffers
    recv_chunk,  ///< Result: bytes, at data, which the backend lends; 0 at end: nothing lent
    recv_batch,  ///< data: message_batch*, filled from its beginning. Result: how many
    send_batch,  ///< data: message_batch*. Result: how many of it were sent; the rest failed
    call,        ///< data: helper_call*, run on a helper thread
    resolve,     ///< data: name_lookup*
    send_file,   ///< data: file_part*, advanced; size: bytes of it all. -EAGAIN: not in memory
    read_input,  ///< fd: no socket, but a terminal or a pipe. Result: bytes; 0 at its end
    // Control calls: a backend finishes them inside submit().
    open_socket,    ///< flags: socket_kind. Result: descriptor
    bind,           ///< data: socket_address*
    listen,         ///< size: backlog
    local_address,  ///< data: socket_address*, filled in
    peer_address,   ///< data: socket_address*, filled in
    set_option,     ///< flags: socket_option; size: value
    shutdown,       ///< flags: shutdown_side
    close,
    give_up,        ///< the loop forgets fd, which stays open. Result: 1 when no other can have it
    take_over,      ///< flags: socket_kind; fd is what another loop gave up
    identify_path,  ///< data: socket_path*, whose other members are filled in
    remove_path,    ///< data: socket_path*; removes the file if it is that very one, and a socket
    // The last one: see last_opcode.
};

inline constexpr opcode last_opcode = opcode::remove_path;

/// How an opcode is performed.
enum class op_kind : std::uint8_t {
    incoming,  ///< takes something in from a descriptor
    outgoing,  ///< moves bytes out through a descriptor, or connects it
    helper,    ///< runs on a helper thread instead of in the kernel
    control,   ///< finishes inside backend::submit()
};

struct opcode_row {
    opcode code;
    op_kind kind;
    const char* name;  ///< in task listings and in the records of simulations
};

inline constexpr std::array opcode_table{
    opcode_row{opcode::accept, op_kind::incoming, "accept"},
    opcode_row{opcode::connect, op_kind::outgoing, "connect"},
    opcode_row{opcode::recv, op_kind::incoming, "recv"},
    opcode_row{opcode::send, op_kind::outgoing, "send"},
    opcode_row{opcode::recvmsg, op_kind::incoming, "recvfrom"},
    opcode_row{opcode::sendmsg, op_kind::outgoing, "sendto"},
    opcode_row{opcode::recv_chunk, op_kind::incoming, "recv"},
    opcode_row{opcode::recv_batch, op_kind::incoming, "recv_batch"},
    opcode_row{opcode::send_batch, op_kind::outgoing, "send_batch"},
    opcode_row{opcode::call, op_kind::helper, "offload"},
    opcode_row{opcode::resolve, op_kind::helper, "resolve"},
    opcode_row{opcode::send_file, op_kind::outgoing, "send_file"},
    opcode_row{opcode::read_input, op_kind::incoming, "read"},
    opcode_row{opcode::open_socket, op_kind::control, "socket"},
    opcode_row{opcode::bind, op_kind::control, "bind"},
    opcode_row{opcode::listen, op_kind::control, "listen"},
    opcode_row{opcode::local_address, op_kind::control, "getsockname"},
    opcode_row{opcode::peer_address, op_kind::control, "getpeername"},
    opcode_row{opcode::set_option, op_kind::control, "setsockopt"},
    opcode_row{opcode::shutdown, op_kind::control, "shutdown"},
    opcode_row{opcode::close, op_kind::control, "close"},
    opcode_row{opcode::give_up, op_kind::control, "detach"},
    opcode_row{opcode::take_over, op_kind::control, "attach"},
    opcode_row{opcode::identify_path, op_kind::control, "lstat"},
    opcode_row{opcode::remove_path, op_kind::control, "unlink"},
};

constexpr bool opcodes_stand_at_their_numbers() noexcept {
    for (std::size_t i = 0; i < opcode_table.size(); ++i) {
        if (static_cast<std::size_t>(opcode_table[i].code) != i) return false;
    }
    return static_cast<std::size_t>(last_opcode) + 1 == opcode_table.size();
}
static_assert(opcodes_stand_at_their_numbers());

constexpr const opcode_row& row_of(opcode code) noexcept {
    return opcode_table[static_cast<std::size_t>(code)];
}
constexpr const char* name_of(opcode code) noexcept { return row_of(code).name; }
constexpr bool finishes_inline(opcode code) noexcept {
    return row_of(code).kind == op_kind::control;
}
constexpr bool needs_helper(opcode code) noexcept { return row_of(code).kind == op_kind::helper; }
/// At most one operation of each direction may be in flight on a descriptor.
constexpr bool is_outgoing(opcode code) noexcept { return row_of(code).kind == op_kind::outgoing; }

enum class socket_kind : std::uint32_t { tcp4, tcp6, udp4, udp6, unix_stream };
enum class shutdown_side : std::uint32_t { receive, send, both };
enum class socket_option : std::uint32_t {
    no_delay,
    reuse_address,
    reuse_port,
    v6_only,
    send_buffer,
    receive_buffer,
    linger_reset,  ///< value 1: close() discards and resets instead of finishing politely
};

}  // namespace anel::detail
