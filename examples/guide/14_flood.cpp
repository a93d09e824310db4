// 14_flood.cpp: what UDP does on loopback: edges kept, a cut, and a flood.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <iostream>
#include <string>

using namespace anel;
using namespace std::chrono_literals;

// #region flood
task<int> flood(udp_socket& from, const endpoint& to) {
    int sent = 0;
    for (int i = 0; i < 10'000; ++i) {
        co_await from.sendto("a datagram", to);  // throws if it fails
        sent += 1;
    }
    co_return sent;
}
// #endregion flood

task<std::size_t> drain(udp_socket& from) {
    char room[64];
    for (std::size_t calls = 0;; ++calls) {
        auto wait = with_timeout(1s, from.recvfrom(room));
        auto got = co_await as_result(std::move(wait));
        if (!got) co_return calls;  // nothing more comes
    }
}

// #region batch
task<std::size_t> drain_batch(udp_socket& from, std::size_t& arrived) {
    datagram_batch batch(64);
    for (std::size_t calls = 0;; ++calls) {
        auto wait = with_timeout(1s, from.recv_batch(batch));
        auto count = co_await as_result(std::move(wait));
        if (!count) co_return calls;
        arrived += *count;
    }
}
// #endregion batch

task<> demo() {
    auto a = co_await udp_socket::bind("127.0.0.1:0");
    auto b = co_await udp_socket::bind("127.0.0.1:0");
    const endpoint to = b.local_endpoint();
    // #region edges
    char room[8];
    for (const char* text : {"oi", "", "upper oi, tudo bem"}) {
        co_await a.sendto(text, to);
        const datagram got = co_await b.recvfrom(room);
        std::cout << "sent " << std::string(text).size()
                  << " bytes, received " << got.size
                  << (got.truncated ? ", cut\n" : "\n");
    }
    // #endregion edges
    const int sent = co_await flood(a, to);
    const std::size_t one = co_await drain(b);
    std::cout << sent << " sent, " << one << " arrived: " << one
              << " recvfrom" << std::endl;
    std::size_t arrived = 0;
    const int again = co_await flood(a, to);
    const std::size_t calls = co_await drain_batch(b, arrived);
    std::cout << again << " sent, " << arrived << " arrived: " << calls
              << " recv_batch" << std::endl;
}

int main() { return run(demo()); }
