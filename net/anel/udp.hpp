// udp.hpp: udp_socket: datagrams, each sent and received whole or not at all.
//
// Knows: operations on a socket. Must not know: which backend runs; it makes no system call.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/datagram_batch.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>

#include <cerrno>
#include <cstddef>

namespace anel {

namespace detail {
class recvfrom_wait;
class sendto_wait;
class datagram_connect_wait;
class recv_batch_wait;
class send_batch_wait;
class turn_to_send;
}  // namespace detail

/// How udp_socket::bind() makes its socket.
struct udp_options {
    bool reuse_address = false;  ///< on Linux two sockets on one port would steal from each other
    bool reuse_port = false;     ///< several sockets on one port, which share its datagrams
    bool v6_only = false;
    int send_buffer = 0;     ///< bytes; 0 leaves the system's choice
    int receive_buffer = 0;  ///< bytes; what does not fit between two receives is lost
};

/// One received datagram.
struct datagram {
    std::size_t size = 0;  ///< bytes stored in the buffer; 0 is a datagram too
    endpoint from;
    bool truncated = false;  ///< it was longer than the buffer; the rest is gone
};

/// A socket for datagrams, which may be lost, doubled or reordered on their way.
///
/// Several tasks may send on one socket: a datagram is whole, and who finds the socket busy waits
/// for his turn, first come first served. One task receives at a time, which is asserted.
class udp_socket : public socket_handle {
public:
    udp_socket() noexcept = default;

    /// Makes a socket and binds it to `address`; port 0 picks a free one.
    /// Errors   EADDRINUSE …; the text names the address.
    static task<udp_socket> bind(endpoint address, udp_options options = {});

    /// Waits for a datagram.
    /// Returns  its size, its sender, and whether it was longer than `buffer`.
    /// Errors   on a connected socket ECONNREFUSED, once, when the peer's host said that nobody
    ///          listens there: the socket goes on working.
    /// Lifetime `buffer` must outlive the co_await.
    /// Source   recvmsg(2), io_uring_prep_recvmsg(3).
    [[nodiscard("co_await it")]] detail::recvfrom_wait recvfrom(mutable_buffer buffer) noexcept;

    /// Sends one datagram to `to`, whole.
    /// Errors   EMSGSIZE above 65,507 bytes (IPv4).
    [[nodiscard("co_await it")]] detail::sendto_wait
    sendto(const_buffer buffer [[clang::lifetimebound]], const endpoint& to) noexcept;

    /// Fixes the peer: send() goes to it, and from now on only its datagrams arrive. What came from
    /// others before is still there, and is received with its sender's name.
    [[nodiscard("co_await it")]] detail::datagram_connect_wait
    connect(const endpoint& peer) noexcept;
    /// Sends one datagram to the connected peer.
    /// Errors   EDESTADDRREQ without one; ECONNREFUSED as in recvfrom().
    [[nodiscard("co_await it")]] detail::sendto_wait send(const_buffer buffer
                                                          [[clang::lifetimebound]]) noexcept;

    /// Waits for a datagram, and takes all that are there, at most 64. What was in `batch` is gone.
    /// Returns  how many, 1..64.
    /// Errors   as recvfrom(); the batch is then empty.
    /// Lifetime `batch` must outlive the co_await.
    /// Cost     two system calls; a fair share of both for each datagram when many come.
    /// Source   recvmmsg(2), where there is one.
    [[nodiscard("co_await it")]] detail::recv_batch_wait recv_batch(datagram_batch& batch) noexcept;

    /// Sends every datagram of `batch`, each to its peer. One that fails does not stop the others.
    /// Returns  nothing: all were sent.
    /// Errors   that of the first that was not sent, when all have been tried; each one's error()
    ///          tells for itself. None is sent twice, and the batch stays as it is.
    /// Lifetime `batch` must outlive the co_await.
    /// Cost     one system call, or one a datagram on a connected socket.
    /// Source   sendmmsg(2), where there is one.
    [[nodiscard("co_await it")]] detail::send_batch_wait send_batch(datagram_batch& batch) noexcept;

    /// Datagrams have no end that a receive could meet; close() ends one.
    void shutdown_receive() = delete;

private:
    friend detail::datagram_connect_wait;
    friend detail::send_batch_wait;
    friend detail::turn_to_send;
    udp_socket(detail::loop& owner, int fd) noexcept : socket_handle(owner, fd) {}
    void let_next_send() noexcept;

    bool connected_ = false;
    detail::op_queue in_line_;  // operations that wait for their turn to send
};

namespace detail {

/// What goes out through a socket uses it in turn.
class turn_to_send : public socket_use {
public:
    turn_to_send(udp_socket& on) noexcept : socket_use(on) {}  // NOLINT: implicit on purpose

    bool start(used_operation<turn_to_send>& op, cancel_scope& scope, frame& caller) noexcept;
    void finish(operation& op) noexcept;
    static void leave_line(used_operation<turn_to_send>& op) noexcept;

    [[nodiscard]] udp_socket& sender() const noexcept { return static_cast<udp_socket&>(socket()); }
};

/// Base of one datagram, in or out: the message lives in the awaiter.
template <class Derived, class Use>
class datagram_io : public io<Derived, Use> {
public:
    datagram_io(udp_socket& on, opcode what, const void* bytes, std::size_t count) noexcept
        : io<Derived, Use>(on, what, nullptr, count), buffer_{const_cast<void*>(bytes), count} {}
    void prepare(const frame&) noexcept {
        message_.buffers = &buffer_;
        message_.buffer_count = 1;
        message_.address = address_.size > 0 ? &address_ : nullptr;
        this->data = &message_;
    }

protected:
    io_buffer buffer_;
    socket_address address_;
    message message_;
};

class recvfrom_wait : public datagram_io<recvfrom_wait, socket_use> {
public:
    recvfrom_wait(udp_socket& on, mutable_buffer into) noexcept
        : datagram_io(on, opcode::recvmsg, into.data, into.size) {
        address_.size = sizeof address_.bytes;
    }
    datagram value() const noexcept;
    io_error describe(std::error_code error) const;
};

class sendto_wait : public datagram_io<sendto_wait, turn_to_send> {
public:
    sendto_wait(udp_socket& on, const_buffer from, const endpoint* to) noexcept;
    void value() const noexcept {}
    io_error describe(std::error_code error) const;
};

class datagram_connect_wait : public io<datagram_connect_wait, turn_to_send> {
public:
    datagram_connect_wait(udp_socket& on, const endpoint& peer) noexcept;
    void prepare(const frame&) noexcept { data = &address_; }
    void value() const noexcept { use().sender().connected_ = true; }
    io_error describe(std::error_code error) const;

private:
    socket_address address_;
};

class recv_batch_wait : public io<recv_batch_wait, socket_use> {
public:
    recv_batch_wait(udp_socket& on, datagram_batch& into) noexcept
        : io(on, opcode::recv_batch, into.batch_.get()) {}
    void prepare(const frame& caller) noexcept;
    void ended() noexcept { batch().busy = false; }
    std::size_t value() const noexcept { return static_cast<std::size_t>(result); }
    io_error describe(std::error_code error) const;

private:
    message_batch& batch() const noexcept { return *static_cast<message_batch*>(data); }
};

class send_batch_wait : public io<send_batch_wait, turn_to_send> {
public:
    send_batch_wait(udp_socket& on, datagram_batch& from) noexcept
        : io(on, opcode::send_batch, from.batch_.get()) {}
    void prepare(const frame& caller) noexcept;
    /// What ended the whole operation is why each of those that it had not come to was not sent.
    void ended() noexcept;
    std::error_code failure() const noexcept;
    void value() const noexcept {}
    io_error describe(std::error_code error) const;

private:
    message_batch& batch() const noexcept { return *static_cast<message_batch*>(data); }
    const batch_item* first_failed() const noexcept;
};

}  // namespace detail

inline detail::recvfrom_wait udp_socket::recvfrom(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::sendto_wait udp_socket::sendto(const_buffer buffer [[clang::lifetimebound]],
                                              const endpoint& to) noexcept {
    return {*this, buffer, &to};
}
inline detail::sendto_wait udp_socket::send(const_buffer buffer [[clang::lifetimebound]]) noexcept {
    return {*this, buffer, nullptr};
}
inline detail::datagram_connect_wait udp_socket::connect(const endpoint& peer) noexcept {
    return {*this, peer};
}
inline detail::recv_batch_wait udp_socket::recv_batch(datagram_batch& batch) noexcept {
    return {*this, batch};
}
inline detail::send_batch_wait udp_socket::send_batch(datagram_batch& batch) noexcept {
    return {*this, batch};
}

}  // namespace anel
