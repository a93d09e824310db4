// opcode.hpp: what operations do, and what is known of each whoever performs it: one table.
//
// What an opcode means stands in system/posix.cpp as a POSIX call, in uring/uring.cpp for a ring,
// and in net/sim/ for the simulated network.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/socket_option.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace anel::detail {

/// What an operation does. The POSIX names mean what POSIX says.
enum class opcode : std::uint8_t {
    // These may take time.
    accept,      ///< data: null, or the peer's socket_address*; size: 1 if adopted. Result: its fd
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
    read_input,  ///< fd: no socket; flags: file_mode. Result: bytes; 0 at its end
    write_output,  ///< the same for writing. No SIGPIPE
    poll,          ///< flags: poll_for; any number of them may wait on one descriptor. Result: 0
    recv_passed,   ///< data: passed_message*, which is filled in. Result: bytes
    send_passed,   ///< data: passed_message*. -EAGAIN: its receiver is full, and tells nobody
    // Control calls: a backend finishes them inside submit().
    open_socket,    ///< flags: socket_kind. Result: descriptor
    bind,           ///< data: socket_address*
    listen,         ///< size: backlog
    local_address,  ///< data: socket_address*, filled in
    peer_address,   ///< data: socket_address*, filled in
    set_option,     ///< flags: socket_option; size: value, or what stands there
    stream_state,   ///< data: stream_facts*, filled in
    peer_identity,  ///< data: process_identity*, filled in
    shutdown,       ///< flags: shutdown_side
    send_now,       ///< data, size: the bytes. Result: those taken at once; -EAGAIN: none
    close,
    give_up,        ///< the loop forgets fd, which stays open. Result: 1 when no other can have it
    take_over,      ///< fd: not of this loop; flags: socket_kind; size: 1 for a listener
    inspect,        ///< data: descriptor_facts*, filled in
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
    opcode_row{opcode::write_output, op_kind::outgoing, "write"},
    opcode_row{opcode::poll, op_kind::incoming, "poll"},
    opcode_row{opcode::recv_passed, op_kind::incoming, "recvmsg"},
    opcode_row{opcode::send_passed, op_kind::outgoing, "sendmsg"},
    opcode_row{opcode::open_socket, op_kind::control, "socket"},
    opcode_row{opcode::bind, op_kind::control, "bind"},
    opcode_row{opcode::listen, op_kind::control, "listen"},
    opcode_row{opcode::local_address, op_kind::control, "getsockname"},
    opcode_row{opcode::peer_address, op_kind::control, "getpeername"},
    opcode_row{opcode::set_option, op_kind::control, "setsockopt"},
    opcode_row{opcode::stream_state, op_kind::control, "getsockopt"},
    opcode_row{opcode::peer_identity, op_kind::control, "getsockopt"},
    opcode_row{opcode::shutdown, op_kind::control, "shutdown"},
    opcode_row{opcode::send_now, op_kind::control, "send_now"},
    opcode_row{opcode::close, op_kind::control, "close"},
    opcode_row{opcode::give_up, op_kind::control, "detach"},
    opcode_row{opcode::take_over, op_kind::control, "attach"},
    opcode_row{opcode::inspect, op_kind::control, "fstat"},
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
/// At most one operation of each direction may be in flight on a descriptor, besides polls.
constexpr bool is_outgoing(opcode code) noexcept { return row_of(code).kind == op_kind::outgoing; }

enum class socket_kind : std::uint32_t {
    tcp4,
    tcp6,
    udp4,
    udp6,
    unix_stream,
    unix_datagram,
    unix_seqpacket
};
enum class shutdown_side : std::uint32_t { receive, send, both };
/// Whether a descriptor may block: then it is asked first, and written to in small pieces.
enum class file_mode : std::uint32_t { may_block, does_not_block };
enum class poll_for : std::uint32_t { reading, writing, priority };

}  // namespace anel::detail
