// remote_test.cpp: streams and datagrams between two simulated hosts: what the conformance tests,
// which live on one host, do not reach.
// SPDX-License-Identifier: MIT
#include "tests/support/sim_programs.hpp"

#include <algorithm>

namespace anel::test {
namespace {

/// Runs `served(stream)` for the one connection that the client makes, and `asks(stream)`.
void run_pair(sim::world& world, task<> (*served)(tcp_stream&), task<> (*asks)(tcp_stream&),
              listen_options options = {}) {
    world.client("server", "10.0.0.1", [&, served]() -> task<> {
        auto listener = co_await tcp_listener::bind("0.0.0.0:7777", options);
        auto conn = co_await listener.accept();
        co_await served(conn);
    });
    world.client("client", "10.0.0.2", [&, asks]() -> task<> {
        co_await sleep_for(10ms);
        auto conn = co_await connect("10.0.0.1:7777");
        co_await asks(conn);
    });
    world.run(2h);
}

TEST(sim_remote, each_direction_ends_by_itself) {
    sim::world world(1, calm());
    const auto served = [](tcp_stream& conn) -> task<> {
        std::string bytes(4, '\0');
        co_await conn.recv_exact(bytes);
        const std::size_t at_end = co_await conn.recv(bytes);
        EXPECT_EQ(at_end, 0U);
        co_await sleep_for(1s);
        co_await conn.send("still here");
        co_await conn.shutdown_send();
    };
    const auto asks = [](tcp_stream& conn) -> task<> {
        co_await conn.send("last");
        co_await conn.shutdown_send();
        std::string bytes(10, '\0');
        co_await conn.recv_exact(bytes);
        EXPECT_EQ(bytes, "still here");
        const std::size_t at_end = co_await conn.recv(bytes);
        EXPECT_EQ(at_end, 0U);
    };
    run_pair(world, served, asks);
}

TEST(sim_remote, a_sender_waits_for_a_slow_reader) {
    sim::world world(1, calm());
    const auto served = [](tcp_stream& conn) -> task<> {
        std::vector<char> buffer(10'000);
        std::size_t all = 0;
        while (auto n = co_await conn.recv(buffer)) {
            all += n;
            co_await sleep_for(100ms);
        }
        EXPECT_EQ(all, 1'000'000U);
    };
    const auto asks = [](tcp_stream& conn) -> task<> {
        const time_point start = co_await current_time();
        co_await conn.send(std::string(1'000'000, 'x'));
        const time_point end = co_await current_time();
        EXPECT_GT(end - start, 5s) << "buffers hold a quarter of it";
    };
    run_pair(world, served, asks);
}

TEST(sim_remote, closing_with_unread_data_resets_the_peer) {
    sim::world world(1, calm());
    const auto served = [](tcp_stream& conn) -> task<> {
        co_await sleep_for(100ms);
        co_await conn.close();
    };
    const auto asks = [](tcp_stream& conn) -> task<> {
        co_await conn.send("nobody reads this");
        std::string byte = "?";
        auto got = co_await as_result(conn.recv(byte));
        EXPECT_EQ(got.error(), std::errc::connection_reset);
    };
    run_pair(world, served, asks);
}

// What nobody reads any more is dropped, its reset is lost on the way, and the end comes after.
TEST(sim_remote, an_end_after_bytes_that_nobody_read) {
    sim::world world(1, calm());
    world.client("server", "10.0.0.1", [&]() -> task<> {
        auto listener = co_await tcp_listener::bind("0.0.0.0:7777");
        auto conn = co_await listener.accept();
        co_await sleep_for(500ms);
        co_await conn.close();
        world.partition_one_way("server", "client");
    });
    std::error_code error;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        co_await sleep_for(10ms);
        auto conn = co_await connect("10.0.0.1:7777");
        co_await sleep_for(1s);
        co_await conn.send("x");
        co_await sleep_for(10ms);
        auto told = co_await as_result(conn.shutdown_send());
        error = told.error();
        co_await sleep_for(1s);
    });
    world.run(2h);
    EXPECT_FALSE(error);
}

TEST(sim_remote, sending_to_a_closed_peer_is_a_broken_pipe_at_last) {
    sim::world world(1, calm());
    const auto served = [](tcp_stream& conn) -> task<> { co_await conn.close(); };
    const auto asks = [](tcp_stream& conn) -> task<> {
        co_await sleep_for(100ms);
        auto first = co_await as_result(conn.send("x"));
        EXPECT_TRUE(first) << "the answer to it is not there yet";
        co_await sleep_for(100ms);
        auto second = co_await as_result(conn.send("x"));
        EXPECT_EQ(second.error(), std::errc::broken_pipe);
    };
    run_pair(world, served, asks);
}

TEST(sim_remote, who_meets_a_full_backlog_is_served_later) {
    sim::world world(1, calm());
    int connected = 0;
    world.host("server", "10.0.0.1", []() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        auto listener = co_await tcp_listener::bind("0.0.0.0:7777", tiny);
        for (;;) {
            co_await sleep_for(2s);
            auto conn = co_await listener.accept();
        }
    });
    for (int i = 2; i < 6; ++i) {
        const std::string number = std::to_string(i);
        world.client("client" + number, "10.0.0." + number, [&]() -> task<> {
            co_await sleep_for(10ms);
            auto conn = co_await connect("10.0.0.1:7777");
            connected += 1;
        });
    }
    world.run(10min);
    EXPECT_EQ(connected, 4);
    EXPECT_GT(world.now(), 2s);
}

TEST(sim_remote, a_connect_that_is_given_up_leaves_nothing) {
    sim::world world(1, calm());
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", []() -> task<> {
        co_await sleep_for(10ms);
        for (int i = 0; i < 100; ++i) {
            const auto wait = std::chrono::microseconds(i * 50);
            std::ignore = co_await as_result(with_timeout(wait, connect("10.0.0.1:7777")));
        }
    });
    world.run(10min);
}

TEST(sim_remote, addresses_that_nobody_has_are_unreachable) {
    sim::world world(1, calm());
    world.client("client", "10.0.0.2", []() -> task<> {
        auto nobody = co_await as_result(connect("10.0.0.99:80"));
        EXPECT_EQ(nobody.error(), std::errc::host_unreachable);
        auto no_way = co_await as_result(connect("[fd00::1]:80"));
        EXPECT_EQ(no_way.error(), std::errc::network_unreachable);
        auto socket = co_await udp_socket::bind("0.0.0.0:0");
        co_await socket.sendto("lost", "10.0.0.99:80");
    });
    world.run(10min);
}

TEST(sim_remote, an_unused_port_refuses_datagrams_of_connected_sockets) {
    sim::world world(1, calm());
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", []() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:0");
        co_await socket.connect("10.0.0.1:9");
        co_await socket.send("x");
        std::array<char, 8> buffer{};
        auto got = co_await as_result(socket.recvfrom(buffer));
        EXPECT_EQ(got.error(), std::errc::connection_refused);
    });
    world.run(1min);
}

TEST(sim_remote, a_socket_for_both_families_sees_mapped_addresses) {
    sim::world world(1, calm());
    world.client("server", "10.0.0.1 fd00::1", []() -> task<> {
        auto listener = co_await tcp_listener::bind("[::]:7777");
        auto conn = co_await listener.accept();
        EXPECT_EQ(conn.peer_endpoint().with_port(0), endpoint("[::ffff:10.0.0.2]:0"));
        auto six = co_await listener.accept();
        EXPECT_EQ(six.peer_endpoint().with_port(0), endpoint("[fd00::2]:0"));
    });
    world.client("client", "10.0.0.2 fd00::2", []() -> task<> {
        co_await sleep_for(10ms);
        auto four = co_await connect("10.0.0.1:7777");
        auto six = co_await connect("[fd00::1]:7777");
        co_await sleep_for(1s);
    });
    world.run(1min);
}

TEST(sim_remote, post_and_offload_work_on_the_one_thread) {
    sim::world world(1, calm());
    int posted = 0;
    int computed = 0;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        event arrived;
        const auto post = co_await get_poster();
        world.at(1s, [&] {
            post([&] {
                posted += 1;
                arrived.set();
            });
        });
        computed = co_await offload([] { return 42; });
        co_await arrived.wait();
    });
    world.run(1min);
    EXPECT_EQ(posted, 1);
    EXPECT_EQ(computed, 42);
}

TEST(sim_remote, a_posted_function_may_spawn) {
    sim::world world(1, calm());
    int ran = 0;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        const auto post = co_await get_poster();
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto child = [&]() -> task<> {
                co_await yield();
                ran += 1;
            };
            post([&] { group.spawn(child); });
            world.at(1s, [&] { post([&] { group.spawn(child); }); });
            co_await sleep_for(2s);
        });
    });
    world.run(1min);  // and no frame is left, or missing
    EXPECT_EQ(ran, 2);
}

}  // namespace
}  // namespace anel::test
