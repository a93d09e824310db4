// faults_test.cpp: each fault alone, and what a program sees of it.
// SPDX-License-Identifier: MIT
#include "tests/support/sim_programs.hpp"

#include <algorithm>

namespace anel::test {
namespace {

std::uint64_t times(const sim::world& world, sim::fault kind) {
    return world.stats().faults[static_cast<std::size_t>(kind)];
}

/// Runs an echo of `size` bytes in a world with one fault; returns how often it happened.
std::uint64_t echo_with(const sim::world_options& options, sim::fault kind, std::size_t size,
                        std::uint64_t seed) {
    sim::world world(seed, options);
    world.host("server", "10.0.0.1", echo_server);
    bool equal = false;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        std::string sent(size, '\0');
        for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<char>(i * 7 + i / 256);
        std::string received(size, '\0');
        const auto send = [&]() -> task<> { co_await conn.send(sent); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send);
            co_await conn.recv_exact(received);
        });
        equal = sent == received;
    });
    world.run(1h);
    EXPECT_TRUE(equal);
    return times(world, kind);
}

// What a stream survives: every byte arrives once, in order.
TEST(sim_faults, streams_stay_streams) {
    for (const sim::fault kind :
         {sim::fault::slow_segment, sim::fault::split_segment, sim::fault::small_buffers,
          sim::fault::short_read, sim::fault::short_write, sim::fault::late_completion,
          sim::fault::spurious_wake, sim::fault::slow_receiver}) {
        std::uint64_t happened = 0;
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            happened += echo_with(only(kind, 500'000), kind, 50'000, seed);
        }
        EXPECT_GT(happened, 0U) << sim::name_of(kind);
    }
}

TEST(sim_faults, hosts_and_links_that_misbehave_only_delay_a_patient_program) {
    for (const sim::fault kind : {sim::fault::partition, sim::fault::one_way_partition,
                                  sim::fault::clog, sim::fault::pause, sim::fault::crash}) {
        std::uint64_t happened = 0;
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            sim::world world(seed, only(kind, 100'000));
            world.host("server", "10.0.0.1", echo_server);
            bool answered = false;
            world.client("client", "10.0.0.2", [&]() -> task<> {
                for (int i = 0; i < 10; ++i) {
                    co_await ask_patiently("server", answered, 1);
                    co_await sleep_for(500ms);
                }
            });
            world.run(20min);
            EXPECT_TRUE(answered);
            happened += times(world, kind);
        }
        EXPECT_GT(happened, 0U) << sim::name_of(kind);
    }
}

// Also when a short pause has begun within a long one.
TEST(sim_faults, nobody_stands_still_when_faults_have_stopped) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        sim::world world(seed, only(sim::fault::pause, 300'000));
        int one = 0;
        int other = 0;
        const auto count = [](int& turns) -> task<> {
            for (;; ++turns) co_await sleep_for(10ms);
        };
        world.host("one", "10.0.0.1", [&] { return count(one); });
        world.host("other", "10.0.0.2", [&] { return count(other); });
        world.run_for(5s);
        EXPECT_GT(times(world, sim::fault::pause), 0U);
        world.stop_faults();
        one = other = 0;
        world.run_for(1s);
        EXPECT_GT(one, 90);
        EXPECT_GT(other, 90);
    }
}

// One attempt in a world where one fault always happens, and the error it brings.
std::error_code error_with(sim::fault kind, task<> (*attempt)(sim::world&)) {
    sim::world world(1, only(kind));
    world.host("server", "10.0.0.1", echo_server);
    std::error_code error;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto done = co_await as_result(attempt(world));
        error = done.error();
    });
    world.run(2h);
    EXPECT_GT(times(world, kind), 0U) << sim::name_of(kind);
    return error;
}

task<> exchange_much(sim::world&) {
    auto conn = co_await connect("10.0.0.1:7777");
    std::string bytes(1 << 20, 'x');
    const auto send = [&]() -> task<> { co_await conn.send(bytes); };
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(send);
        std::string back(1 << 20, '\0');
        co_await conn.recv_exact(back);
    });
}

task<> only_connect(sim::world&) { auto conn = co_await connect("10.0.0.1:7777"); }
task<> only_resolve(sim::world&) { auto found = co_await resolve("server", 80); }
task<> only_bind(sim::world&) { auto socket = co_await udp_socket::bind("0.0.0.0:0"); }

TEST(sim_faults, errors_are_those_of_linux) {
    const std::error_code reset = error_with(sim::fault::connection_reset, exchange_much);
    EXPECT_TRUE(reset == std::errc::connection_reset || reset == std::errc::broken_pipe) << reset;
    // The error is told once: to the receive or to the send, and then the other one has EPIPE.
    const std::error_code half = error_with(sim::fault::half_open, exchange_much);
    EXPECT_TRUE(half == std::errc::timed_out || half == std::errc::broken_pipe) << half;
    EXPECT_EQ(error_with(sim::fault::connect_refused, only_connect), std::errc::connection_refused);
    EXPECT_EQ(error_with(sim::fault::connect_delayed, only_connect), std::errc::timed_out);
    EXPECT_EQ(error_with(sim::fault::lookup_failed, only_resolve).category(), name_category());
    EXPECT_EQ(error_with(sim::fault::lookup_slow, only_resolve), std::error_code());
}

TEST(sim_faults, a_lack_of_descriptors_is_EMFILE) {
    sim::world world(1, only(sim::fault::no_descriptors));
    std::error_code error;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto done = co_await as_result(only_bind(world));
        error = done.error();
    });
    world.run(1h);
    EXPECT_EQ(error, std::errc::too_many_files_open);
}

TEST(sim_faults, an_aborted_connection_is_no_reason_to_stop_serving) {
    sim::world world(1, only(sim::fault::connection_aborted, 500'000));
    world.host("server", "10.0.0.1", echo_server);
    bool answered = false;
    world.client("client", "10.0.0.2", [&] { return ask_patiently("server", answered, 10); });
    world.run(1h);
    EXPECT_TRUE(answered);
    EXPECT_GT(times(world, sim::fault::connection_aborted), 0U);
}

/// Sends `count` numbered datagrams and returns the numbers in the order of their arrival.
std::vector<int> datagrams_with(const sim::world_options& options, int count) {
    sim::world world(1, options);
    std::vector<int> arrived;
    world.host("receiver", "10.0.0.1", [&]() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:9");
        std::array<char, 16> buffer{};
        for (;;) {
            auto got = co_await socket.recvfrom(buffer);
            arrived.push_back(std::stoi(std::string(buffer.data(), got.size)));
        }
    });
    world.client("sender", "10.0.0.2", [&]() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:0");
        for (int i = 0; i < count; ++i) {
            std::ignore = co_await as_result(socket.sendto(std::to_string(i), "10.0.0.1:9"));
            co_await sleep_for(5ms);
        }
        co_await sleep_for(5s);
    });
    world.run(1h);
    return arrived;
}

TEST(sim_faults, datagrams_are_lost_doubled_late_and_refused) {
    std::vector<int> in_order;
    for (int i = 0; i < 100; ++i) in_order.push_back(i);
    EXPECT_EQ(datagrams_with(calm(), 100), in_order);
    const auto lossy = datagrams_with(only(sim::fault::datagram_lost, 300'000), 100);
    EXPECT_LT(lossy.size(), 90U);
    EXPECT_GT(lossy.size(), 40U);
    const auto doubled = datagrams_with(only(sim::fault::datagram_doubled), 100);
    EXPECT_EQ(doubled.size(), 200U);
    auto late = datagrams_with(only(sim::fault::datagram_late, 300'000), 100);
    EXPECT_NE(late, in_order);
    std::sort(late.begin(), late.end());
    EXPECT_EQ(late, in_order);
    EXPECT_LT(datagrams_with(only(sim::fault::no_buffers, 300'000), 100).size(), 90U);
}

TEST(sim_faults, a_swarm_brings_every_fault_in_some_seed) {
    std::array<std::uint64_t, sim::fault_count> seen{};
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        sim::world world(seed);
        world.host("server", "10.0.0.1 10.0.1.1", echo_server);
        world.host("other", "10.0.0.3", []() -> task<> {
            for (;;) {
                auto socket = co_await as_result(udp_socket::bind("0.0.0.0:9"));
                std::array<char, 16> buffer{};
                while (socket) {
                    auto got = co_await as_result(socket->recvfrom(buffer));
                    if (!got) break;
                }
                co_await sleep_for(10ms);
            }
        });
        bool answered = false;
        world.client("client", "10.0.0.2", [&]() -> task<> {
            auto socket = co_await as_result(udp_socket::bind("0.0.0.0:0"));
            for (int i = 0; i < 10; ++i) {
                if (socket) std::ignore = co_await as_result(socket->sendto("x", "10.0.0.3:9"));
                co_await ask_patiently("server", answered, 1);
                co_await sleep_for(200ms);
            }
        });
        world.run(30min);
        EXPECT_TRUE(answered);
        for (std::size_t i = 0; i < seen.size(); ++i) seen[i] += world.stats().faults[i];
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_GT(seen[i], 0U) << sim::name_of(static_cast<sim::fault>(i));
    }
}

}  // namespace
}  // namespace anel::test
