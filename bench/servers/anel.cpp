// anel.cpp: the server with anel, as a user would write it; ANEL_BACKEND chooses what waits.
//
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <iostream>
#include <tuple>

#include "server.hpp"

namespace {

using namespace anel;

task<> session(tcp_stream conn, const server::options& given) {
    server::protocol rules(given);
    while (auto data = co_await conn.recv()) {
        std::span received(reinterpret_cast<char*>(data.data()), data.size());
        while (!received.empty()) co_await conn.send(rules.answer_first(received));
    }
}

task<> serve_streams(const server::options& given) {
    auto listener = co_await tcp_listener::bind(given.address);
    auto backend = co_await current_backend();
    server::announce(listener.native_handle(), std::string(backend.name).c_str(),
                     "anel " BENCH_ANEL_VERSION ", serve() and recv()");
    auto with_options = [&given](tcp_stream conn) { return session(std::move(conn), given); };
    co_await serve(std::move(listener), with_options);
}

task<> serve_datagrams(const server::options& given) {
    auto socket = co_await udp_socket::bind(given.address);
    auto backend = co_await current_backend();
    server::announce(socket.native_handle(), std::string(backend.name).c_str(),
                     "anel " BENCH_ANEL_VERSION ", batches of datagrams");
    datagram_batch batch;
    for (;;) {
        co_await socket.recv_batch(batch);
        std::ignore = co_await as_result(socket.send_batch(batch));
    }
}

}  // namespace

int main(int argc, char** argv) try {
    const auto given = server::start(argc, argv);
    return run(given.udp ? serve_datagrams(given) : serve_streams(given));
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
