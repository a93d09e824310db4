// is_slow.cpp: a server with a fault: now and then everybody waits.
//
//   is_slow [--mended] [ADDRESS:PORT]
//
// `ping` is answered with `pong`, and `price N` with the N-th prime, which takes long to find.
// docs/seeing_inside.md finds the fault in five steps.
// SPDX-License-Identifier: MIT
#include "../arguments.hpp"

#include <anel/anel.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace anel;
using namespace std::chrono_literals;

int nth_prime(int n) {
    int candidate = 1;
    while (n > 0) {
        candidate += 1;
        bool prime = true;
        for (int divisor = 2; divisor * divisor <= candidate && prime; ++divisor)
            prime = candidate % divisor != 0;
        if (prime) n -= 1;
    }
    return candidate;
}

task<> session(tcp_stream conn, bool mended) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        std::string reply = "pong";
        if (line->starts_with("price ")) {
            const int n = std::atoi(line->data() + 6);
            int price = 0;
            const auto find = [&] { price = nth_prime(n); };
            if (mended) co_await offload(find);  // on a helper thread: the loop goes on
            else find();
            reply = std::to_string(price);
        }
        reply += '\n';
        co_await conn.send(reply);
    }
}

task<> server(endpoint address, bool mended) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    const auto serve_one = [=](tcp_stream conn) { return session(std::move(conn), mended); };
    co_await serve(std::move(listener), serve_one);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: is_slow [--mended] [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777"), given.has("--mended")),
               {.dump_on = SIGUSR1, .stall_after = 10ms});
} catch (const std::exception& error) {
    std::cerr << "is_slow: " << error.what() << '\n';
    return 1;
}
