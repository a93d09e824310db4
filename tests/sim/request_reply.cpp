// request_reply.cpp: requests over TCP, with a new connection after each failure.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <string>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

struct request {
    std::uint32_t client = 0;
    std::uint32_t number = 0;
};
using packed = std::array<std::byte, sizeof(request)>;

struct books {
    std::map<std::uint64_t, int> executed;  // by client and number, over all lives of the server
    int retries = 0;
    int answered = 0;
};

task<> session(tcp_stream conn, books& all) {
    packed bytes{};
    for (;;) {
        auto got = co_await as_result(conn.recv_exact(bytes));
        if (!got) co_return;
        request asked;
        std::memcpy(&asked, bytes.data(), sizeof asked);
        all.executed[std::uint64_t{asked.client} << 32 | asked.number] += 1;
        co_await conn.send(bytes);
    }
}

task<> server(books& all) {
    // A lack of descriptors passes; a real server would be started again by its supervisor.
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:7000"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    const auto serve_one = [&](tcp_stream conn) { return session(std::move(conn), all); };
    co_await serve(std::move(listener), serve_one);
}

task<> exchange(tcp_stream& conn, packed& bytes) {
    co_await conn.send(bytes);
    co_await conn.recv_exact(bytes);
}

task<> client(sim::world& in, books& all, std::uint32_t self, std::uint32_t requests) {
    tcp_stream conn;
    for (std::uint32_t number = 0; number < requests;) {
        request asked;
        asked.client = self;
        asked.number = number;
        packed bytes{};
        std::memcpy(bytes.data(), &asked, sizeof asked);
        bool good = conn.is_open();
        if (!good) {
            auto made = co_await as_result(with_timeout(3s, connect("server", 7000)));
            good = static_cast<bool>(made);
            if (good) conn = std::move(*made);
        }
        if (good) {
            auto done = co_await as_result(with_timeout(2s, exchange(conn, bytes)));
            good = static_cast<bool>(done);
        }
        if (!good) {
            all.retries += 1;
            co_await conn.close();
            co_await sleep_for(50ms);
            continue;
        }
        request answer;
        std::memcpy(&answer, bytes.data(), sizeof answer);
        in.always(answer.client == self && answer.number == number,
                  "an answer belongs to its request");
        all.answered += 1;
        number += 1;
        if (self % 2 == 1) co_await sleep_for(20ms);
    }
    co_await conn.close();
}

}  // namespace

void request_reply(sim::world& in) {
    constexpr std::uint32_t clients = 3;
    constexpr std::uint32_t requests = 20;
    books all;
    in.host("server", "10.0.0.1", [&] { return server(all); });
    for (std::uint32_t i = 0; i < clients; ++i) {
        const std::string number = std::to_string(i + 2);
        in.client("client" + number, "10.0.0." + number,
                  [&, i] { return client(in, all, i, requests); });
    }
    in.run(600s);
    in.always(all.answered == clients * requests, "every request is answered");
    bool twice = false;
    for (const auto& [which, times] : all.executed) twice = twice || times > 1;
    in.always(all.executed.size() == clients * requests, "every request is executed");
    in.sometimes(all.retries > 0, "a request is sent again");
    in.sometimes(twice, "a request is executed twice");
    in.sometimes(all.retries == 0, "nothing goes wrong");
}

sim::world_options standard_options() {
    sim::world_options options;
    options.swarm = false;
    options.rates[sim::fault::connection_reset] = 100'000;
    options.rates[sim::fault::split_segment] = 100'000;
    options.rates[sim::fault::short_read] = 100'000;
    return options;
}

void standard(sim::world& in) {
    books all;
    in.host("server", "10.0.0.1", [&] { return server(all); });
    for (std::uint32_t i = 0; i < 8; ++i) {
        const std::string number = std::to_string(i + 2);
        in.client("client" + number, "10.0.0." + number,
                  [&, i] { return client(in, all, i, 100); });
    }
    in.run(600s);
    in.always(all.answered == 800, "every request is answered");
}

}  // namespace anel::test
