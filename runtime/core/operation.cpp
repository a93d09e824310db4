// operation.cpp: the names of the opcodes.
// SPDX-License-Identifier: MIT
#include <anel/detail/operation.hpp>

namespace anel::detail {

const char* name_of(opcode code) noexcept {
    switch (code) {
        case opcode::accept: return "accept";
        case opcode::connect: return "connect";
        case opcode::recv: return "recv";
        case opcode::send: return "send";
        case opcode::recvmsg: return "recvmsg";
        case opcode::sendmsg: return "sendmsg";
        case opcode::recv_chunk: return "recv_chunk";
        case opcode::recv_batch: return "recv_batch";
        case opcode::send_batch: return "send_batch";
        case opcode::call: return "call";
        case opcode::resolve: return "resolve";
        case opcode::send_file: return "send_file";
        case opcode::read_input: return "read";
        case opcode::open_socket: return "socket";
        case opcode::bind: return "bind";
        case opcode::listen: return "listen";
        case opcode::local_address: return "getsockname";
        case opcode::peer_address: return "getpeername";
        case opcode::set_option: return "setsockopt";
        case opcode::shutdown: return "shutdown";
        case opcode::close: return "close";
        case opcode::give_up: return "detach";
        case opcode::take_over: return "attach";
        case opcode::identify_path: return "lstat";
        case opcode::remove_path: return "unlink";
    }
    return "unknown";
}

}  // namespace anel::detail
