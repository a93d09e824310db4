// udp_echo.cpp: sends every datagram back to its sender.     udp_echo [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <csignal>
#include <iostream>
#include <tuple>

using namespace anel;

task<> server(endpoint address) {
    auto socket = co_await udp_socket::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << socket.local_endpoint() << ' ' << backend << std::endl;

    datagram_batch batch;  // room for the longest datagrams: none is cut
    for (;;) {
        co_await socket.recv_batch(batch);  // all that have come, each with its sender
        // A datagram may be lost anyway; that one could not be sent concerns nobody else.
        std::ignore = co_await as_result(socket.send_batch(batch));
    }
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: udp_echo [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "udp_echo: " << error.what() << '\n';
    return 1;
}
