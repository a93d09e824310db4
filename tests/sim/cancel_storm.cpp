// cancel_storm.cpp: everything is given up at some moment: receives, sends, accepts, connects,
// lookups, groups, waits for events and channels. What arrives is always a beginning of what was
// sent, and nothing is left behind.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

char byte_at(std::size_t place) { return static_cast<char>(place * 31 + place / 251); }

struct storm {
    sim::world& in;
    int given_up = 0;
    int finished = 0;
    int cut_by_group = 0;
    explicit storm(sim::world& world) : in(world) {}

    duration moment() { return std::chrono::microseconds(in.random(8000)); }
};

// Sends the pattern until it is ended or given up.
task<> pour(tcp_stream& to, storm& all) {
    std::size_t sent = 0;
    std::vector<char> bytes;
    for (;;) {
        bytes.resize(all.in.random(5000) + 1);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_at(sent + i);
        const std::span<const char> rest(bytes);
        if (all.in.random(2) == 0) {
            auto n = co_await as_result(with_timeout(all.moment(), to.send_some(rest)));
            if (n) sent += *n;
            else all.given_up += 1;
            if (!n && n.error() != std::errc::timed_out) co_return;
        } else {
            auto done = co_await as_result(with_timeout(all.moment(), to.send(rest)));
            // After a send that was given up nobody knows how much is on its way.
            if (!done) co_return;
            sent += bytes.size();
        }
        if (all.in.random(20) == 0) {
            std::ignore = co_await as_result(to.shutdown_send());
            co_return;
        }
    }
}

task<> drink(tcp_stream& from, storm& all) {
    std::size_t received = 0;
    std::vector<char> bytes;
    for (;;) {
        bytes.resize(all.in.random(5000) + 1);
        auto n = co_await as_result(with_timeout(all.moment(), from.recv(bytes)));
        if (!n && n.error() != std::errc::timed_out) co_return;
        if (!n) {
            all.given_up += 1;
            if (all.in.random(50) == 0) co_return;
            continue;
        }
        if (*n == 0) co_return;
        bool right = true;
        for (std::size_t i = 0; i < *n; ++i) right = right && bytes[i] == byte_at(received + i);
        all.in.always(right, "what arrives is a beginning of what was sent");
        received += *n;
    }
}

task<> cancel_some_time(task_group& group, storm& all) {
    co_await sleep_for(all.moment() * 10);
    all.cut_by_group += 1;
    group.cancel();
}

// Both directions at once; at times the whole of it is cancelled, or closed from beside.
task<> converse(tcp_stream conn, storm& all) {
    const bool cut = all.in.random(2) == 0;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(pour, std::ref(conn), std::ref(all));
        group.spawn(drink, std::ref(conn), std::ref(all));
        if (cut) group.spawn(cancel_some_time, std::ref(group), std::ref(all));
        co_await sleep_for(all.moment());
        if (all.in.random(4) == 0) co_await conn.close();
    });
    all.finished += 1;
}

task<> stormy_server(storm& all) {
    for (;;) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:7000"));
        if (!bound) {
            co_await sleep_for(100ms);
            continue;
        }
        const auto session = [&](tcp_stream conn) { return converse(std::move(conn), all); };
        serve_options options;
        options.connections_max = 3;
        options.drain_time = all.moment();
        // The server itself is given up now and then, and begins again.
        std::ignore = co_await as_result(
            with_timeout(all.moment() * 100, serve(std::move(*bound), session, options)));
    }
}

task<> stormy_client(storm& all) {
    for (int i = 0; i < 10; ++i) {
        auto conn = co_await as_result(with_timeout(all.moment() * 4, connect("server", 7000)));
        if (!conn) {
            all.given_up += 1;
            continue;
        }
        co_await converse(std::move(*conn), all);
    }
}

// A channel between two tasks, both impatient: each item arrives once, in order.
task<> impatient_channel(storm& all) {
    channel<int> items(2);
    int next = 0;
    const auto put = [&]() -> task<> {
        for (int item = 0; item < 50;) {
            auto done = co_await as_result(with_timeout(all.moment() / 8, items.send(item)));
            if (done && *done) item += 1;
        }
        items.close();
    };
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(put);
        for (bool open = true; open;) {
            auto got = co_await as_result(with_timeout(all.moment() / 8, items.recv()));
            if (!got) continue;
            open = got->has_value();
            if (!open) break;
            all.in.always(**got == next, "each item arrives once, in order");
            next += 1;
            if (all.in.random(4) == 0) co_await sleep_for(all.moment());
        }
    });
    all.in.always(next == 50, "every item arrives");
}

}  // namespace

void cancel_storm(sim::world& in) {
    storm all(in);
    in.host("server", "10.0.0.1", [&] { return stormy_server(all); });
    for (int i = 2; i < 5; ++i) {
        const std::string number = std::to_string(i);
        in.client("client" + number, "10.0.0." + number, [&] { return stormy_client(all); });
    }
    in.client("channel", "10.0.0.9", [&] { return impatient_channel(all); });
    in.run(600s);
    in.sometimes(all.given_up > 100, "much is given up");
    in.sometimes(all.cut_by_group > 0, "a group is cancelled");
    in.sometimes(all.finished > 10, "conversations end");
}

}  // namespace anel::test
