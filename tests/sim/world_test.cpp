// world_test.cpp: a simulated network: virtual time, the same run from the same seed, and what a
// test can do to hosts and links.
// SPDX-License-Identifier: MIT
#include "tests/support/sim_programs.hpp"

namespace anel::test {
using namespace detail;
namespace {

TEST(sim_world, two_hosts_talk_in_virtual_time) {
    sim::world world(1, calm());
    std::string answer(5, '\0');
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        co_await conn.send("hello");
        co_await conn.recv_exact(answer);
    });
    world.run(60s);
    EXPECT_EQ(answer, "hello");
    EXPECT_GT(world.now(), 400us);
    EXPECT_LT(world.now(), 1s);
}

TEST(sim_world, the_shape_without_functions_works_too) {
    sim::world world(1, calm());
    world.host("server", "10.0.0.1", echo_server());
    bool answered = false;
    world.host("client", "10.0.0.2", ask_once("server", answered));
    world.run(60s);
    EXPECT_TRUE(answered);
}

TEST(sim_world, an_hour_passes_in_no_time) {
    sim::world world(1, calm());
    duration slept{};
    world.client("sleeper", "10.0.0.1", [&]() -> task<> {
        const time_point start = co_await current_time();
        co_await sleep_for(1h);
        const time_point end = co_await current_time();
        slept = end - start;
    });
    world.run(2h);
    EXPECT_GE(slept, 1h);
    EXPECT_LT(slept, 1h + 1ms);
}

TEST(sim_world, a_program_that_spins_gets_older) {
    sim::world world(1, calm());
    world.client("spinner", "10.0.0.1", [&]() -> task<> {
        const time_point start = co_await current_time();
        time_point now = start;
        while (now < start + 1ms) {
            co_await yield();
            now = co_await current_time();
        }
    });
    world.run(1s);
    EXPECT_GE(world.now(), 1ms);
}

TEST(sim_world, names_its_backend) {
    sim::world world(1, calm());
    std::string name;
    world.client("client", "10.0.0.1", [&]() -> task<> {
        const backend_report report = co_await current_backend();
        name = report.name;
    });
    world.run(1s);
    EXPECT_EQ(name, "sim");
    backend_options by_hand;
    by_hand.kind = backend_kind::sim;
    EXPECT_THROW(static_cast<void>(make_backend(by_hand)), io_error);
}

std::uint64_t hash_of(std::uint64_t seed) {
    sim::world world(seed);
    world.host("server", "10.0.0.1", echo_server);
    bool answered = false;
    world.client("client", "10.0.0.2", [&] { return ask_patiently("server", answered, 20); });
    world.run(600s);
    EXPECT_TRUE(answered);
    return world.stats().trace_hash;
}

TEST(sim_world, the_same_seed_is_the_same_run_and_another_seed_another_one) {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const std::uint64_t hash = hash_of(seed);
        EXPECT_EQ(hash, hash_of(seed)) << "seed " << seed;
        hashes.insert(hash);
    }
    EXPECT_EQ(hashes.size(), 50U);
}

TEST(sim_world, tasks_that_are_ready_take_their_turn_in_every_order) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        sim::world world(seed);
        std::string order;
        world.client("client", "10.0.0.1", [&]() -> task<> {
            const auto step = [&](char name) -> task<> {
                co_await yield();
                order += name;
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                for (const char name : {'a', 'b', 'c'}) group.spawn(step, name);
                co_return;
            });
        });
        world.run(1s);
        orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 6U);
}

// --- what a test does to the network ------------------------------------------------------------

TEST(sim_world, a_partition_stops_everything_and_heals) {
    sim::world world(3, calm());
    world.host("server", "10.0.0.1", echo_server);
    std::vector<duration> answers;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        for (int i = 0; i < 2; ++i) {
            std::string byte = "?";
            co_await conn.send(byte);
            co_await conn.recv_exact(byte);
            answers.push_back(world.now());
            co_await sleep_for(1s);
        }
    });
    world.at(500ms, [&] { world.partition("server", "client"); });
    world.at(10s, [&] { world.heal(); });
    world.run(60s);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_LT(answers[0], 100ms);
    EXPECT_GT(answers[1], 10s) << "sent again once there is a way";
    EXPECT_LT(answers[1], 30s);
}

TEST(sim_world, a_connection_through_a_partition_times_out_at_last) {
    sim::world world(3, calm());
    world.host("server", "10.0.0.1", echo_server);
    std::error_code sending;
    std::error_code connecting;
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        world.partition("server", "client");
        std::string byte = "?";
        co_await conn.send(byte);
        auto got = co_await as_result(conn.recv(byte));
        sending = got.error();
        auto other = co_await as_result(connect("server", 7777));
        connecting = other.error();
    });
    world.run(2h);
    EXPECT_EQ(sending, std::errc::timed_out);
    EXPECT_EQ(connecting, std::errc::timed_out);
    EXPECT_GT(world.now(), 924s + 127s) << "what Linux takes for a send and a connect";
    EXPECT_LT(world.now(), 926s + 128s);
}

TEST(sim_world, a_host_that_crashes_says_nothing_and_resets_after_its_restart) {
    sim::world world(4, calm());
    int starts = 0;
    int destroyed = 0;
    struct witness {
        int& count;
        explicit witness(int& where) : count(where) {}
        ~witness() { count += 1; }
    };
    world.host("server", "10.0.0.1", [&]() -> task<> {
        const witness here(destroyed);
        starts += 1;
        co_await echo_server();
    });
    std::error_code error;
    duration told{};
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        std::string byte = "?";
        co_await conn.send(byte);
        co_await conn.recv_exact(byte);
        world.crash("server");
        auto silent = co_await as_result(with_timeout(5s, conn.recv(byte)));
        EXPECT_EQ(silent.error(), std::errc::timed_out) << "nobody tells";
        EXPECT_FALSE(world.is_up("server"));
        world.restart("server");
        co_await conn.send(byte);
        auto got = co_await as_result(conn.recv(byte));
        error = got.error();
        told = world.now();
        auto again = co_await connect("server", 7777);
        co_await again.send(byte);
        co_await again.recv_exact(byte);
    });
    world.run(60s);
    EXPECT_EQ(error, std::errc::connection_reset);
    EXPECT_LT(told, 6s);
    EXPECT_EQ(starts, 2);
    EXPECT_EQ(destroyed, 2) << "what a host holds goes with it";
}

TEST(sim_world, a_clogged_link_holds_everything_back) {
    sim::world world(5, calm());
    world.host("server", "10.0.0.1", echo_server);
    bool answered = false;
    world.client("client", "10.0.0.2", [&] { return ask_once("server", answered); });
    world.clog("server", "client");
    world.run_for(3s);
    EXPECT_FALSE(answered);
    world.heal();
    world.run(60s);
    EXPECT_TRUE(answered);
}

TEST(sim_world, a_slow_link_takes_the_time_that_the_bytes_need) {
    sim::world world(6, calm());
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        std::string bytes(100'000, 'x');
        co_await conn.send(bytes);
        co_await conn.recv_exact(bytes);
    });
    world.link("server", "client", 1ms, 1ms, 100'000);
    world.run(60s);
    EXPECT_GT(world.now(), 950ms);
    EXPECT_LT(world.now(), 3s);
}

TEST(sim_world, a_host_has_as_many_descriptors_as_it_may) {
    sim::world world(7, calm());
    std::error_code error;
    world.client("client", "10.0.0.1", [&]() -> task<> {
        world.limit_descriptors("client", 1);
        auto first = co_await udp_socket::bind("0.0.0.0:0");
        auto second = co_await as_result(udp_socket::bind("0.0.0.0:0"));
        error = second.error();
    });
    world.run(1s);
    EXPECT_EQ(error, std::errc::too_many_files_open);
}

TEST(sim_world, names_have_addresses_or_do_not_exist) {
    sim::world world(8, calm());
    world.host("server", "10.0.0.1 fd00::1", echo_server);
    world.name("alias.example", {"10.0.0.1", "10.9.9.9"});
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto own = co_await resolve("server", 80);
        EXPECT_EQ(own, (std::vector<endpoint>{"10.0.0.1:80", "[fd00::1]:80"}));
        auto alias = co_await resolve("Alias.Example.", 81);
        EXPECT_EQ(alias, (std::vector<endpoint>{"10.0.0.1:81", "10.9.9.9:81"}));
        auto none = co_await as_result(resolve("nobody.example", 80));
        EXPECT_EQ(none.error().category(), name_category());
    });
    world.run(10s);
}

// --- what makes a run fail ----------------------------------------------------------------------

std::string failure_text(sim::world& world, duration limit = 60s) {
    try {
        world.run(limit);
    } catch (const sim::failure& failed) {
        return failed.what();
    }
    return "no failure";
}

TEST(sim_world, tasks_that_wait_for_ever_are_named_with_their_places) {
    sim::world world(9, calm());
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", [&]() -> task<> {
        auto conn = co_await connect("server", 7777);
        std::string byte = "?";
        co_await conn.recv_exact(byte);
    });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("nothing will ever happen again"), std::string::npos) << text;
    EXPECT_NE(
        text.find(
            "client:\n  recv from 10.0.0.1:7777 (fd 3), at most 1 bytes to go, at world_test.cpp:"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("accept on 0.0.0.0:7777 (fd 3), at sessions.hpp:"), std::string::npos)
        << text;
    EXPECT_NE(text.find("seed 0x0000000000000009"), std::string::npos) << text;
}

TEST(sim_world, a_listing_of_the_tasks_is_no_part_of_the_record) {
    std::uint64_t hashes[2] = {};
    for (const bool look : {false, true}) {
        sim::world world(9, calm());
        world.host("server", "10.0.0.1", echo_server);
        world.client("client", "10.0.0.2", [&]() -> task<> {
            auto conn = co_await connect("server", 7777);
            co_await sleep_for(1s);
            if (!look) co_return;
            const std::string tasks = world.tasks();
            EXPECT_NE(tasks.find("recv from 10.0.0.2:"), std::string::npos) << tasks;
        });
        world.run(30s);
        hashes[look] = world.stats().trace_hash;
    }
    EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(sim_world, a_client_that_does_not_end_in_time_fails_the_run) {
    sim::world world(9, calm());
    world.client("client", "10.0.0.2", []() -> task<> { co_await sleep_for(2h); });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("client client has not ended in time"), std::string::npos) << text;
    EXPECT_NE(text.find("sleep (119 min left), at world_test.cpp:"), std::string::npos) << text;
}

TEST(sim_world, an_exception_of_a_program_fails_the_run) {
    sim::world world(9, calm());
    world.client("client", "10.0.0.2",
                 []() -> task<> { auto conn = co_await connect("10.0.0.2:1"); });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("host client: connect 10.0.0.2:1: Connection refused"), std::string::npos)
        << text;
}

TEST(sim_world, a_broken_promise_fails_the_run) {
    sim::world world(9, calm());
    world.client("client", "10.0.0.2", [&]() -> task<> {
        co_await sleep_for(1s);
        world.always(false, "one is two");
        co_await sleep_for(1s);
    });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("always: one is two"), std::string::npos) << text;
    EXPECT_NE(text.find("at 1.0000"), std::string::npos) << text;
}

TEST(sim_world, a_promise_that_is_broken_when_the_run_is_over_fails_it) {
    sim::world world(9, calm());
    world.client("client", "10.0.0.2", []() -> task<> { co_await sleep_for(1s); });
    world.run(10s);
    world.always(true, "one is one");
    try {
        world.always(false, "one is two");
        ADD_FAILURE() << "nothing was thrown";
    } catch (const sim::failure& error) {
        EXPECT_NE(std::string(error.what()).find("always: one is two"), std::string::npos);
    }
}

TEST(sim_world, faults_that_never_happen_do_not_without_a_swarm) {
    sim::world_options options = calm();
    options.rates[sim::fault::datagram_lost] = 1'000'000;
    options.never.push_back(sim::fault::datagram_lost);
    sim::world world(9, options);
    world.host("server", "10.0.0.1", []() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:7");
        co_await socket.sendto("hello", endpoint("10.0.0.2:7"));
    });
    world.client("client", "10.0.0.2", []() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:7");
        char buffer[8];
        co_await socket.recvfrom(buffer);
    });
    world.run(10s);
}

TEST(sim_world, a_buffer_that_is_changed_while_it_is_sent_fails_the_run) {
    sim::world world(9, calm());
    world.host("server", "10.0.0.1", echo_server);
    world.client("client", "10.0.0.2", []() -> task<> {
        auto conn = co_await connect("server", 7777);
        std::string bytes(4 << 20, 'x');
        const auto send = [&]() -> task<> { co_await conn.send(bytes); };
        const auto drink = [&]() -> task<> {
            std::string waste(65536, '\0');
            for (;;) std::ignore = co_await conn.recv(waste);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send);
            group.spawn(drink);
            co_await sleep_for(20ms);
            bytes.assign(bytes.size(), 'y');
            co_await sleep_for(1s);
            group.cancel();
        });
    });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("the buffer of a send was changed"), std::string::npos) << text;
}

TEST(sim_world, a_host_that_ignores_its_cancel_fails_the_run) {
    sim::world world(9, calm());
    world.host("server", "10.0.0.1", []() -> task<> { co_await shielded(sleep_for(100h)); });
    world.client("client", "10.0.0.2", []() -> task<> { co_await sleep_for(1s); });
    const std::string text = failure_text(world);
    EXPECT_NE(text.find("host server does not end when it is cancelled"), std::string::npos)
        << text;
}

TEST(sim_world, sometimes_remembers_what_was_reached) {
    sim::world world(9, calm());
    world.sometimes(false, "rare");
    world.sometimes(true, "usual");
    world.sometimes(false, "usual");
    const auto reached = world.stats().sometimes;
    ASSERT_EQ(reached.size(), 2U);
    EXPECT_EQ(reached[0], std::pair(std::string("rare"), false));
    EXPECT_EQ(reached[1], std::pair(std::string("usual"), true));
}

}  // namespace
}  // namespace anel::test
