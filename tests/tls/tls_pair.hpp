// tls_pair.hpp: two ends of a TLS connection in one loop, for tests.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/streams.hpp"
#include "tests/tls/certificates.hpp"

#include <anel/tls.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace anel::test {

/// Contexts of a server and of a client that trusts it.
struct tls_contexts {
    certificates made;
    tls_context server;
    tls_context client;
    explicit tls_contexts(tls_server_options of_server = {}, tls_client_options of_client = {})
        : server(tls_context::server(made.server.chain_file, made.server.key_file,
                                     std::move(of_server))),
          client(tls_context::client(trusting(made.authority, std::move(of_client)))) {}

    static tls_client_options trusting(const test_certificate& authority,
                                       tls_client_options options = {}) {
        options.roots = authority.chain_file;
        return options;
    }
};

struct tls_pair {
    tls_stream client;
    tls_stream server;
    tls_pair() = default;
};

/// Two ends that have not spoken yet.
inline task<tls_pair> unshaken_pair(const tls_context& server, const tls_context& client,
                                    std::string host = "localhost",
                                    endpoint address = "127.0.0.1:0") {
    auto below = co_await connected_pair(address);
    tls_pair made;
    made.client = tls_stream(std::move(below.client), client, host);
    made.server = tls_stream(std::move(below.server), server);
    co_return made;
}

/// An address at which one can listen again and again: sessions belong to a host and a port.
inline task<endpoint> free_address() {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    co_return listener.local_endpoint();
}

/// Both handshakes; a failure of one is thrown.
inline task<> shake_hands(tls_pair& pair) {
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn([](tls_stream& server) { return server.handshake(); }, std::ref(pair.server));
        co_await pair.client.handshake();
    });
}

inline task<tls_pair> shaken_pair(const tls_context& server, const tls_context& client,
                                  std::string host = "localhost",
                                  endpoint address = "127.0.0.1:0") {
    auto pair = co_await unshaken_pair(server, client, host, address);
    co_await shake_hands(pair);
    co_return pair;
}

/// What each end of a handshake says, "" for one that succeeds. Each end goes when it has failed.
struct handshake_outcome {
    std::string client;
    std::string server;
    handshake_outcome() = default;
};

inline task<> end_of_handshake(tls_stream& end, std::string& said) {
    try {
        co_await end.handshake();
        // In TLS 1.3 a client is ready before the server has looked at its certificate.
        std::array<char, 1> buffer{};
        if (said == "and recv") std::ignore = co_await end.recv(buffer);
        said.clear();
    } catch (const io_error& failed) {
        said = failed.what();
    }
    end = tls_stream();
}

inline task<handshake_outcome> failing_handshake(const tls_context& server,
                                                 const tls_context& client,
                                                 std::string host = "localhost",
                                                 endpoint address = "127.0.0.1:0") {
    auto pair = co_await unshaken_pair(server, client, host, address);
    handshake_outcome said;
    said.client = "and recv";
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(end_of_handshake, std::ref(pair.server), std::ref(said.server));
        co_await end_of_handshake(pair.client, said.client);
    });
    co_return said;
}

inline task<std::string> receive(tls_stream& from, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t count = 0;
    while (count < size) {
        const std::size_t more =
            co_await from.recv(mutable_buffer(bytes.data() + count, size - count));
        if (more == 0) break;
        count += more;
    }
    bytes.resize(count);
    co_return bytes;
}

inline task<std::string> receive_all(tls_stream& from) {
    std::string all;
    while (auto data = co_await from.recv()) all += data.text();
    co_return all;
}

}  // namespace anel::test
