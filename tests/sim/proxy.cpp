// proxy.cpp: the very text of examples/proxy.cpp between clients and an echo server: what was cut
// short must not look like an end.
// SPDX-License-Identifier: MIT

// g++ takes what an included file defines for something that other files define as well, and says
// so at the templates that use it: this must stand before them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace proxy_example {
#define main proxy_main
#include "examples/proxy.cpp"  // what it includes is included above
#undef main
}  // namespace proxy_example

namespace anel::test {
namespace {

using namespace std::chrono_literals;

task<tcp_listener> patient_listener(endpoint address) {
    for (;;) {
        auto bound = co_await as_result(tcp_listener::bind(address));
        if (bound) co_return std::move(*bound);
        co_await sleep_for(100ms);
    }
}

task<> echo_back(tcp_stream conn) {
    std::array<std::byte, 3000> buffer;
    while (auto n = co_await conn.recv(buffer)) co_await conn.send(std::span(buffer).first(n));
}

task<> echo_host() {
    auto listener = co_await patient_listener("0.0.0.0:1");
    co_await serve(std::move(listener), echo_back);
}

task<> proxy_host() {
    auto listener = co_await patient_listener("0.0.0.0:2");
    const endpoint target = "10.0.0.1:1";
    const auto relay = [&](tcp_stream client) {
        return proxy_example::session(target, std::move(client));
    };
    co_await serve(std::move(listener), relay);
}

struct relayed {
    int whole = 0;
    int cut = 0;
};

// Returns whether everything came back.
task<bool> through_the_proxy(sim::world& in, std::size_t size) {
    std::string sent(size, '\0');
    for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<char>(i * 13 + i / 256);
    auto conn = co_await connect("10.0.0.2:2");
    std::string received;
    bool ended = false;
    const auto send = [&]() -> task<> {
        co_await conn.send(sent);
        co_await conn.shutdown_send();
    };
    const auto gather = [&]() -> task<> {
        std::vector<char> buffer(2000);
        while (auto n = co_await conn.recv(buffer)) received.append(buffer.data(), n);
        ended = true;
    };
    // A reset is told once, to the send or to the receive, and the other one then sees an end: only
    // both together say that all went well.
    auto done = co_await as_result(with_task_group([&](task_group& group) -> task<> {
        group.spawn(send);
        group.spawn(gather);
        co_return;
    }));
    in.always(sent.starts_with(received), "what comes back is a beginning of what was sent");
    const bool whole = done && ended;
    in.always(!whole || received.size() == size, "what was cut short does not look like an end");
    co_return whole;
}

task<> proxy_client(sim::world& in, relayed& counts) {
    for (int i = 0; i < 4; ++i) {
        bool whole = false;
        while (!whole) {
            const std::size_t size = in.random(60'000);
            auto done = co_await as_result(with_timeout(20s, through_the_proxy(in, size)));
            whole = done && *done;
            (whole ? counts.whole : counts.cut) += 1;
            if (!whole) co_await sleep_for(200ms);
        }
    }
}

}  // namespace

void proxy(sim::world& in) {
    relayed counts;
    in.host("echo", "10.0.0.1", echo_host);
    in.host("proxy", "10.0.0.2", proxy_host);
    for (int i = 3; i < 6; ++i) {
        const std::string number = std::to_string(i);
        in.client("client" + number, "10.0.0." + number, [&] { return proxy_client(in, counts); });
    }
    in.run(1200s);
    in.always(counts.whole == 12, "everything is relayed in the end");
    in.sometimes(counts.cut > 0, "a connection is cut short");
    in.sometimes(counts.cut == 0, "nothing goes wrong");
}

}  // namespace anel::test
