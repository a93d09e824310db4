// stream.cpp: TLS over TCP, compiled once, and the ways to get such a stream.
// SPDX-License-Identifier: MIT
#include <anel/tls.hpp>

namespace anel {

template class detail::tls_connection<tcp_stream>;

task<tls_stream> connect_tls(std::string host, std::uint16_t port, tls_context context) {
    if (context.is_server()) {
        throw std::invalid_argument("anel: connect_tls to \"" + host +
                                    "\" with the context of a server");
    }
    tcp_stream below = co_await connect(host, port);
    tls_stream made(std::move(below), context, host);
    co_await made.handshake();
    co_return made;
}

task<tls_stream> tls_listener::accept() {
    tcp_stream connection = co_await below_.accept();
    tls_stream made(std::move(connection), context_);
    co_return made;
}

}  // namespace anel
