// errors.hpp: the errors that each operation can end with, from the manual pages, and what an
// io_error calls the operation.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

namespace anel::test {
using namespace detail;

/// What `code` can fail with: accept4(2), connect(2), tcp(7), udp(7), unix(7) …
inline std::span<const int> errors_of(opcode code) {
    static constexpr std::array accept{EMFILE,  ENFILE, ECONNABORTED, EPROTO,
                                       ENOBUFS, ENOMEM, EPERM,        EINVAL};
    static constexpr std::array connect{ECONNREFUSED, ETIMEDOUT,     EHOSTUNREACH, ENETUNREACH,
                                        ENETDOWN,     EADDRNOTAVAIL, EACCES,       ECONNRESET};
    static constexpr std::array recv{ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM};
    static constexpr std::array send{EPIPE, ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM};
    static constexpr std::array write{EPIPE, EIO, ENOSPC};
    static constexpr std::array send_file{EPIPE, ECONNRESET, ETIMEDOUT, ENOMEM, EIO};
    static constexpr std::array recvmsg{ECONNREFUSED, ENOMEM};
    static constexpr std::array sendmsg{EPIPE,   ECONNRESET, ECONNREFUSED, EHOSTUNREACH,
                                        ENOBUFS, EMSGSIZE,   EPERM};
    static constexpr std::array send_batch{ENOMEM};  // the others are of one datagram of it
    static constexpr std::array helper{EAGAIN, ENOMEM};
    static constexpr std::array open_socket{EMFILE, ENFILE, EAFNOSUPPORT, ENOBUFS, EACCES};
    static constexpr std::array bind{EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOENT};
    static constexpr std::array listen{EADDRINUSE};
    static constexpr std::array address{ENOBUFS};
    static constexpr std::array set_option{ENOPROTOOPT, ENOMEM};
    static constexpr std::array shutdown{ENOTCONN};
    static constexpr std::array close{EIO, EINTR};
    static constexpr std::array path{ENOENT, EACCES};
    static constexpr std::array poll{EBADF, ENOMEM};
    static constexpr std::array inspect{EBADF};
    switch (code) {
        case opcode::accept: return accept;
        case opcode::connect: return connect;
        case opcode::recv:
        case opcode::recv_chunk:
        case opcode::read_input: return recv;
        case opcode::poll: return poll;
        case opcode::send: return send;
        case opcode::send_file: return send_file;
        case opcode::write_output: return write;
        case opcode::recvmsg:
        case opcode::recv_passed: return recvmsg;
        case opcode::sendmsg:
        case opcode::send_passed: return sendmsg;
        case opcode::recv_batch: return recvmsg;
        case opcode::send_batch: return send_batch;
        case opcode::call:
        case opcode::resolve: return helper;
        case opcode::open_socket: return open_socket;
        case opcode::bind: return bind;
        case opcode::listen: return listen;
        case opcode::local_address:
        case opcode::peer_address: return address;
        case opcode::set_option:
        case opcode::stream_state:
        case opcode::peer_identity: return set_option;
        case opcode::shutdown: return shutdown;
        case opcode::send_now: return send;
        case opcode::close: return close;
        case opcode::inspect: return inspect;
        case opcode::identify_path:
        case opcode::remove_path: return path;
        case opcode::give_up:
        case opcode::take_over: break;  // no call of the system
    }
    return {};
}

/// Whether `text`, of an io_error, begins with the call that `code` stands for.
inline bool names(std::string_view text, opcode code) {
    const std::string_view said = text.substr(0, text.find_first_of(" :"));
    switch (code) {
        case opcode::accept: return said == "accept";
        case opcode::connect: return said == "connect";
        case opcode::recv:
        case opcode::recv_chunk: return said == "recv";
        case opcode::send: return said == "send";
        case opcode::send_file: return said == "send_file";
        case opcode::recv_passed: return said == "recvmsg";
        case opcode::send_passed: return said == "sendmsg";
        case opcode::recvmsg: return said == "recvfrom" || said == "recvmsg";
        case opcode::sendmsg: return said == "send" || said == "sendto" || said == "sendmsg";
        case opcode::recv_batch: return said == "recv_batch";
        case opcode::send_batch: return said == "send_batch";
        case opcode::read_input: return said == "read";
        case opcode::write_output: return said == "write";
        case opcode::poll: return said == "readable" || said == "writable" || said == "priority";
        case opcode::inspect: return said == "adopt" || said == "borrow";
        case opcode::call:
            return said == "offload" || said == "open" || said == "read" || said == "write";
        case opcode::resolve: return said == "resolve";
        case opcode::open_socket: return said == "socket";
        case opcode::bind: return said == "bind";
        case opcode::listen: return said == "listen";
        case opcode::local_address: return said == "getsockname";
        case opcode::peer_address: return said == "getpeername" || said == "adopt";
        case opcode::set_option: return said == "setsockopt" || said == "bind" || said == "connect";
        case opcode::stream_state:
        case opcode::peer_identity: return said == "getsockopt";
        case opcode::shutdown: return said == "shutdown";
        case opcode::close:
        case opcode::send_now:
        case opcode::give_up:
        case opcode::take_over:
        case opcode::identify_path:
        case opcode::remove_path: break;  // nobody is told: there is nothing to be done about it
    }
    return false;
}

}  // namespace anel::test
