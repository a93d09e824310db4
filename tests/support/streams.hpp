// streams.hpp: connections for tests: two streams of the library, or one and a raw socket.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/over_backends.hpp"
#include "tests/support/raw_socket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <sys/ioctl.h>

namespace anel::test {

/// Two ends of one connection.
struct stream_pair {
    tcp_stream client;
    tcp_stream server;
    stream_pair() = default;  // a constructor: g++ 12 destroys aggregates twice beside a co_await
};

inline task<stream_pair> connected_pair(endpoint address = "127.0.0.1:0",
                                        listen_options options = {}) {
    auto listener = co_await tcp_listener::bind(address, options);
    stream_pair made;
    made.client = co_await connect(listener.local_endpoint());
    made.server = co_await listener.accept();
    co_return made;
}

/// A stream of the library, and at its other end a raw socket.
struct raw_stream_pair {
    raw_socket peer;
    tcp_stream stream;
    raw_stream_pair() = default;
};

inline task<raw_stream_pair> connected_to_raw(endpoint address = "127.0.0.1:0",
                                              listen_options options = {}) {
    auto listener = co_await tcp_listener::bind(address, options);
    raw_stream_pair made;
    made.peer = raw_socket::connected_to(listener.local_endpoint());
    if (!address.is_unix()) made.peer.set_no_delay();
    made.stream = co_await listener.accept();
    co_return made;
}

/// Receives until the end of the stream.
inline task<std::string> receive_all(tcp_stream& from, std::size_t buffer_size = 65536) {
    std::string all;
    std::vector<char> buffer(buffer_size);
    while (auto n = co_await from.recv(buffer)) all.append(buffer.data(), n);
    co_return all;
}

inline task<std::string> receive(tcp_stream& from, std::size_t size) {
    std::string bytes(size, '\0');
    co_await from.recv_exact(bytes);
    co_return bytes;
}

inline task<> send_and_finish(tcp_stream& to, std::string_view bytes) {
    co_await to.send(bytes);
    co_await to.shutdown_send();
}

/// Lets the loop turn until nothing that has arrived at `stream` waits to be received.
inline task<> until_drained(const tcp_stream& stream) {
    int left = 1;
    while (left > 0) {
        co_await next_turn();
        if (simulated) left = simulated->readable(stream.native_handle()) > 0 ? 1 : 0;
        else if (::ioctl(stream.native_handle(), FIONREAD, &left) < 0) left = 0;
    }
}

/// Takes the connections that wait at `listener`: `expected` of them, and then whatever is left. A
/// busy kernel may queue a connection there after it has told the client.
inline task<std::size_t> take_waiting(tcp_listener& listener, std::size_t expected) {
    std::size_t count = 0;
    for (bool more = true; more;) {
        const auto time = count < expected ? patience : 0s;
        auto next = co_await as_result(with_timeout(time, listener.accept()));
        more = static_cast<bool>(next);
        count += more;
    }
    co_return count;
}

/// Lets the loop turn a few times: then every other task of these tests waits, and the kernel knows
/// what for.
inline task<> let_others_wait() {
    for (int i = 0; i < 5; ++i) co_await next_turn();
}

}  // namespace anel::test
