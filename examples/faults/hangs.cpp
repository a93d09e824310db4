// hangs.cpp: a bank with a fault: some transfers never end.
//
//   hangs [--mended] [ADDRESS:PORT]
//
// `transfer FROM TO` moves one coin between the accounts 0 and 1, and is answered with the balance
// of FROM; `balance ACCOUNT` with that of one. docs/seeing_inside.md finds the fault in five steps.
// SPDX-License-Identifier: MIT
#include "../arguments.hpp"

#include <anel/anel.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <string>

using namespace anel;
using namespace std::chrono_literals;

struct account {
    mutex access;
    int balance = 100;
};

struct bank {
    std::array<account, 2> accounts;
    bool in_order = false;  // the mend: everybody locks the lower account first
};

task<int> transfer(bank& in, std::size_t from, std::size_t to) {
    const std::size_t first = in.in_order ? std::min(from, to) : from;
    auto held = co_await in.accounts[first].access.lock();
    co_await sleep_for(10ms);  // a ledger is written
    if (from != to) {
        const std::size_t second = first == from ? to : from;
        auto also_held = co_await in.accounts[second].access.lock();
        in.accounts[from].balance -= 1;
        in.accounts[to].balance += 1;
    }
    co_return in.accounts[from].balance;
}

task<> session(bank& in, tcp_stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        const std::string request(*line);
        std::string reply = "what?";
        const auto account_at = [&](std::size_t place) {
            return std::size_t{place < request.size() && request[place] == '1'};
        };
        if (request.starts_with("transfer ")) {
            auto left = co_await transfer(in, account_at(9), account_at(11));
            reply = std::to_string(left);
        } else if (request.starts_with("balance ")) {
            reply = std::to_string(in.accounts[account_at(8)].balance);
        }
        reply += '\n';
        co_await conn.send(reply);
    }
}

task<> server(endpoint address, bool mended) {
    bank one;
    one.in_order = mended;
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    const auto serve_one = [&](tcp_stream conn) { return session(one, std::move(conn)); };
    serve_options options;
    options.drain_time = 1s;
    co_await serve(std::move(listener), serve_one, options);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: hangs [--mended] [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777"), given.has("--mended")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "hangs: " << error.what() << '\n';
    return 1;
}
