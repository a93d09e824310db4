// tls.hpp: TLS: contexts, streams, and how a program gets them.
//
// A component of its own: link anel::tls (pkg-config: anel-tls).
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>
#include <anel/tcp.hpp>
#include <anel/tls_context.hpp>
#include <anel/tls_stream.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace anel {

/// Connects to a host as connect() does, and makes the handshake.
/// Errors  those of connect(); `TLS handshake with PEER: REASON`; std::invalid_argument for the
///         context of a server.
task<tls_stream> connect_tls(std::string host, std::uint16_t port, tls_context context);

/// Accepts TLS connections. Their handshake comes with the first call on each, in its session: a
/// client that takes its time for it holds up nobody.
class tls_listener {
public:
    tls_listener() = delete;
    /// Errors  std::invalid_argument for the context of a client.
    tls_listener(tcp_listener below, tls_context context)
        : below_(std::move(below)), context_(std::move(context)) {
        if (!context_.is_server()) {
            throw std::invalid_argument("anel: a tls_listener with the context of a client");
        }
    }

    /// Waits for a connection, and not for its handshake.
    /// Errors  those of tcp_listener::accept().
    task<tls_stream> accept();
    [[nodiscard]] endpoint local_endpoint() const { return below_.local_endpoint(); }
    [[nodiscard]] std::string local_text() const { return below_.local_text(); }
    void stop() noexcept { below_.stop(); }
    [[nodiscard("co_await it")]] auto close() noexcept { return below_.close(); }
    [[nodiscard]] bool is_open() const noexcept { return below_.is_open(); }
    /// serve() asks.
    [[nodiscard]] socket_handle* underlying_socket() noexcept { return &below_; }

private:
    tcp_listener below_;
    tls_context context_;
};

}  // namespace anel
