// message_socket.hpp: what sockets for whole messages have in common: several tasks may send.
//
// Knows: operations on a socket. Must not know: addresses, or what a message is made of.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/socket.hpp>

namespace anel {

namespace detail {
class message_connect_wait;
class send_batch_wait;
class turn_to_send;
}  // namespace detail

/// A socket whose messages are sent and received whole. Several tasks may send: who finds the
/// socket busy waits for his turn, first come first served. One task receives at a time, which is
/// asserted.
class message_socket : public socket_handle {
public:
    /// close() ends a wait for a message.
    void shutdown_receive() = delete;

protected:
    message_socket() noexcept = default;
    message_socket(detail::loop& owner, int fd) noexcept : socket_handle(owner, fd) {}

    bool connected_ = false;  // its peer is fixed

private:
    friend detail::message_connect_wait;
    friend detail::send_batch_wait;
    friend detail::turn_to_send;
    void let_next_send() noexcept;

    detail::op_queue in_line_;  // operations that wait for their turn to send
};

namespace detail {

/// What goes out through a socket uses it in turn.
class turn_to_send : public socket_use {
public:
    turn_to_send(message_socket& on) noexcept : socket_use(on) {}  // NOLINT: implicit on purpose

    bool start(used_operation<turn_to_send>& op, cancel_scope& scope, frame& caller) noexcept;
    void finish(operation& op) noexcept;
    static void leave_line(used_operation<turn_to_send>& op) noexcept;

    [[nodiscard]] message_socket& sender() const noexcept {
        return static_cast<message_socket&>(socket());
    }
};

/// Fixes the peer. Never waits but for its turn.
class message_connect_wait : public io<message_connect_wait, turn_to_send> {
public:
    message_connect_wait(message_socket& on, const endpoint& peer) noexcept;
    void prepare(const frame&) noexcept { data = &address_; }
    void value() const noexcept { use().sender().connected_ = true; }
    io_error describe(std::error_code error) const;

private:
    socket_address address_;
};

}  // namespace detail

}  // namespace anel
