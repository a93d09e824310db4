// ends_test.cpp: how TLS connections end, what a cancel leaves behind, and both directions at once.
// SPDX-License-Identifier: MIT
#include "tests/tls/tls_pair.hpp"

#include <anel/buffered_reader.hpp>
#include <anel/lingering_close.hpp>
#include <anel/serve.hpp>

namespace anel::test {
namespace {

class tls_end : public over_backends {};
ANEL_OVER_BACKENDS(tls_end);

TEST_P(tls_end, a_connection_that_ends_without_a_farewell_was_cut_off) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        co_await pair.client.send("part");
        co_await pair.client.below().shutdown_send();
        const std::string part = co_await receive(pair.server, 4);
        EXPECT_EQ(part, "part");
        for (int i = 0; i < 2; ++i) {
            const std::string said = co_await failure_of(pair.server.recv());
            EXPECT_TRUE(said.starts_with("recv 127.0.0.1:")) << said;
            EXPECT_TRUE(said.ends_with(": the peer closed the connection early")) << said;
        }
        std::array<char, 4> buffer{};
        const std::error_code error = co_await error_of(pair.server.recv(buffer));
        EXPECT_EQ(error, errc::unexpected_eof);
        // It can still be answered.
        co_await pair.server.send("answer");
        const std::string answer = co_await receive(pair.client, 6);
        EXPECT_EQ(answer, "answer");
    });
}

TEST_P(tls_end, a_stream_that_goes_says_so) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        co_await pair.client.shutdown_send();
        const std::string nothing = co_await receive_all(pair.server);
        EXPECT_EQ(nothing, "");
        pair.server = tls_stream();
        const std::string rest = co_await receive_all(pair.client);
        EXPECT_EQ(rest, "");
        // One that failed before its input has ended may have sent a part.
        auto other = co_await shaken_pair(contexts.server, contexts.client);
        other.server = tls_stream();
        const std::error_code error = co_await error_of(other.client.recv());
        EXPECT_EQ(error, errc::unexpected_eof);
    });
}

TEST_P(tls_end, nothing_is_sent_after_the_end) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        co_await pair.client.shutdown_send();
        co_await pair.client.shutdown_send();
        const std::string said = co_await failure_of(pair.client.send("more"));
        EXPECT_TRUE(said.ends_with(": Broken pipe (EPIPE)")) << said;
        co_await pair.client.close();
        EXPECT_FALSE(pair.client.is_open());
        std::error_code error = co_await error_of(pair.client.recv());
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(pair.client.send("more"));
        EXPECT_EQ(error, code(EBADF));
        tls_stream nothing;
        error = co_await error_of(nothing.recv());
        EXPECT_EQ(error, code(EBADF));
        co_await nothing.close();
    });
}

TEST_P(tls_end, a_close_ends_the_waits_of_others) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(32 << 20);
        std::error_code of_recv;
        std::error_code of_send;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto receives = [&]() -> task<> {
                of_recv = co_await error_of(pair.client.recv());
            };
            const auto sends = [&]() -> task<> {
                of_send = co_await error_of(pair.client.send(much));
            };
            group.spawn(receives);
            group.spawn(sends);
            co_await let_others_wait();
            co_await pair.client.close();
        });
        EXPECT_EQ(of_recv, code(ECANCELED));
        EXPECT_EQ(of_send, code(ECANCELED));
        // What came is a part, and that is known.
        const std::string rest = co_await failure_of(receive_all(pair.server));
        EXPECT_TRUE(rest.find("early") != rest.npos || rest.find("RESET") != rest.npos) << rest;
    });
}

// Nobody but the one whose send is cut short knows of the close before the stream is gone.
TEST_P(tls_end, a_stream_may_go_after_its_close_while_others_wait_for_their_turn) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(32 << 20);
        std::vector<std::error_code> said;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                const std::error_code error = co_await error_of(pair.client.send(much));
                said.push_back(error);
            };
            for (int i = 0; i < 3; ++i) group.spawn(sends);
            co_await let_others_wait();
            co_await pair.client.close();
            pair.client = tls_stream();
        });
        EXPECT_EQ(said, std::vector(3, code(ECANCELED)));

        // The same in a handshake, whose turn a send and a receive wait for.
        auto other = co_await unshaken_pair(contexts.server, contexts.client);
        said.clear();
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                const std::error_code error = co_await error_of(other.client.send("late"));
                said.push_back(error);
            };
            for (int i = 0; i < 3; ++i) group.spawn(sends);
            co_await let_others_wait();
            co_await other.client.close();
            other.client = tls_stream();
        });
        EXPECT_EQ(said, std::vector(3, code(ECANCELED)));
    });
}

TEST_P(tls_end, damaged_bytes_are_an_error_and_the_peer_is_told) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        co_await pair.client.below().send(std::string_view("\x17\x03\x03\x00\x20"
                                                           "no ciphertext of this connection",
                                                           37));
        const std::string said = co_await failure_of(pair.server.recv());
        EXPECT_TRUE(said.ends_with(": decryption failed or bad record mac")) << said;
        const std::string told = co_await failure_of(pair.client.recv());
        EXPECT_TRUE(told.ends_with("alert bad record mac")) << told;
    });
}

// --- both directions at once --------------------------------------------------------------------

TEST_P(tls_end, one_task_sends_while_another_receives_also_when_keys_change) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string text = pattern(400'000);
        const auto sends = [&](tls_stream& to) -> task<> {
            const std::string_view all = text;
            for (std::size_t at = 0; at < all.size(); at += 20'000) {
                co_await to.send(all.substr(at, 20'000));
                // Asks the other end for new keys as well, in the middle of what that sends.
                const bool changed = co_await to.update_keys();
                EXPECT_TRUE(changed);
            }
            co_await to.shutdown_send();
        };
        std::string at_client;
        std::string at_server;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto receives = [&]() -> task<> {
                at_server = co_await receive_all(pair.server);
            };
            group.spawn(sends, std::ref(pair.client));
            group.spawn(sends, std::ref(pair.server));
            group.spawn(receives);
            at_client = co_await receive_all(pair.client);
        });
        EXPECT_TRUE(at_client == text);
        EXPECT_TRUE(at_server == text);
    });
}

// The answer to a change of keys must not make a receive wait for a peer that does not read.
TEST_P(tls_end, a_peer_that_does_not_read_and_asks_for_new_keys_is_received_from) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(32 << 20);
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> { co_await pair.server.send(much); };
            group.spawn(sends);
            co_await let_others_wait();
            for (int i = 0; i < 50; ++i) {
                const bool changed = co_await pair.client.update_keys();
                EXPECT_TRUE(changed);
            }
            co_await pair.client.send("after all that");
            got = co_await receive(pair.server, 14);
            group.cancel();
        });
        EXPECT_EQ(got, "after all that");
    });
}

// Nobody sends, and the socket is full: the end that this side could not say waits, too.
TEST_P(tls_end, a_full_socket_holds_up_no_receive) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(1 << 20);
        for (bool full = false; !full;) {
            full = pair.server.below().try_send(much) == 0;
            co_await let_others_wait();
        }
        std::ignore = co_await as_result(with_timeout(1ms, pair.server.shutdown_send()));
        co_await pair.client.send("arrives");
        const std::string got = co_await receive(pair.server, 7);
        EXPECT_EQ(got, "arrives");
    });
}

TEST_P(tls_end, a_lingering_close_has_one_limit_for_a_peer_that_does_not_read) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(32 << 20);
        std::error_code of_send;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                of_send = co_await error_of(pair.client.send(much));
            };
            group.spawn(sends);
            co_await let_others_wait();
            co_await lingering_close(pair.client, 20ms);
        });
        EXPECT_EQ(of_send, code(ECANCELED));
    });
}

// --- cancels ------------------------------------------------------------------------------------

TEST_P(tls_end, a_cancelled_recv_loses_nothing) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string text = pattern(100'000);
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                const std::string_view all = text;
                for (std::size_t at = 0; at < all.size(); at += 1'000) {
                    co_await pair.client.send(all.substr(at, 1'000));
                    co_await next_turn();
                }
            };
            group.spawn(sends);
            while (got.size() < text.size()) {
                auto more = co_await as_result(with_timeout(50us, pair.server.recv()));
                if (more) got += more->text();
                else EXPECT_EQ(more.error(), std::errc::timed_out);
            }
        });
        EXPECT_TRUE(got == text);
    });
}

TEST_P(tls_end, after_a_cancelled_send_the_peer_knows_that_something_is_missing) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string much = pattern(32 << 20);
        const auto cut = co_await as_result(with_timeout(5ms, pair.client.send(much)));
        EXPECT_EQ(cut.error(), std::errc::timed_out);
        std::error_code error = co_await error_of(pair.client.send("more"));
        EXPECT_EQ(error, code(EPIPE));
        error = co_await error_of(pair.client.shutdown_send());
        EXPECT_EQ(error, code(EPIPE));
        // The other direction goes on.
        co_await pair.server.send("still");
        const std::string still = co_await receive(pair.client, 5);
        EXPECT_EQ(still, "still");
        pair.client = tls_stream();
        const std::string said = co_await failure_of(receive_all(pair.server));
        EXPECT_TRUE(said.ends_with("the peer closed the connection early")) << said;
    });
}

// --- serve --------------------------------------------------------------------------------------

TEST_P(tls_end, a_drain_lets_sessions_say_good_bye) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint here = listener.local_endpoint();
        int failures = 0;
        const auto echo = [](tls_stream conn) -> task<> {
            while (auto data = co_await conn.recv()) co_await conn.send(data);
        };
        const auto session = [&](tcp_stream conn) {
            return echo(tls_stream(std::move(conn), contexts.server));
        };
        serve_options options;
        options.first_request_grace = 0s;
        options.session_failed = [&](const endpoint&, std::exception_ptr) { failures += 1; };
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto server = [&]() -> task<> {
                co_await serve(std::move(listener), session, options);
            };
            tcp_stream below = co_await connect(here);
            tls_stream client(std::move(below), contexts.client, "localhost");
            std::string got;
            co_await with_task_group([&](task_group& serving) -> task<> {
                serving.spawn(server);
                co_await client.send("hello");
                got = co_await receive(client, 5);
                serving.cancel();
            });
            EXPECT_EQ(got, "hello");
            const std::string rest = co_await receive_all(client);
            EXPECT_EQ(rest, "") << "an end that was said";
            group.cancel();
        });
        EXPECT_EQ(failures, 0);
    });
}

// The time of a request begins with its first byte, so neither the handshake nor the wait behind it
// takes any; and it ends with the reply, however many records the request comes in.
TEST_P(tls_end, a_request_byte_by_byte_gets_no_more_time_than_any) {
    const tls_contexts contexts;
    const duration limit = slow_build ? 600ms : 150ms;
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint here = listener.local_endpoint();
        const auto session = [&](tcp_stream below) -> task<> {
            tls_stream conn(std::move(below), contexts.server);
            buffered_reader reader(conn);
            while (auto line = co_await reader.read_line(1000)) co_await conn.send("ok\n");
        };
        std::vector<std::string> failures;
        serve_options options;
        options.request_timeout = limit;
        options.session_failed = [&](const endpoint&, std::exception_ptr error) {
            try {
                std::rethrow_exception(std::move(error));
            } catch (const std::exception& failed) {
                failures.emplace_back(failed.what());
            }
        };
        const auto server = [&]() -> task<> {
            co_await serve(std::move(listener), session, options);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(server);
            auto below = co_await connect(here);
            tls_stream client(std::move(below), contexts.client, "localhost");
            co_await client.handshake();
            co_await sleep_for(limit + limit / 2);
            co_await client.send("?\n");
            const std::string answer = co_await receive(client, 3);
            EXPECT_EQ(answer, "ok\n");
            int sent = 0;
            const time_point start = co_await current_time();
            for (bool open = true; open;) {
                auto delivered = co_await as_result(client.send("x"));
                sent += 1;
                auto received = co_await as_result(with_timeout(5ms, client.recv()));
                open = delivered && received.error() == std::errc::timed_out;
            }
            const time_point end = co_await current_time();
            EXPECT_GE(end - start, limit);
            EXPECT_GT(sent, 2);
            group.cancel();
        });
        EXPECT_EQ(failures.size(), 1U);
        const std::string told = failures.empty() ? "" : failures[0];
        EXPECT_TRUE(told.starts_with("request timeout of 127.0.0.1:")) << told;
    });
}

TEST_P(tls_end, a_drain_waits_for_the_first_request_behind_a_handshake) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint here = listener.local_endpoint();
        const auto session = [&](tcp_stream below) -> task<> {
            tls_stream conn(std::move(below), contexts.server);
            while (auto data = co_await conn.recv()) co_await conn.send(data);
        };
        serve_options options;
        options.first_request_grace = 8s;
        event draining;
        options.draining = &draining;
        const auto server = [&]() -> task<> {
            co_await serve(std::move(listener), session, options);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(server);
            auto below = co_await connect(here);
            tls_stream client(std::move(below), contexts.client, "localhost");
            co_await client.handshake();
            co_await let_others_wait();
            group.cancel();
            const auto asks = [&]() -> task<> {
                co_await draining.wait();
                co_await let_others_wait();
                co_await client.send("first");
                const std::string got = co_await receive(client, 5);
                EXPECT_EQ(got, "first");
            };
            co_await shielded(asks());
        });
    });
}

TEST_P(tls_end, a_listener_gives_streams_before_their_handshake) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto below = co_await tcp_listener::bind("127.0.0.1:0");
        tls_listener listener(std::move(below), contexts.server);
        tcp_stream silent = co_await connect(listener.local_endpoint());
        tls_stream first = co_await listener.accept();
        EXPECT_TRUE(first.is_open());
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto asks = [&]() -> task<> {
                auto client = co_await connect_tls("127.0.0.1", listener.local_endpoint().port(),
                                                   contexts.client);
                co_await client.send("second");
                const std::string answer = co_await receive(client, 6);
                EXPECT_EQ(answer, "second");
            };
            group.spawn(asks);
            tls_stream second = co_await listener.accept();
            got = co_await receive(second, 6);
            co_await second.send(got);
        });
        EXPECT_EQ(got, "second");
        co_await listener.close();
    });
}

}  // namespace
}  // namespace anel::test
