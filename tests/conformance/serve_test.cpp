// serve_test.cpp: a server: sessions beside each other, limits, what fails, and how it ends.
// SPDX-License-Identifier: MIT
#include "tests/support/files.hpp"
#include "tests/support/streams.hpp"

#include <stdexcept>

namespace anel::test {
namespace {

// The hooks of serve() are plain functions: what they were told stands here.
struct hook_calls {
    std::vector<std::string> sessions;
    std::vector<endpoint> peers;
    std::vector<std::error_code> accepts;
};
hook_calls told;

void on_session_failed(const endpoint& peer, std::exception_ptr error) {
    told.peers.push_back(peer);
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failed) {
        told.sessions.emplace_back(failed.what());
    }
}
void on_accept_failed(std::error_code error) { told.accepts.push_back(error); }

class serving : public over_backends {
protected:
    void SetUp() override {
        told = hook_calls();
        over_backends::SetUp();
    }

    static serve_options with_hooks() {
        serve_options options;
        options.session_failed = &on_session_failed;
        options.accept_failed = &on_accept_failed;
        return options;
    }
};
ANEL_OVER_BACKENDS(serving);

task<> echo(tcp_stream conn) {
    std::array<std::byte, 4096> buffer;
    while (auto n = co_await conn.recv(buffer)) co_await conn.send(std::span(buffer).first(n));
}

/// Runs `serve` until `body(address)` has ended, and then cancels it.
template <class Session, class Body>
task<> serve_while(Session& session, serve_options options, Body& body) {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const endpoint address = listener.local_endpoint();
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto server = [&](tcp_listener from) -> task<> {
            const auto by_reference = [&](tcp_stream conn) { return session(std::move(conn)); };
            co_await serve(std::move(from), by_reference, options);
        };
        group.spawn(server, std::move(listener));
        co_await body(address, group);
        group.cancel();
    });
}

TEST_P(serving, clients_are_served_beside_each_other) {
    run([&]() -> task<> {
        const auto body = [&](endpoint address, task_group&) -> task<> {
            std::vector<tcp_stream> clients(300);
            for (tcp_stream& client : clients) client = co_await connect(address);
            for (int round = 0; round < 3; ++round) {
                for (std::size_t i = clients.size(); i-- > 0;) {
                    co_await clients[i].send("from " + std::to_string(i + 100));
                }
                for (std::size_t i = 0; i < clients.size(); ++i) {
                    const std::string answer = co_await receive(clients[i], 8);
                    EXPECT_EQ(answer, "from " + std::to_string(i + 100));
                }
            }
        };
        co_await serve_while(echo, with_hooks(), body);
        EXPECT_TRUE(told.sessions.empty());
    });
}

TEST_P(serving, an_error_of_one_session_is_its_own_affair) {
    run([&]() -> task<> {
        const auto session = [](tcp_stream conn) -> task<> {
            const std::string request = co_await receive(conn, 1);
            if (request == "!") throw std::runtime_error("a session failed");
            co_await conn.send(request);
            co_await echo(std::move(conn));
        };
        const auto body = [&](endpoint address, task_group&) -> task<> {
            auto good = co_await connect(address);
            co_await good.send("a");
            auto bad = co_await connect(address);
            const endpoint bad_address = bad.local_endpoint();
            co_await bad.send("!");
            std::array<char, 8> buffer{};
            const std::size_t at_end = co_await bad.recv(buffer);
            EXPECT_EQ(at_end, 0U) << "its connection is closed";
            raw_socket early = raw_socket::connected_to(address);
            const endpoint early_address = early.local_endpoint();
            early.close();
            co_await good.send("b");
            const std::string echoed = co_await receive(good, 2);
            EXPECT_EQ(echoed, "ab");
            auto later = co_await connect(address);
            co_await later.send("c");
            const std::string other = co_await receive(later, 1);
            EXPECT_EQ(other, "c");
            while (told.sessions.size() < 2) co_await next_turn();
            EXPECT_EQ(told.peers, (std::vector{bad_address, early_address}));
            EXPECT_EQ(told.sessions,
                      (std::vector<std::string>{"a session failed",
                                                "recv " + early_address.to_string() +
                                                    ": the peer closed the connection early"}));
        };
        co_await serve_while(session, with_hooks(), body);
        EXPECT_EQ(told.sessions.size(), 2U);
        EXPECT_TRUE(told.accepts.empty());
    });
}

TEST_P(serving, a_session_that_fails_before_it_is_a_task_ends_alone) {
    run([&]() -> task<> {
        bool first = true;
        // No coroutine: what it throws is thrown where serve() makes the session.
        const auto session = [&](tcp_stream conn) -> task<> {
            if (std::exchange(first, false)) throw std::runtime_error("no session");
            return echo(std::move(conn));
        };
        const auto body = [&](endpoint address, task_group&) -> task<> {
            auto bad = co_await connect(address);
            const endpoint bad_address = bad.local_endpoint();
            std::array<char, 8> buffer{};
            const std::size_t at_end = co_await bad.recv(buffer);
            EXPECT_EQ(at_end, 0U) << "its connection is closed";
            auto good = co_await connect(address);
            co_await good.send("a");
            const std::string echoed = co_await receive(good, 1);
            EXPECT_EQ(echoed, "a");
            EXPECT_EQ(told.peers, std::vector{bad_address});
            EXPECT_EQ(told.sessions, std::vector<std::string>{"no session"});
        };
        serve_options options = with_hooks();
        options.idle_timeout = 30s;  // a session that never began has nothing that watches it
        co_await serve_while(session, options, body);
        EXPECT_EQ(told.sessions.size(), 1U);
    });
}

TEST_P(serving, a_reset_client_ends_its_session_only) {
    run([&]() -> task<> {
        const auto body = [&](endpoint address, task_group&) -> task<> {
            auto good = co_await connect(address);
            for (int i = 0; i < 50; ++i) {
                raw_socket bad = raw_socket::connected_to(address);
                if (i % 2 == 0) co_await let_others_wait();
                bad.write("x");
                bad.reset();
            }
            co_await good.send("still here");
            const std::string echoed = co_await receive(good, 10);
            EXPECT_EQ(echoed, "still here");
        };
        co_await serve_while(echo, serve_options(), body);
    });
}

TEST_P(serving, no_more_sessions_run_than_allowed_and_all_get_their_turn) {
    run([&]() -> task<> {
        int running = 0;
        int most = 0;
        int served = 0;
        const auto session = [&](tcp_stream conn) -> task<> {
            running += 1;
            most = std::max(most, running);
            const std::string request = co_await receive(conn, 1);
            for (int i = 0; i < 3; ++i) co_await next_turn();
            co_await conn.send(request);
            running -= 1;
            served += 1;
        };
        serve_options options = with_hooks();
        options.connections_max = 3;
        const auto body = [&](endpoint address, task_group&) -> task<> {
            std::vector<raw_socket> clients;
            for (int i = 0; i < 30; ++i) clients.push_back(raw_socket::connected_to(address));
            for (int i = 0; i < 50; ++i) co_await next_turn();
            EXPECT_EQ(running, 3) << "idle clients hold the places";
            for (const raw_socket& client : clients) client.write("x");
            while (served < 30) co_await next_turn();
            for (const raw_socket& client : clients) EXPECT_EQ(client.read(1), "x");
        };
        co_await serve_while(session, options, body);
        EXPECT_EQ(most, 3);
        EXPECT_TRUE(told.sessions.empty());
    });
}

// --- the end ------------------------------------------------------------------------------------

TEST_P(serving, a_cancelled_server_ends_idle_sessions_at_once) {
    run([&]() -> task<> {
        std::vector<tcp_stream> clients(10);
        endpoint target;
        const auto body = [&](endpoint address, task_group&) -> task<> {
            target = address;
            for (tcp_stream& client : clients) {
                client = co_await connect(address);
                co_await client.send("x");
                const std::string echoed = co_await receive(client, 1);
                EXPECT_EQ(echoed, "x");
            }
        };
        const time_point start = co_await current_time();
        co_await serve_while(echo, with_hooks(), body);
        const time_point end = co_await current_time();
        EXPECT_LT(end - start, 5s) << "the drain waits for nobody";
        std::array<char, 8> buffer{};
        for (tcp_stream& client : clients) {
            const std::size_t at_end = co_await client.recv(buffer);
            EXPECT_EQ(at_end, 0U) << "an end, no reset";
        }
        const std::error_code refused = co_await error_of(connect(target));
        EXPECT_EQ(refused, code(ECONNREFUSED));
        EXPECT_TRUE(told.sessions.empty()) << told.sessions.front();
    });
}

TEST_P(serving, a_cancelled_server_finishes_what_it_has_begun) {
    run([&]() -> task<> {
        event busy;
        event go_on;
        const std::string large = pattern(3 << 20);
        const auto session = [&](tcp_stream conn) -> task<> {
            const std::string request = co_await receive(conn, 7);
            EXPECT_EQ(request, "request");
            busy.set();
            co_await go_on.wait();
            co_await conn.send(large);
            const std::string more = co_await receive_all(conn);
            EXPECT_EQ(more, "pipelined") << "what has arrived is still received";
            co_await conn.send("answer to " + more);
        };
        tcp_stream client;
        std::string received;
        const auto client_task = [&](endpoint address) -> task<> {
            client = co_await connect(address);
            co_await client.send("requestpipelined");
            received = co_await receive_all(client);
        };
        const auto continue_later = [&]() -> task<> {
            for (int i = 0; i < 20; ++i) co_await next_turn();
            go_on.set();
        };
        co_await with_task_group([&](task_group& outer) -> task<> {
            const auto body = [&](endpoint address, task_group&) -> task<> {
                outer.spawn(client_task, address);
                co_await busy.wait();
                outer.spawn(continue_later);
            };
            co_await serve_while(session, with_hooks(), body);
        });
        EXPECT_TRUE(received == large + "answer to pipelined") << received.size();
        EXPECT_TRUE(told.sessions.empty());
    });
}

// A session that was accepted in the very turn of the cancel has not taken its first step when the
// others are told to finish. It must be told too.
TEST_P(serving, a_session_accepted_when_the_server_is_cancelled_is_ended_at_once_too) {
    run([&]() -> task<> {
        int sessions = 0;
        const auto session = [&](tcp_stream conn) -> task<> {
            sessions += 1;
            co_await echo(std::move(conn));
        };
        serve_options options;
        options.drain_time = 10s;
        options.first_request_grace = 0s;
        for (int round = 0; round < 10; ++round) {
            auto signal = co_await connected_to_raw();
            raw_socket client;
            const auto cancel_at_signal = [&](task_group& group) -> task<> {
                const std::string byte = co_await receive(signal.stream, 1);
                EXPECT_EQ(byte, "!");
                group.cancel();
            };
            const time_point start = co_await current_time();
            const auto body = [&](endpoint address, task_group& group) -> task<> {
                group.spawn(cancel_at_signal, std::ref(group));
                co_await let_others_wait();
                // The order in which they are seen differs between backends.
                if (round % 2 == 0) signal.peer.write("!");
                client = raw_socket::connected_to(address);
                if (round % 2 != 0) signal.peer.write("!");
                event nothing;
                co_await nothing.wait();
            };
            co_await serve_while(session, options, body);
            const time_point end = co_await current_time();
            EXPECT_LT(end - start, 5s) << "an idle session held up the drain, round " << round;
            if (HasFailure()) break;
        }
        EXPECT_GT(sessions, 0) << "no session began in the turn of the cancel";
    });
}

TEST_P(serving, a_session_that_does_not_end_is_cancelled_after_the_drain_time) {
    run([&]() -> task<> {
        int cancelled = 0;
        int started = 0;
        const auto session = [&](tcp_stream conn) -> task<> {
            started += 1;
            try {
                co_await sleep_for(1h);
            } catch (const task_cancelled&) {
                cancelled += 1;
                throw;
            }
            co_await conn.send("never");
        };
        serve_options options = with_hooks();
        options.drain_time = 30ms;
        time_point asked;
        tcp_stream client;
        const auto body = [&](endpoint address, task_group&) -> task<> {
            client = co_await connect(address);
            while (started == 0) co_await next_turn();
            asked = co_await current_time();
        };
        co_await serve_while(session, options, body);
        const time_point end = co_await current_time();
        EXPECT_GE(end - asked, 30ms);
        EXPECT_LT(end - asked, 5s);
        EXPECT_EQ(cancelled, 1);
        EXPECT_TRUE(told.sessions.empty()) << "a cancel is no error";
    });
}

TEST_P(serving, a_drain_time_of_zero_cancels_at_once) {
    run([&]() -> task<> {
        const auto session = [&](tcp_stream conn) -> task<> {
            event nothing;
            co_await nothing.wait();
            co_await conn.send("never");
        };
        serve_options options;
        options.drain_time = 0s;
        const auto body = [&](endpoint address, task_group&) -> task<> {
            auto client = co_await connect(address);
            co_await let_others_wait();
        };
        const time_point start = co_await current_time();
        co_await serve_while(session, options, body);
        const time_point end = co_await current_time();
        EXPECT_LT(end - start, 5s);
    });
}

TEST_P(serving, a_listener_that_cannot_accept_ends_the_server) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        co_await listener.close();
        const std::string closed = co_await failure_of(serve(std::move(listener), echo));
        EXPECT_EQ(closed, "accept (the listener is closed): Bad file descriptor (EBADF)");
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        // A socket that does not listen any more.
        shutdown_both(listener.native_handle());
        const endpoint address = listener.local_endpoint();
        const std::string text = co_await failure_of(serve(std::move(listener), echo));
        EXPECT_EQ(text, "accept " + address.to_string() + ": Invalid argument (EINVAL)");
    });
}

// --- no descriptors left ------------------------------------------------------------------------

/// Connects until the server has said once more that it lacks descriptors. The first connections
/// may get one all the same: with io_uring the limit counts that stood when the accept began.
task<> connect_until_told(endpoint address, std::vector<raw_socket>& sockets, std::size_t& next) {
    const std::size_t before = told.accepts.size();
    while (told.accepts.size() == before && next < sockets.size()) {
        EXPECT_EQ(sockets[next++].connect(address), 0);
        for (int i = 0; i < 5; ++i) co_await next_turn();
    }
    EXPECT_EQ(told.accepts.size(), before + 1);
}

task<> expect_echo(const raw_socket& client, std::string_view text) {
    client.write(text);
    while (!client.readable(0)) co_await sleep_for(1ms);
    EXPECT_EQ(client.read(text.size()), text);
}

TEST_P(serving, a_lack_of_descriptors_is_waited_out_and_told_once) {
    run([&]() -> task<> {
        const auto body = [&](endpoint address, task_group&) -> task<> {
            auto first = co_await connect(address);
            std::vector<raw_socket> clients;
            for (int i = 0; i < 8; ++i) clients.push_back(raw_socket::make(address, SOCK_STREAM));
            std::size_t connected = 0;
            for (const std::size_t lacks : {1UL, 2UL}) {
                {
                    const no_descriptors_left none;
                    co_await connect_until_told(address, clients, connected);
                    // Starved, it must wait and not spin: 10, 20, 40 ms between its tries.
                    const backend_counters before = co_await current_counters();
                    co_await sleep_for(60ms);
                    const backend_counters after = co_await current_counters();
                    EXPECT_LE(after.operations - before.operations, 8U);
                    EXPECT_LE(after.waits - before.waits, 400U);
                    co_await first.send("alive");
                    const std::string echoed = co_await receive(first, 5);
                    EXPECT_EQ(echoed, "alive");
                }
                for (std::size_t i = 0; i < connected; ++i) co_await expect_echo(clients[i], "now");
                EXPECT_EQ(told.accepts, std::vector(lacks, code(EMFILE))) << "told once";
            }
        };
        co_await serve_while(echo, with_hooks(), body);
    });
}

TEST_P(serving, a_session_that_ends_frees_a_descriptor_for_the_next) {
    run([&]() -> task<> {
        const auto body = [&](endpoint address, task_group&) -> task<> {
            const raw_socket first = raw_socket::connected_to(address);
            co_await expect_echo(first, "1");
            std::vector<raw_socket> clients;
            for (int i = 0; i < 8; ++i) clients.push_back(raw_socket::make(address, SOCK_STREAM));
            std::size_t connected = 0;
            const no_descriptors_left none;
            co_await connect_until_told(address, clients, connected);
            first.shutdown_write();  // its session ends, and its place is for the next
            co_await expect_echo(clients[connected - 1], "2");
        };
        co_await serve_while(echo, with_hooks(), body);
    });
}

TEST_P(serving, the_place_of_a_connection_that_a_session_closes_is_free_at_once) {
    run([&]() -> task<> {
        auto waiting = co_await tcp_listener::bind("127.0.0.1:0");
        const auto caller = co_await connect(waiting.local_endpoint());
        const temporary_file file(10);
        std::size_t opened = 0;
        const auto session = [&](tcp_stream conn) -> task<> {
            const std::string kind = co_await receive(conn, 1);
            const no_descriptors_left none;
            co_await conn.close();
            if (kind == "a") {
                const auto accepted = co_await waiting.accept();
                opened += 1;
            } else if (kind == "b") {
                const auto bound = co_await udp_socket::bind("127.0.0.1:0");
                opened += 1;
            } else {
                const auto read = co_await readable_file::open(file.path());
                opened += 1;
            }
        };
        const auto body = [&](endpoint address, task_group&) -> task<> {
            for (const char* kind : {"a", "b", "f"}) {
                if (simulated && *kind == 'f') continue;
                auto client = co_await connect(address);
                co_await client.send(kind);
                const std::string rest = co_await receive_all(client);
                EXPECT_EQ(rest, "");
            }
            co_await let_others_wait();
        };
        co_await serve_while(session, with_hooks(), body);
        EXPECT_EQ(opened, simulated ? 2U : 3U);
        EXPECT_EQ(told.accepts, std::vector<std::error_code>());
        EXPECT_EQ(told.sessions, std::vector<std::string>());
    });
}

TEST_P(serving, a_starved_server_can_be_cancelled) {
    run([&]() -> task<> {
        std::vector<raw_socket> clients;
        const auto body = [&](endpoint address, task_group&) -> task<> {
            for (int i = 0; i < 8; ++i) clients.push_back(raw_socket::make(address, SOCK_STREAM));
            std::size_t connected = 0;
            const no_descriptors_left none;
            co_await connect_until_told(address, clients, connected);
            for (int i = 0; i < 3; ++i) co_await sleep_for(10ms);
        };
        const time_point start = co_await current_time();
        co_await serve_while(echo, with_hooks(), body);
        const time_point end = co_await current_time();
        EXPECT_LT(end - start, 5s);
    });
}

}  // namespace
}  // namespace anel::test
