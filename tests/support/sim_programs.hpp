// sim_programs.hpp: small servers and clients for tests of the simulated network.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/anel.hpp>
#include <anel/sim.hpp>

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace anel::test {

using namespace std::chrono_literals;

/// Nothing goes wrong that the test does not do itself.
inline sim::world_options calm() {
    sim::world_options options;
    options.swarm = false;
    return options;
}

/// Exactly one fault, every time it can happen or less often.
inline sim::world_options only(sim::fault kind, std::uint32_t in_a_million = 1'000'000) {
    sim::world_options options = calm();
    options.rates[kind] = in_a_million;
    return options;
}

inline task<> echo(tcp_stream conn) {
    std::array<std::byte, 4096> buffer;
    while (auto n = co_await conn.recv(buffer)) co_await conn.send(std::span(buffer).first(n));
}

inline task<> echo_server() {
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:7777"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    co_await serve(std::move(listener), echo);
}

inline task<> ask_once(std::string host, bool& answered) {
    auto conn = co_await connect(host, 7777);
    std::string bytes = "question";
    co_await conn.send(bytes);
    co_await conn.recv_exact(bytes);
    answered = bytes == "question";
}

/// Asks until it was answered `times` times; nothing keeps it from trying.
inline task<> ask_patiently(std::string host, bool& answered, int times) {
    for (int done = 0; done < times;) {
        bool good = false;
        std::ignore = co_await as_result(with_timeout(3s, ask_once(host, good)));
        done += good;
        if (!good) co_await sleep_for(100ms);
    }
    answered = true;
}

}  // namespace anel::test
