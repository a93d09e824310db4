// 12_timeout.cpp: what a timeout leaves behind: of a recv, and of a send.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <iostream>
#include <vector>
using namespace anel;
using namespace std::chrono_literals;

// #region recv
task<> cut_recv(tcp_stream& conn, tcp_stream& peer) {
    char buffer[64];
    auto early = co_await as_result(with_timeout(50ms, conn.recv(buffer)));
    std::cout << "recv: " << early.error().message() << '\n';
    co_await peer.send("hello");  // later than that recv could wait
    auto size = co_await conn.recv(buffer);  // the buffer is ours again
    std::cout << "the next recv: " << size << " bytes\n";
}
// #endregion recv

// #region won
task<> result_wins(tcp_stream& conn, tcp_stream& peer) {
    co_await peer.send("there");
    char first[1], buffer[64];
    co_await conn.recv_exact(first);  // so all 5 are in the kernel
    auto size = co_await with_timeout(0ms, conn.recv(buffer));
    std::cout << "recv with 0 ms: " << size << " bytes, no timeout\n";
}
// #endregion won

// #region send
task<> cut_send(tcp_stream& conn, tcp_stream& peer) {
    std::vector<char> much(64 << 20, 'x');
    auto sent = co_await as_result(with_timeout(50ms, conn.send(much)));
    std::cout << "send: " << sent.error().message() << '\n';
    co_await conn.shutdown_send();  // nobody knows how much was sent
    std::size_t arrived = 0;
    while (auto data = co_await peer.recv()) arrived += data.size();
    std::cout << "the peer got " << arrived << " of " << much.size()
              << " bytes\n";
}
// #endregion send

task<> program() {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    auto conn = co_await connect(listener.local_endpoint());
    auto peer = co_await listener.accept();
    co_await cut_recv(conn, peer);
    co_await result_wins(conn, peer);
    co_await cut_send(conn, peer);
}

int main() { return run(program()); }
