// recv_buffer_test.cpp: receiving into memory that the loop lends: no byte lost, doubled or moved,
// whatever else happens on the stream.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class lent_memory : public over_backends {};
ANEL_OVER_BACKENDS(lent_memory);

task<std::string> receive_all_lent(tcp_stream& from) {
    std::string all;
    while (auto data = co_await from.recv()) all += data.text();
    co_return all;
}

TEST_P(lent_memory, gives_what_was_sent_and_then_the_end) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("hello");
        {
            auto data = co_await pair.server.recv();
            EXPECT_TRUE(data);
            EXPECT_EQ(data.text(), "hello");
            EXPECT_EQ(data.size(), 5U);
        }
        co_await pair.client.shutdown_send();
        for (int i = 0; i < 3; ++i) {
            auto end = co_await pair.server.recv();
            EXPECT_FALSE(end);
            EXPECT_EQ(end.size(), 0U);
        }
    });
}

TEST_P(lent_memory, waits_for_what_is_sent_later) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::string received;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto read = [](tcp_stream& from, std::string& all) -> task<> {
                all = co_await receive_all_lent(from);
            };
            group.spawn(read, std::ref(pair.server), std::ref(received));
            for (int i = 0; i < 40; ++i) {
                co_await let_others_wait();
                co_await pair.client.send("piece " + std::to_string(i) + ";");
            }
            co_await pair.client.shutdown_send();
        });
        EXPECT_EQ(received.size(), 10 * 8 + 30 * 9U);
        EXPECT_EQ(received.find("piece 39;"), received.size() - 9);
    });
}

TEST_P(lent_memory, is_another_while_one_is_held_and_moves_with_its_buffer) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("one");
        auto one = co_await pair.server.recv();
        co_await pair.client.send("two");
        auto two = co_await pair.server.recv();
        EXPECT_EQ(one.text(), "one");
        EXPECT_EQ(two.text(), "two");
        EXPECT_NE(one.data(), two.data());
        one = std::move(two);
        EXPECT_EQ(one.text(), "two");
        one.release();
        EXPECT_FALSE(one);
    });
}

// Ten megabytes in pieces of every size; the reader is now faster and now slower than the writer.
TEST_P(lent_memory, a_long_stream_is_whole_however_it_is_cut) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(slow_build ? 2'000'000 : 10'000'000);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto write = [](tcp_stream& to, const std::string& all) -> task<> {
                std::size_t at = 0;
                for (std::size_t size = 1; at < all.size(); size = (size * 7 + 13) % 200'003 + 1) {
                    co_await to.send(std::string_view(all).substr(at, size));
                    at += size;
                    if (size % 11 == 0) co_await next_turn();
                }
                co_await to.shutdown_send();
            };
            group.spawn(write, std::ref(pair.client), std::cref(bytes));
            std::string received;
            int pieces = 0;
            while (auto data = co_await pair.server.recv()) {
                received += data.text();
                if (++pieces % 5 == 0) co_await let_others_wait();
            }
            EXPECT_TRUE(received == bytes) << received.size();
        });
    });
}

// What a recv_buffer left behind comes before what the kernel has: in order, whichever call asks.
TEST_P(lent_memory, mixes_with_the_other_ways_to_receive) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(600'000);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto write = [](tcp_stream& to, const std::string& all) -> task<> {
                for (std::size_t at = 0; at < all.size(); at += 1000) {
                    co_await to.send(std::string_view(all).substr(at, 1000));
                }
                co_await to.shutdown_send();
            };
            group.spawn(write, std::ref(pair.client), std::cref(bytes));
            std::string received;
            std::array<char, 333> small{};
            std::array<char, 2500> exact{};
            for (;;) {
                auto lent = co_await pair.server.recv();
                received += lent.text();
                const std::size_t some = co_await pair.server.recv(small);
                received.append(small.data(), some);
                auto all = co_await as_result(pair.server.recv_exact(exact));
                if (!all) break;
                received.append(exact.data(), exact.size());
            }
            // The last recv_exact met the end, after it had taken what was left.
            EXPECT_TRUE(bytes.starts_with(received));
            EXPECT_GT(received.size() + exact.size(), bytes.size());
        });
    });
}

TEST_P(lent_memory, a_cancelled_wait_loses_nothing) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(200'000);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto write = [](tcp_stream& to, const std::string& all) -> task<> {
                for (std::size_t at = 0; at < all.size(); at += 50) {
                    co_await to.send(std::string_view(all).substr(at, 50));
                    if (at % 400 == 0) co_await next_turn();
                }
                co_await to.shutdown_send();
            };
            group.spawn(write, std::ref(pair.client), std::cref(bytes));
            std::string received;
            for (;;) {
                auto data = co_await as_result(with_timeout(1us, pair.server.recv()));
                if (!data) {
                    EXPECT_EQ(data.error(), std::errc::timed_out);
                    continue;
                }
                if (!*data) break;
                received += data->text();
            }
            EXPECT_TRUE(received == bytes) << received.size();
        });
    });
}

TEST_P(lent_memory, a_slow_reader_slows_the_writer_down) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::size_t sent = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto write = [](tcp_stream& to, std::size_t& count) -> task<> {
                const std::string block(64 * 1024, 'x');
                for (;;) {
                    co_await to.send(block);
                    count += block.size();
                }
            };
            group.spawn(write, std::ref(pair.client), std::ref(sent));
            auto first = co_await pair.server.recv();
            std::size_t before = 1;
            while (sent != before) {  // until the writer has stopped
                before = sent;
                for (int i = 0; i < 50; ++i) co_await next_turn();
            }
            // What the kernel buffers on both sides, and at most some fifty chunks of ours.
            EXPECT_LT(sent, 32U << 20);
            group.cancel();
        });
    });
}

TEST_P(lent_memory, a_reset_is_told_after_what_came_before_it) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("last words");
        auto data = co_await pair.server.recv();
        EXPECT_EQ(data.text(), "last words");
        pair.client.reset_on_close();
        co_await pair.client.close();
        const std::string text = co_await failure_of(pair.server.recv());
        EXPECT_EQ(text, "recv " + pair.server.peer_endpoint().to_string() +
                            ": Connection reset by peer (ECONNRESET)");
    });
}

TEST_P(lent_memory, close_ends_a_wait_of_another_task) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::error_code error;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto read = [](tcp_stream& from, std::error_code& outcome) -> task<> {
                auto data = co_await as_result(from.recv());
                outcome = data.error();
            };
            group.spawn(read, std::ref(pair.server), std::ref(error));
            co_await let_others_wait();
            co_await pair.server.close();
        });
        EXPECT_EQ(error, std::errc::operation_canceled);
    });
}

// Closing a descriptor whose receive is armed looks at what the kernel has to tell, so another wait
// can end in the middle of a turn. A cancel in that very turn must not end it once more.
TEST_P(lent_memory, a_cancel_meets_a_wait_that_ended_while_another_stream_was_closed) {
    run([&]() -> task<> {
        const auto lent = [](tcp_stream& from, std::string& all) -> task<> {
            auto data = co_await from.recv();
            all += data.text();
        };
        const auto plain = [](tcp_stream& from, std::string& all) -> task<> {
            std::array<char, 16> buffer{};
            const std::size_t size = co_await from.recv(buffer);
            all.append(buffer.data(), size);
        };
        for (const bool lends : {true, false}) {
            auto pair = co_await connected_to_raw();
            auto other = co_await connected_to_raw();
            auto none = co_await as_result(with_timeout(1ms, other.stream.recv()));
            EXPECT_EQ(none.error(), std::errc::timed_out);
            std::string received;
            co_await with_task_group([&](task_group& group) -> task<> {
                if (lends) group.spawn(lent, std::ref(pair.stream), std::ref(received));
                else group.spawn(plain, std::ref(pair.stream), std::ref(received));
                co_await let_others_wait();
                pair.peer.write("hello");
                co_await other.stream.close();
                group.cancel();
            });
            if (received.empty()) co_await lent(pair.stream, received);
            EXPECT_EQ(received, "hello");
        }
    });
}

// A receive may stay armed while nobody asks: after the close it must be gone, and neither the old
// connection's bytes nor its end may reach the next one that gets the number.
TEST_P(lent_memory, a_descriptor_used_again_gets_its_own_bytes_only) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        for (int round = 0; round < rounds(500); ++round) {
            auto client = co_await connect(listener.local_endpoint());
            auto server = co_await listener.accept();
            const std::string mine = "round " + std::to_string(round);
            co_await client.send(mine);
            {
                auto data = co_await server.recv();
                EXPECT_EQ(data.text(), mine);
            }
            if (round % 2 == 0) {
                auto none = co_await as_result(with_timeout(0s, server.recv()));
                EXPECT_EQ(none.error(), std::errc::timed_out);
            }
            if (round % 3 == 0) co_await client.send("too late");
            co_await server.close();
        }
    });
}

TEST_P(lent_memory, many_streams_at_once_keep_their_bytes_apart) {
    run([&]() -> task<> {
        constexpr int streams = 200;
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        int right = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto echo = [](tcp_stream conn) -> task<> {
                while (auto data = co_await conn.recv()) co_await conn.send(data);
            };
            const auto ask = [](endpoint to, int number, int& answers) -> task<> {
                auto conn = co_await connect(to);
                for (int i = 0; i < 20; ++i) {
                    const std::string text = std::to_string(number * 1000 + i) + "|";
                    co_await conn.send(text);
                    const std::string answer = co_await receive(conn, text.size());
                    answers += answer == text;
                }
            };
            for (int i = 0; i < streams; ++i) {
                group.spawn(ask, listener.local_endpoint(), i, std::ref(right));
            }
            for (int i = 0; i < streams; ++i) {
                auto conn = co_await listener.accept();
                group.spawn(echo, std::move(conn));
            }
        });
        EXPECT_EQ(right, streams * 20);
    });
}

// All that a loop lends is held: receivers wait, and go on when one comes back.
TEST_P(lent_memory, with_all_of_it_held_receivers_wait_for_some_to_come_back) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::vector<recv_buffer> held;
        const auto send_one = [](tcp_stream& to, std::size_t i) -> task<> {
            co_await to.send(std::to_string(i % 10));
        };
        bool exhausted = false;
        while (!exhausted && held.size() < 5000) {
            co_await send_one(pair.client, held.size());
            auto data = co_await as_result(with_timeout(50ms, pair.server.recv()));
            exhausted = !data;
            if (data) held.push_back(std::move(*data));
        }
        EXPECT_TRUE(exhausted);
        EXPECT_GE(held.size(), 4000U);
        const std::string expected = std::to_string(held.size() % 10);
        held.clear();
        auto data = co_await with_timeout(patience, pair.server.recv());
        EXPECT_EQ(data.text(), expected);
    });
}

/// Takes all that the loop lends.
task<std::vector<recv_buffer>> hold_all() {
    auto pair = co_await connected_to_raw();
    std::vector<recv_buffer> held;
    for (;;) {
        pair.peer.write("x");
        auto data = co_await as_result(with_timeout(50ms, pair.stream.recv()));
        if (!data) co_return held;
        held.push_back(std::move(*data));
    }
}

task<> receive_one(tcp_stream& from, event& received) {
    auto data = co_await from.recv();
    EXPECT_TRUE(data);
    received.set();
}

// The one chunk that comes back is kept from nobody: not by a stream on which nothing comes, nor by
// one whose receiver has given up.
TEST_P(lent_memory, one_that_comes_back_goes_to_who_has_something_to_receive) {
    run([&]() -> task<> {
        auto silent = co_await connected_to_raw();
        auto given_up = co_await connected_to_raw();
        auto talking = co_await connected_to_raw();
        auto held = co_await hold_all();
        EXPECT_GT(held.size(), 4000U);
        event nothing;
        event something;
        given_up.peer.write("nobody asks for this");
        auto none = co_await as_result(with_timeout(1ms, given_up.stream.recv()));
        EXPECT_EQ(none.error(), std::errc::timed_out);
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&receive_one, std::ref(silent.stream), std::ref(nothing));
            co_await let_others_wait();
            group.spawn(&receive_one, std::ref(talking.stream), std::ref(something));
            co_await let_others_wait();
            held.pop_back();
            talking.peer.write("hello");
            auto received = co_await as_result(with_timeout(patience, something.wait()));
            EXPECT_TRUE(received);
            group.cancel();
        });
    });
}

TEST_P(lent_memory, who_waits_for_some_to_come_back_sleeps) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        auto held = co_await hold_all();
        event received;
        pair.peer.write("hello");
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&receive_one, std::ref(pair.stream), std::ref(received));
            co_await let_others_wait();
            const backend_counters before = co_await current_counters();
            co_await sleep_for(100ms);
            const backend_counters after = co_await current_counters();
            EXPECT_LT(after.waits - before.waits, 20U);
            held.clear();
            co_await received.wait();
        });
    });
}

// Three hundred peers whose sessions do something else send single bytes: what nobody asked for
// must not keep the memory from those who ask.
TEST_P(lent_memory, unread_bytes_of_many_do_not_take_it_all) {
    constexpr int crowd = 300;
    if (!allow_descriptors(2 * crowd + 100)) GTEST_SKIP() << "too few descriptors allowed";
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        std::vector<stream_pair> pairs(crowd);
        for (stream_pair& pair : pairs) {
            pair.client = co_await connect(listener.local_endpoint());
            pair.server = co_await listener.accept();
            auto none = co_await as_result(with_timeout(0s, pair.server.recv()));
            EXPECT_FALSE(none);
        }
        for (int i = 0; i < 16; ++i) {
            for (stream_pair& pair : pairs) co_await pair.client.send(std::to_string(i % 10));
            co_await next_turn();
        }
        auto client = co_await connect(listener.local_endpoint());
        auto server = co_await listener.accept();
        co_await client.send("honest");
        auto data = co_await with_timeout(patience, server.recv());
        EXPECT_EQ(data.text(), "honest");
        for (stream_pair& pair : pairs) {
            co_await pair.client.shutdown_send();
            const std::string all = co_await receive_all_lent(pair.server);
            EXPECT_EQ(all, "0123456789012345");
        }
    });
}

TEST_P(lent_memory, works_on_unix_sockets) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(
            endpoint("unix:lent_memory." + std::to_string(::getpid()) + ".sock"));
        co_await send_and_finish(pair.client, "over a file");
        const std::string received = co_await receive_all_lent(pair.server);
        EXPECT_EQ(received, "over a file");
    });
}

TEST(recv_buffer, may_have_memory_of_its_own) {
    recv_buffer made = recv_buffer::with_room_for(100);
    EXPECT_EQ(made.size(), 100U);
    std::memcpy(made.data(), "bytes", 5);
    made.shorten(5);
    const recv_buffer moved = std::move(made);
    EXPECT_EQ(moved.text(), "bytes");
    EXPECT_FALSE(made);  // NOLINT: empty
    recv_buffer nothing = recv_buffer::with_room_for(7);
    nothing.shorten(0);
    EXPECT_FALSE(nothing);
    EXPECT_FALSE(recv_buffer::with_room_for(0));
}

}  // namespace
}  // namespace anel::test
