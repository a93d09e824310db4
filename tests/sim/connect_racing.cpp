// connect_racing.cpp: a name with many addresses, of which one leads to a server.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <array>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

task<> greeter() {
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("[::]:80"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    const auto greet = [](tcp_stream conn) -> task<> { co_await conn.send("!"); };
    co_await serve(std::move(listener), greet);
}

task<> caller(sim::world& in, duration& took) {
    for (bool greeted = false; !greeted;) {
        const time_point start = co_await current_time();
        auto conn = co_await as_result(with_timeout(30s, connect("service.example", 80)));
        const time_point end = co_await current_time();
        took = end - start;
        if (conn) {
            std::array<char, 1> byte{};
            auto got = co_await as_result(with_timeout(5s, conn->recv_exact(byte)));
            greeted = static_cast<bool>(got);
            in.always(!greeted || byte[0] == '!', "the greeting arrives whole");
        }
        if (!greeted) co_await sleep_for(100ms);
    }
}

}  // namespace

void connect_racing(sim::world& in) {
    in.host("server", "10.0.0.1 fd00::1", greeter);
    in.host("deaf", "10.0.0.3", []() -> task<> { co_await sleep_for(1h); });
    // Nobody has the first two; the third refuses.
    in.name("service.example", {"fd00::77", "10.0.0.77", "10.0.0.3", "10.0.0.1", "fd00::1"});
    duration took{};
    in.client("client", "10.0.0.2 fd00::2", [&] { return caller(in, took); });
    in.run(600s);
    const auto& faults = in.stats().faults;
    std::uint64_t troubles = 0;
    for (std::size_t i = 0; i < faults.size(); ++i) {
        const auto kind = static_cast<sim::fault>(i);
        const bool harmless = kind == sim::fault::spurious_wake ||
                              kind == sim::fault::late_completion ||
                              kind == sim::fault::split_segment || kind == sim::fault::short_read;
        if (!harmless) troubles += faults[i];
    }
    in.always(troubles > 0 || took < 1500ms,
              "a working address wins within the delays of RFC 8305");
    in.sometimes(troubles == 0, "nothing goes wrong");
    in.sometimes(took > 2s, "it takes long");
}

}  // namespace anel::test
