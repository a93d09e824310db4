// serve_drain_test.cpp: what becomes of connections when a server is asked to stop, and of a reply
// whose session ends before its client does.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class serve_drain : public over_backends {
protected:
    static task<> answer_lines(tcp_stream conn) {
        buffered_reader reader(conn);
        while (auto line = co_await reader.read_line(100)) co_await conn.send(*line, "!\n");
    }

    /// Runs `serve` while `body(address)` runs, cancels it, and runs `after()` while it drains.
    template <class Session, class Body, class After>
    static task<> drain(Session& session, serve_options options, Body& body, After& after,
                        listen_options listening = {}) {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0", listening);
        const endpoint address = listener.local_endpoint();
        co_await with_task_group([&](task_group& outer) -> task<> {
            const auto server = [&](tcp_listener from) -> task<> {
                const auto by_reference = [&](tcp_stream conn) { return session(std::move(conn)); };
                co_await serve(std::move(from), by_reference, options);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(server, std::move(listener));
                co_await body(address);
                outer.spawn(after);
                group.cancel();
            });
        });
    }
};
ANEL_OVER_BACKENDS(serve_drain);

task<> nothing() { co_return; }

TEST_P(serve_drain, requests_that_stand_in_the_backlog_are_answered) {
    run([&]() -> task<> {
        std::vector<raw_socket> clients;
        const auto body = [&](endpoint address) -> task<> {
            co_await let_others_wait();
            for (int i = 0; i < 50; ++i) {
                clients.push_back(raw_socket::connected_to(address));
                clients.back().write("hello\n");
            }
        };
        co_await drain(answer_lines, serve_options(), body, nothing);
        int answered = 0;
        for (const raw_socket& client : clients) answered += client.read(100) == "hello!\n";
        EXPECT_EQ(answered, 50);
    });
}

TEST_P(serve_drain, the_backlog_waits_for_a_place_among_the_sessions) {
    run([&]() -> task<> {
        std::vector<raw_socket> clients;
        const auto body = [&](endpoint address) -> task<> {
            co_await let_others_wait();
            for (int i = 0; i < 10; ++i) {
                clients.push_back(raw_socket::connected_to(address));
                clients.back().write("hello\n");
            }
        };
        serve_options options;
        options.connections_max = 3;
        co_await drain(answer_lines, options, body, nothing);
        int answered = 0;
        for (const raw_socket& client : clients) answered += client.read(100) == "hello!\n";
        EXPECT_EQ(answered, 10);
    });
}

TEST_P(serve_drain, a_first_request_may_come_after_the_server_was_asked_to_stop) {
    run([&]() -> task<> {
        raw_socket silent;
        raw_socket half;
        const auto body = [&](endpoint address) -> task<> {
            silent = raw_socket::connected_to(address);
            half = raw_socket::connected_to(address);
            half.write("hel");
            co_await let_others_wait();
        };
        const auto after = [&]() -> task<> {
            co_await let_others_wait();
            silent.write("hello\n");
            half.write("lo\n");
        };
        co_await drain(answer_lines, serve_options(), body, after);
        EXPECT_EQ(silent.read(100), "hello!\n");
        EXPECT_EQ(half.read(100), "hello!\n");
    });
}

TEST_P(serve_drain, a_connection_that_says_nothing_delays_the_end_by_its_grace_at_most) {
    run([&]() -> task<> {
        raw_socket silent;
        time_point start;
        const auto body = [&](endpoint address) -> task<> {
            silent = raw_socket::connected_to(address);
            co_await let_others_wait();
            start = co_await current_time();
        };
        serve_options options;
        options.first_request_grace = 100ms;
        co_await drain(answer_lines, options, body, nothing);
        const time_point end = co_await current_time();
        EXPECT_LT(end - start, 5s) << "half of the drain time";
        EXPECT_EQ(silent.read(1), "") << "an end, no reset";
    });
}

// HTTP: the answer to the next request of a connection that is kept alive says that it is the last.
TEST_P(serve_drain, a_session_that_knows_can_answer_one_more_request_and_say_so) {
    run([&]() -> task<> {
        event draining;
        int told = 0;
        const auto session = [&](tcp_stream conn) -> task<> {
            buffered_reader reader(conn);
            while (auto line = co_await reader.read_line(100)) {
                const bool last = draining.is_set();
                co_await conn.send(*line, last ? " close\n" : " keep\n");
                if (last) co_return;
            }
        };
        const auto waits_for_it = [&]() -> task<> {
            co_await draining.wait();
            told += 1;
        };
        tcp_stream client;
        std::string replies;
        const auto body = [&](endpoint address) -> task<> {
            client = co_await connect(address);
            co_await client.send("1\n");
            replies = co_await receive(client, 7);
        };
        const auto after = [&]() -> task<> {
            co_await waits_for_it();
            co_await client.send("2\n");
            replies += co_await receive_all(client);
        };
        serve_options options;
        options.draining = &draining;
        options.input_grace = 5s;
        co_await drain(session, options, body, after);
        EXPECT_EQ(replies, "1 keep\n2 close\n");
        EXPECT_EQ(told, 1);
    });
}

TEST_P(serve_drain, hooks_have_state) {
    run([&]() -> task<> {
        std::vector<std::string> failures;
        std::size_t calls = 0;
        serve_options options;
        options.session_failed = [&](const endpoint&, std::exception_ptr error) {
            calls += 1;
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& failed) {
                failures.emplace_back(failed.what());
            }
        };
        const auto session = [](tcp_stream) -> task<> {
            co_await next_turn();
            throw std::runtime_error("no");
        };
        const auto body = [&](endpoint address) -> task<> {
            auto client = co_await connect(address);
            const std::string all = co_await receive_all(client);
            EXPECT_EQ(all, "");
        };
        co_await drain(session, options, body, nothing);
        EXPECT_EQ(calls, 1U);
        EXPECT_EQ(failures, std::vector<std::string>{"no"});
        EXPECT_FALSE(detail::hook<void(int)>());
        EXPECT_FALSE(detail::hook<void(int)>(static_cast<void (*)(int)>(nullptr)));
    });
}

// --- a session that ends before its client ------------------------------------------------------

task<> refuse(tcp_stream conn) {
    const std::string beginning = co_await receive(conn, 1);
    co_await conn.send("refused");
}

// The client still sends when the session has ended: a close would reset the connection, and what
// the client has not read by then would be gone.
template <class Refuse>
task<> expect_the_reply_arrives(Refuse& refuse_one) {
    raw_socket client;
    bool more = false;
    const auto talk = [&](endpoint address) -> task<> {
        client = raw_socket::connected_to(address);
        client.write("request");
        while (!client.readable(0)) co_await next_turn();
        more = client.write("and more");
        co_await let_others_wait();
        more = more && client.write("and still more");
        co_await let_others_wait();
        client.shutdown_write();
    };
    co_await refuse_one(talk);
    EXPECT_TRUE(more) << "the connection was reset";
    EXPECT_EQ(client.read(100), "refused");
}

TEST_P(serve_drain, a_lingering_close_lets_the_reply_arrive) {
    run([&]() -> task<> {
        const auto one = [&](auto& talk) -> task<> {
            auto listener = co_await tcp_listener::bind("127.0.0.1:0");
            const auto server = [&]() -> task<> {
                auto conn = co_await listener.accept();
                const std::string beginning = co_await receive(conn, 1);
                co_await conn.send("refused");
                co_await conn.lingering_close(10s);
                EXPECT_FALSE(conn.is_open());
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(server);
                co_await talk(listener.local_endpoint());
            });
        };
        co_await expect_the_reply_arrives(one);
    });
}

TEST_P(serve_drain, a_server_lingers_after_each_session_when_asked_to) {
    run([&]() -> task<> {
        const auto one = [&](auto& talk) -> task<> {
            serve_options options;
            options.linger = 10s;
            co_await drain(refuse, options, talk, nothing);
        };
        co_await expect_the_reply_arrives(one);
    });
}

// What the loop holds unread of such a session comes before what is dropped after it.
TEST_P(serve_drain, a_session_that_received_into_lent_memory_is_lingered_after) {
    run([&]() -> task<> {
        const auto session = [](tcp_stream conn) -> task<> {
            const recv_buffer beginning = co_await conn.recv();
            co_await conn.send("refused");
        };
        const auto one = [&](auto& talk) -> task<> {
            serve_options options;
            options.linger = 10s;
            co_await drain(session, options, talk, nothing);
        };
        co_await expect_the_reply_arrives(one);
    });
}

TEST_P(serve_drain, lingering_is_bounded_in_time_and_bytes) {
    run([&]() -> task<> {
        auto first = co_await connected_to_raw();
        const time_point start = co_await current_time();
        co_await first.stream.lingering_close(20ms);
        const time_point end = co_await current_time();
        EXPECT_GE(end - start, 20ms);
        EXPECT_FALSE(first.stream.is_open());
        EXPECT_EQ(first.peer.read(1), "") << "an end, no reset";

        auto second = co_await connected_to_raw();
        second.peer.write("more than allowed");
        co_await second.stream.lingering_close(1h, 4);
        EXPECT_FALSE(second.stream.is_open());
    });
}

TEST_P(serve_drain, a_session_that_resets_its_connection_is_not_lingered_after) {
    run([&]() -> task<> {
        const auto session = [](tcp_stream conn) -> task<> {
            const std::string beginning = co_await receive(conn, 1);
            conn.reset_on_close();
        };
        std::error_code error;
        const auto body = [&](endpoint address) -> task<> {
            auto client = co_await connect(address);
            co_await client.send("x");
            std::array<char, 8> buffer{};
            error = co_await error_of(client.recv(buffer));
        };
        serve_options options;
        options.linger = 10s;
        co_await drain(session, options, body, nothing);
        EXPECT_EQ(error, code(ECONNRESET));
    });
}

}  // namespace
}  // namespace anel::test
