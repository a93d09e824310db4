// detached_stream_test.cpp: connections that go from one loop to another, with all that is on them.
// SPDX-License-Identifier: MIT
#include "tests/support/joining_thread.hpp"
#include "tests/support/streams.hpp"

#include <anel/thread_channel.hpp>

#include <thread>

namespace anel::test {
namespace {

using streams_to_serve = thread_channel<detached_stream>;

/// Hands over what `listener` accepts, until that is closed, to each of `loops` in turn. A part of
/// them says first whom it wants.
task<> hand_over(tcp_listener& listener, std::span<streams_to_serve*> loops) {
    for (std::size_t i = 0;; ++i) {
        auto conn = co_await as_result(listener.accept());
        if (!conn) co_return;
        std::array<char, 1> first{};
        co_await conn->recv_exact(first);
        const std::size_t wanted = first[0] == '?' ? i : static_cast<std::size_t>(first[0] - '0');
        streams_to_serve& to = *loops[wanted % loops.size()];
        const bool taken = co_await to.send(detach(std::move(*conn)));
        EXPECT_TRUE(taken);
    }
}

/// Sends everything back, and before it the number of its loop.
task<> echo_one(tcp_stream conn, char number) {
    co_await conn.send(std::string_view(&number, 1));
    std::vector<char> own(64);
    auto n = co_await conn.recv(own);
    co_await conn.send(std::span(own).first(n));
    while (auto bytes = co_await conn.recv()) co_await conn.send(bytes);
}

task<> serve_what_comes(streams_to_serve& from, char number) {
    co_await with_task_group([&](task_group& sessions) -> task<> {
        while (auto given = co_await from.recv()) {
            auto conn = co_await attach(std::move(*given));
            sessions.spawn(&echo_one, std::move(conn), number);
        }
    });
}

/// A loop in a thread of its own that serves what it is given, until it goes.
class other_loop {
public:
    other_loop(backend_kind kind, char number)
        : thread_([this, kind, number] {
              run_options how;
              how.backend.kind = kind;
              how.signals = false;
              anel::run(serve_what_comes(streams, number), how);
          }) {}
    other_loop(const other_loop&) = delete;
    other_loop& operator=(const other_loop&) = delete;
    ~other_loop() { streams.close(); }

    streams_to_serve streams{4};

private:
    joining_thread thread_;
};

/// Connects, asks for a loop, and has what it sends sent back. Returns which loop served it.
task<char> talk(endpoint address, char wish, std::size_t size, std::size_t from) {
    auto conn = co_await connect(address);
    const std::string bytes = pattern(size, from);
    char served_by = 0;
    co_await conn.send(std::string_view(&wish, 1));
    co_await conn.recv_exact(std::span(&served_by, 1));
    const auto send_all = [&]() -> task<> { co_await send_and_finish(conn, bytes); };
    const auto receive_back = [&]() -> task<> {
        const std::string back = co_await receive_all(conn);
        EXPECT_EQ(back, bytes);
    };
    co_await when_all(send_all(), receive_back());
    co_return served_by;
}

class handing_over_to_loops : public over_backends {};
ANEL_OVER_KERNELS(handing_over_to_loops);

TEST_P(handing_over_to_loops, each_gets_its_connections_with_every_byte) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        std::array<std::size_t, 2> served{};
        other_loop first(GetParam(), '0');
        other_loop second(GetParam(), '1');
        std::array<streams_to_serve*, 2> loops{&first.streams, &second.streams};
        const auto clients = [&](std::size_t number) -> task<> {
            for (std::size_t i = 0; i < 25; ++i) {
                const char wish = "?01"[i % 3];
                const std::size_t size = i % 5 == 4 ? 300'000 : 1 + 97 * i;
                const char by = co_await talk(address, wish, size, 1000 * number + i);
                EXPECT_TRUE(wish == '?' || wish == by);
                served[by == '1'] += 1;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&hand_over, std::ref(listener), std::span(loops));
            co_await with_task_group([&](task_group& all) -> task<> {
                for (std::size_t i = 0; i < 8; ++i) all.spawn(clients, i);
                co_return;
            });
            co_await listener.close();
        });
        EXPECT_EQ(served[0] + served[1], 200U);
        EXPECT_GE(served[0], 8U * 8);  // those that asked for it
        EXPECT_GE(served[1], 8U * 8);
    });
}

class detached : public over_backends {};
ANEL_OVER_BACKENDS(detached);

TEST_P(detached, streams_left_in_a_closed_channel_are_closed) {
    run([]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        std::vector<tcp_stream> peers;
        const std::size_t before = count_descriptors();
        {
            streams_to_serve left(3);
            for (int i = 0; i < 4; ++i) {
                auto client = co_await connect(listener.local_endpoint());
                peers.push_back(std::move(client));
                auto conn = co_await listener.accept();
                if (i == 3) left.close();
                const bool taken = co_await left.send(detach(std::move(conn)));
                EXPECT_EQ(taken, i < 3);
            }
            EXPECT_EQ(left.size(), 3U);
            EXPECT_EQ(count_descriptors(), before + 7);
        }
        EXPECT_EQ(count_descriptors(), before + 4);
        for (tcp_stream& peer : peers) {
            const std::string rest = co_await receive_all(peer);
            EXPECT_EQ(rest, "");
        }
    });
}

// Bytes that were there before, and those that come while it belongs to nobody.
TEST_P(detached, a_stream_keeps_its_bytes_its_peer_and_its_end) {
    run([]() -> task<> {
        auto pair = co_await connected_pair();
        const endpoint peer = pair.server.peer_endpoint();
        std::array<char, 16> buffer{};
        auto nothing = co_await as_result(with_timeout(0s, pair.server.recv(buffer)));
        EXPECT_FALSE(nothing);  // waited once: a poller watches it
        co_await pair.client.send("before ");
        detached_stream between = detach(std::move(pair.server));
        EXPECT_FALSE(pair.server.is_open());
        EXPECT_TRUE(between.is_open());
        EXPECT_EQ(between.peer_endpoint(), peer);
        co_await send_and_finish(pair.client, "and between");
        co_await let_others_wait();
        auto back = co_await attach(std::move(between));
        EXPECT_FALSE(between.is_open());
        EXPECT_EQ(back.peer_endpoint(), peer);
        const std::string all = co_await receive_all(back);
        EXPECT_EQ(all, "before and between");
        co_await send_and_finish(back, "answer");
        const std::string answer = co_await receive_all(pair.client);
        EXPECT_EQ(answer, "answer");
    });
}

TEST_P(detached, one_that_never_was_open_attaches_as_closed) {
    run([]() -> task<> {
        auto none = co_await attach(detached_stream());
        EXPECT_FALSE(none.is_open());
        auto closed = co_await attach(detach(tcp_stream()));
        EXPECT_FALSE(closed.is_open());
    });
}

// The session hands over and ends; neither the drain nor the listener's end concerns what went.
TEST_P(detached, a_session_of_serve_gives_its_stream_away) {
    run([]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto client = co_await connect(listener.local_endpoint());
        streams_to_serve given(1);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto server = [&](tcp_listener from) -> task<> {
                const auto pass_on = [&](tcp_stream conn) -> task<> {
                    const bool taken = co_await given.send(detach(std::move(conn)));
                    EXPECT_TRUE(taken);
                };
                co_await serve(std::move(from), pass_on);
            };
            group.spawn(server, std::move(listener));
            while (given.size() == 0) co_await next_turn();
            group.cancel();
        });
        auto taken = given.try_recv();
        auto conn = co_await attach(std::move(*taken));
        const auto serve_it = [&]() -> task<> {
            std::array<char, 4> buffer{};
            co_await conn.recv_exact(buffer);
            co_await conn.send(std::string_view(buffer.data(), buffer.size()));
            co_await conn.close();
        };
        const auto ask = [&]() -> task<> {
            co_await client.send("ping");
            const std::string back = co_await receive_all(client);
            EXPECT_EQ(back, "ping");
        };
        co_await when_all(serve_it(), ask());
    });
}

// With readiness a TCP stream that gave less than was asked for is empty: the next receive waits
// for news instead of asking once more. That must be known of a stream from elsewhere, too.
TEST_P(handing_over_to_loops, an_attached_stream_is_received_from_like_an_accepted_one) {
    run([]() -> task<> {
        std::array<std::uint64_t, 2> waits{};
        for (const bool handed_over : {false, true}) {
            auto pair = co_await connected_to_raw();
            if (handed_over) {
                auto given = detach(std::move(pair.stream));
                auto taken = co_await attach(std::move(given));
                pair.stream = std::move(taken);
            }
            std::array<char, 16> buffer{};
            const auto receive_one = [&]() -> task<> {
                auto n = co_await pair.stream.recv(buffer);
                EXPECT_EQ(n, 1U);
                const auto before = co_await current_counters();
                pair.peer.write("b");  // nobody has looked at the poller since
                auto more = co_await pair.stream.recv(buffer);
                EXPECT_EQ(more, 1U);
                const auto after = co_await current_counters();
                waits[handed_over] = after.waits - before.waits;
            };
            const auto write_one = [&]() -> task<> {
                co_await let_others_wait();
                pair.peer.write("a");
            };
            co_await when_all(receive_one(), write_one());
        }
        EXPECT_EQ(waits[0], waits[1]);
    });
}

using detached_death = detached;
TEST_P(detached_death, what_a_loop_holds_unread_is_not_left_behind) {
    GTEST_FLAG_SET(death_test_style, death_style());
    const auto detach_after_lending = [&] {
        run([]() -> task<> {
            auto pair = co_await connected_pair();
            co_await pair.client.send("x");
            auto bytes = co_await pair.server.recv();
            EXPECT_EQ(bytes.text(), "x");
            bytes.release();
            static_cast<void>(detach(std::move(pair.server)));
        });
    };
    EXPECT_DEATH(detach_after_lending(),
                 "a stream is detached or released that has received with recv");
}
ANEL_OVER_KERNELS(detached_death);

}  // namespace
}  // namespace anel::test
