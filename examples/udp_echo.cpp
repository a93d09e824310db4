// udp_echo.cpp: sends every datagram back to its sender.     udp_echo [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <array>
#include <cstddef>
#include <iostream>
#include <tuple>

using namespace anel;

task<> server(endpoint address) {
    auto socket = co_await udp_socket::bind(address);
    auto backend = co_await current_backend();
    if (!backend.reason.empty()) std::cerr << "udp_echo: " << backend.reason << '\n';
    std::cout << "listening on " << socket.local_endpoint() << ' ' << backend << std::endl;

    std::array<std::byte, 65536> buffer;  // longer than any datagram: none is cut
    for (;;) {
        auto received = co_await socket.recvfrom(buffer);
        auto reply = std::span(buffer).first(received.size);
        // A datagram may be lost anyway; that this one could not be sent concerns nobody else.
        std::ignore = co_await as_result(socket.sendto(reply, received.from));
    }
}

int main(int argc, char** argv) try {
    return run(server(argc > 1 ? argv[1] : "127.0.0.1:7777"));
} catch (const std::exception& error) {
    std::cerr << "udp_echo: " << error.what() << '\n';
    return 1;
}
