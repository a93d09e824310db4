// happy_eyeballs.cpp: what racing the addresses of a host is good for.     happy_eyeballs HOST PORT
//
// A host has several addresses, and some may lead nowhere. Prints how long each takes alone, and
// how long connect(host, port) takes, which races them as RFC 8305 says: the next one is tried when
// the one before has failed, or 250 ms after it began, and the first to connect wins.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <charconv>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace anel;
using namespace std::chrono_literals;

double milliseconds(duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

task<> try_alone(endpoint address) {
    const time_point start = co_await current_time();
    auto conn = co_await as_result(with_timeout(2s, connect(address)));
    const time_point end = co_await current_time();
    std::cout << address << (conn ? " connected" : " " + conn.error().message()) << " after "
              << milliseconds(end - start) << " ms" << std::endl;
}

task<> race(std::string host, std::uint16_t port) {
    const time_point start = co_await current_time();
    auto addresses = co_await resolve(host, port);
    const time_point resolved = co_await current_time();
    std::cout << host << " resolved in " << milliseconds(resolved - start) << " ms" << std::endl;
    co_await with_task_group([&](task_group& group) -> task<> {
        for (const endpoint& address : addresses) group.spawn(try_alone, address);
        co_return;
    });

    const time_point begin = co_await current_time();
    auto winner = co_await connect(host, port);
    const time_point won = co_await current_time();
    std::cout << winner.peer_endpoint() << " won the race after " << milliseconds(won - begin)
              << " ms" << std::endl;
}

int main(int argc, char** argv) try {
    const std::string usage = "usage: happy_eyeballs HOST PORT";
    const arguments given(argc, argv, usage, 2, 2);
    const std::string& port = given.positional[1];
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size()) {
        throw std::invalid_argument(usage);
    }
    return run(race(given.positional[0], number));
} catch (const std::exception& error) {
    std::cerr << "happy_eyeballs: " << error.what() << '\n';
    return 1;
}
