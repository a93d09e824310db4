// 14_udp.cpp: a UDP server that answers each datagram in capital letters.
// SPDX-License-Identifier: MIT
//     14_udp [PORT] [batch]
#include <anel/anel.hpp>

#include <cctype>
#include <iostream>
#include <string>
#include <tuple>

using namespace anel;

void shout(std::span<std::byte> text) {
    for (std::byte& each : text)
        each = std::byte(std::toupper(std::to_integer<int>(each)));
}

// #region plain
task<> one_by_one(udp_socket& socket) {
    std::byte room[2048];
    for (;;) {
        const datagram got = co_await socket.recvfrom(room);
        const auto text = std::span(room).first(got.size);
        shout(text);
        auto sent = co_await as_result(socket.sendto(text, got.from));
        std::ignore = sent;  // a datagram may be lost anyway
    }
}
// #endregion plain

// #region batch
task<> in_batches(udp_socket& socket) {
    datagram_batch batch(2048);  // up to 64 datagrams of 2,048 bytes
    for (;;) {
        co_await socket.recv_batch(batch);
        for (auto each : batch) shout(each.bytes());
        auto sent = co_await as_result(socket.send_batch(batch));
        std::ignore = sent;
    }
}
// #endregion batch

task<> server(endpoint address, bool batch) {
    auto socket = co_await udp_socket::bind(address);
    std::cout << "listening on " << socket.local_endpoint() << std::endl;
    if (batch) co_await in_batches(socket);
    else co_await one_by_one(socket);
}

int main(int argc, char** argv) {
    const std::string port = argc > 1 ? argv[1] : "7777";
    const bool batch = argc > 2 && std::string(argv[2]) == "batch";
    return run(server("127.0.0.1:" + port, batch));
}
