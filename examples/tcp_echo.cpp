// tcp_echo.cpp: sends back to every client what it sent.     tcp_echo [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <csignal>
#include <iostream>

using namespace anel;

task<> echo(tcp_stream conn) {
    while (auto data = co_await conn.recv())  // empty: the peer has finished
        co_await conn.send(data);             // all of it
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    co_await serve(std::move(listener), echo);
}

int main(int argc, char** argv) try {
    const std::string_view address = argc > 1 ? argv[1] : "127.0.0.1:7777";
    if (address != "--help") return run(server(address), {.dump_on = SIGUSR1});
    std::cout << "usage: tcp_echo [ADDRESS:PORT]\n";
} catch (const std::exception& error) {
    std::cerr << "tcp_echo: " << error.what() << '\n';
    return 1;
}
