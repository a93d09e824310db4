// serve_drain.cpp: a server that is told to stop answers what it has read, and then ends.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

struct drain_books {
    int begun = 0;     // requests that sessions have read
    int answered = 0;  // whose answers were handed over
    int cut_short = 0;
    bool ended = false;
    bool cancelled = false;  // the clients gave up first, and with them the run ended
};

task<> slow_session(tcp_stream conn, drain_books& all) {
    std::array<std::byte, 1> request{};
    for (;;) {
        auto got = co_await as_result(conn.recv(request));
        if (!got || *got == 0) co_return;
        all.begun += 1;
        co_await sleep_for(30ms);
        auto sent = co_await as_result(conn.send(request));
        if (!sent) {
            all.cut_short += 1;
            co_return;
        }
        all.answered += 1;
    }
}

task<> stopping_server(drain_books& all, duration after) {
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:7000"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    const auto session = [&](tcp_stream conn) { return slow_session(std::move(conn), all); };
    serve_options options;
    options.drain_time = 30s;
    try {
        std::ignore =
            co_await as_result(with_timeout(after, serve(std::move(listener), session, options)));
        all.ended = true;
    } catch (const task_cancelled&) {
        all.cancelled = true;
        throw;
    }
}

// Asks until the server is gone.
task<> insistent_client(sim::world& in) {
    int failures = 0;
    tcp_stream conn;
    while (failures < 3) {
        bool good = conn.is_open();
        if (!good) {
            auto made = co_await as_result(with_timeout(3s, connect("server", 7000)));
            good = static_cast<bool>(made);
            if (good) conn = std::move(*made);
        }
        std::array<char, 1> byte{'?'};
        if (good) {
            auto sent =
                co_await as_result(with_timeout(3s, conn.send(std::span<const char>(byte))));
            good = static_cast<bool>(sent);
        }
        if (good) {
            auto got = co_await as_result(with_timeout(3s, conn.recv(byte)));
            good = got && *got == 1;
            in.always(!good || byte[0] == '?', "the answer is the request");
        }
        if (good) continue;
        failures += 1;
        co_await conn.close();
        co_await sleep_for(200ms);
    }
}

}  // namespace

void serve_drain(sim::world& in) {
    drain_books all;
    const duration stop_after = std::chrono::milliseconds(in.random(3000) + 200);
    bool started = false;
    in.host("server", "10.0.0.1", [&]() -> task<> {
        started = true;
        co_await stopping_server(all, stop_after);
    });
    for (int i = 2; i < 6; ++i) {
        const std::string number = std::to_string(i);
        in.client("client" + number, "10.0.0." + number, [&] { return insistent_client(in); });
    }
    in.run(600s);
    const bool crashed = in.stats().faults[static_cast<std::size_t>(sim::fault::crash)] > 0;
    in.always(started, "the server runs");
    in.always(crashed || all.ended || all.cancelled, "the server ends by itself");
    in.always(crashed || all.begun == all.answered + all.cut_short,
              "what was begun is answered, or its connection is gone");
    in.sometimes(all.answered > 10, "many requests are answered");
    in.sometimes(all.cut_short > 0, "an answer meets a connection that is gone");
}

}  // namespace anel::test
