// unix_path.hpp: binding a socket to a unix path or name, and connecting one.
//
// Knows: operations on a socket. Must not know: what is sent over it.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/address.hpp"

#include <anel/detail/unix_file.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>

#include <memory>

namespace anel::detail {

/// Connects a socket.
class connect_wait : public io<connect_wait, socket_use> {
public:
    connect_wait(socket_handle& on, const endpoint& peer) noexcept
        : io(on, opcode::connect), peer_(peer), address_(to_socket_address(peer)) {}
    void prepare(const frame&) noexcept { data = &address_; }
    void value() const noexcept {}
    io_error describe(std::error_code error) const {
        return io_error(error, "connect", peer_.to_string());
    }

private:
    endpoint peer_;
    socket_address address_;
};

/// Makes a socket without an address. Errors: io_error, which names `address`.
int open_socket(loop& owner, socket_kind kind, const endpoint& address);

/// Connects a unix socket; waits while the backlog of the listener is full.
/// Lifetime  `on` must outlive the co_await.
task<> connect_in_turn(socket_handle& on, endpoint peer);

/// Binds `fd` to a unix address. With `replace`, a file that nobody answers at any more is taken
/// over.
/// Returns  the file, which goes with the object.
/// Errors   io_error, `bind ADDRESS: …`.
task<std::unique_ptr<unix_file>> bind_path(loop& owner, int fd, socket_kind kind, endpoint address,
                                           bool replace);

}  // namespace anel::detail
