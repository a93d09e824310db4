// proxy.cpp: passes every connection on to another server.     proxy [LISTEN] TARGET
//
// Both are addresses like 127.0.0.1:7777, [::1]:80 or unix:/tmp/x.sock. The two directions of a
// connection end one by one, as its two sides wish. Nothing is received before what came earlier is
// sent, so a slow reader slows its sender down, and memory holds one buffer a direction. When one
// side breaks off, the other is reset: what was cut short must not look like an end.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <csignal>
#include <iostream>

using namespace anel;
using namespace std::chrono_literals;

/// One direction: every byte, and then the end of them.
task<> pass(byte_stream auto& from, byte_stream auto& to) {
    std::array<std::byte, 16 * 1024> buffer;
    while (auto n = co_await from.recv(buffer)) co_await to.send(std::span(buffer).first(n));
    co_await to.shutdown_send();
}

task<> session(const endpoint& target, tcp_stream client) {
    tcp_stream server;
    try {
        server = co_await with_timeout(10s, connect(target));
        co_await when_all(pass(client, server), pass(server, client));
    } catch (...) {  // an error, which cancelled the other direction; or the end of the drain time
        client.reset_on_close();
        if (server.is_open()) server.reset_on_close();
        throw;
    }
}

void report(const endpoint& client, std::exception_ptr error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failed) {
        std::cerr << "proxy: " << client << ": " << failed.what() << '\n';
    }
}

task<> server(endpoint address, endpoint target) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    const auto relay = [&](tcp_stream client) { return session(target, std::move(client)); };
    serve_options options;
    options.session_failed = report;
    co_await serve(std::move(listener), relay, options);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: proxy [LISTEN] TARGET", 1, 2);
    const std::string listen = given.positional.size() > 1 ? given.positional[0] : "127.0.0.1:7777";
    return run(server(listen, given.positional.back()), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "proxy: " << error.what() << '\n';
    return 1;
}
