// anel.cpp: the server with anel, as a user would write it; ANEL_BACKEND chooses what waits.
//
// With --loops N first there are N threads on one port, each with a loop and a listener of its own.
//
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#ifdef BENCH_TLS
#include <anel/tls.hpp>
#endif

#include <atomic>
#include <iostream>
#include <tuple>

#include "server.hpp"

namespace {

using namespace anel;

template <byte_stream Stream>
task<> session(Stream conn, const server::options& given) {
    server::protocol rules(given);
    while (auto data = co_await conn.recv()) {
        std::span received(reinterpret_cast<char*>(data.data()), data.size());
        while (!received.empty()) co_await conn.send(rules.answer_first(received));
    }
}

struct several {
    unsigned loops = 1;
    std::atomic<unsigned> listening{0};
};

task<> serve_streams(const server::options& given, several& all) {
    listen_options options;
    options.reuse_port = all.loops > 1;
    auto listener = co_await tcp_listener::bind(given.address, options);
    auto backend = co_await current_backend();
    if (++all.listening == all.loops) {
        server::announce(listener.native_handle(), std::string(backend.name).c_str(),
                         "anel " BENCH_ANEL_VERSION ", serve() and recv(), loops: " +
                             std::to_string(all.loops));
    }
    auto with_options = [&given](auto conn) { return session(std::move(conn), given); };
#ifdef BENCH_TLS
    if (!given.tls.empty()) {
        auto context = tls_context::server(given.tls, given.tls);
        tls_listener secure(std::move(listener), context);
        co_await serve(std::move(secure), with_options);
        co_return;
    }
#endif
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
    several all;
    const bool says_loops = argc > 2 && std::string(argv[1]) == "--loops";
    if (says_loops) all.loops = static_cast<unsigned>(std::atoi(argv[2]));
    if (all.loops < 1 || all.loops > 1024) server::die("--loops: not 1 to 1024", EINVAL);
    const auto given = says_loops ? server::start(argc - 2, argv + 2) : server::start(argc, argv);
    if (all.loops > 1 && given.address.ends_with(":0")) {
        server::die("--loops: each would listen on a port of its own, " + given.address, EINVAL);
    }
    if (given.udp) return run(serve_datagrams(given));
    if (all.loops == 1) return run(serve_streams(given, all));
    return run_per_core(all.loops, [&](unsigned) { return serve_streams(given, all); });
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
