// thread_sweep_test.cpp: what other threads can reach: a channel between loops, connections in it,
// and a stop token.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/stop_token.hpp>
#include <anel/thread_channel.hpp>

#include <algorithm>

namespace anel::test {
namespace {

struct exchange_between_threads : scenario {
    using scenario::scenario;
    task<> body() {
        const auto sends = [&]() -> task<> {
            for (int i = 0; i < 6; ++i) {
                const bool taken = co_await between.send(i);
                sent += taken;
                point();
            }
            between.close();
        };
        const auto receives = [&]() -> task<> {
            while (auto item = co_await between.recv()) {
                EXPECT_EQ(*item, received);
                received += 1;
                point();
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await next_turn();
            group.spawn(receives);
        });
    }
    task<> check(const report& said) {
        EXPECT_EQ(static_cast<std::size_t>(sent - received), between.size());
        if (said.completed) {
            EXPECT_EQ(received, 6);
        }
        co_return;
    }
    thread_channel<int> between{1};
    int sent = 0;
    int received = 0;
};
ANEL_SWEEP(exchange_between_threads);

// What is accepted goes to another task as it would to another loop.
struct handing_over : scenario {
    using scenario::scenario;
    static constexpr std::size_t clients = 3;
    task<> set_up() {
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        address = listener.local_endpoint();
        connected.reserve(clients);
        served.reserve(clients);
        descriptors = count_descriptors();
    }
    task<> beside() {
        for (std::size_t i = 0; i < clients; ++i) {
            for (int turns = 0; turns < 3; ++turns) co_await next_turn();
            connected.push_back(raw_socket::connected_to(address));
        }
    }
    task<> body() {
        const auto accepts = [&]() -> task<> {
            for (std::size_t i = 0; i < clients; ++i) {
                auto conn = co_await listener.accept();
                const bool taken = co_await between.send(detach(std::move(conn)));
                EXPECT_TRUE(taken);
                point();
            }
            between.close();
        };
        const auto serves = [&]() -> task<> {
            while (auto given = co_await between.recv()) {
                point();
                auto conn = co_await attach(std::move(*given));
                EXPECT_TRUE(conn.is_open());
                served.push_back(std::move(conn));
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(accepts);
            co_await next_turn();
            group.spawn(serves);
        });
    }
    // Served, in the channel, or closed: no descriptor is held by nobody.
    task<> check(const report& said) {
        if (said.completed) {
            EXPECT_EQ(served.size(), clients);
        }
        const std::size_t held = connected.size() + served.size() + between.size();
        EXPECT_EQ(count_descriptors(), descriptors + held);
        for (tcp_stream& conn : served) {
            co_await conn.send("x");
            const auto same = [&](const raw_socket& peer) {
                return peer.local_endpoint() == conn.peer_endpoint();
            };
            EXPECT_EQ(std::count_if(connected.begin(), connected.end(), same), 1);
        }
    }
    tcp_listener listener;
    endpoint address;
    std::size_t descriptors = 0;
    thread_channel<detached_stream> between{1};
    std::vector<tcp_stream> served;
    std::vector<raw_socket> connected;
};
ANEL_SWEEP(handing_over);

#ifdef __cpp_lib_jthread
struct stopping : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> beside() {
        co_await next_turn();
        pair.peer.write("ab");
        for (int i = 0; i < 4; ++i) co_await next_turn();
        source.request_stop();
    }
    task<> body() {
        std::array<char, 16> buffer{};
        for (;;) {
            auto wait = with_stop_token(source.get_token(), pair.stream.recv(buffer));
            auto n = co_await as_result(std::move(wait));
            if (!n && n.error() == std::errc::operation_canceled) co_return;
            if (!n) throw io_error(n.error(), "recv", {});
            received += *n;
        }
    }
    task<> check(const report&) {
        pair.peer.shutdown_write();
        const std::string left = co_await receive_all(pair.stream);
        EXPECT_LE(received + left.size(), 2U);
        EXPECT_EQ((received + left.size()) % 2, 0U);
    }
    std::stop_source source;
    raw_stream_pair pair;
    std::size_t received = 0;
};
ANEL_SWEEP(stopping);
#endif

}  // namespace
}  // namespace anel::test
