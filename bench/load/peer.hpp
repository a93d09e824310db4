// peer.hpp: how the load generator gets its sockets.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>

#include "common/unique_fd.hpp"

namespace anel_bench {

/// Throws std::system_error for an errno value.
[[noreturn]] void fail(const std::string& operation, int error);
[[noreturn]] void fail(const std::string& operation);  // with errno

/// Where a server listens.
struct server_address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    [[nodiscard]] int family() const noexcept { return storage.ss_family; }
    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

/// "127.0.0.1:7777" or "[::1]:7777". Errors: std::invalid_argument.
server_address parse_address(const std::string& text);

/// Lets this process have so many connections. Errors: std::invalid_argument beyond the hard limit.
void raise_file_limit(std::size_t connections);

/// Begins a connection; it may still be on its way.
unique_fd begin_connect(const server_address& address);
/// Waits until it stands. Errors: std::system_error with `name`.
void finish_connect(int fd, const std::string& name);

/// Ends a connection as a client does that closes it: the server sees the end of the stream. Then a
/// reset, which nobody sees any more, frees the local port: it would be in TIME_WAIT for a minute,
/// and all would be within two seconds.
void end_connection(unique_fd fd);

/// A connection that comes, says nothing and goes, as some have in every server that has run for a
/// while. Before the first has gone malloc(3) may map memory for each receive: servers in Python's
/// asyncio then do five times the work.
void come_and_go(const server_address& address, const std::string& name);

/// The error of a connection, as an errno value; 0 when there is none.
int socket_error(int fd);

}  // namespace anel_bench
