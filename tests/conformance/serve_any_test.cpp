// serve_any_test.cpp: serve() over listeners and streams that are not tcp's: a stream that dresses
// a socket has its timeouts and its drain, one in memory ends with the drain time.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class serve_any : public over_backends {};
ANEL_OVER_BACKENDS(serve_any);

// A stream over a socket, as one of TLS is.
class dressed_stream {
public:
    explicit dressed_stream(tcp_stream inner) : inner_(std::move(inner)) {}
    auto recv(mutable_buffer into) { return inner_.recv(into); }
    auto send(const_buffer from) { return inner_.send(from); }
    auto shutdown_send() { return inner_.shutdown_send(); }
    auto close() { return inner_.close(); }
    std::string peer_text() const { return inner_.peer_text(); }
    endpoint peer_endpoint() const { return inner_.peer_endpoint(); }
    socket_handle* underlying_socket() noexcept { return &inner_; }

private:
    tcp_stream inner_;
};

class dressed_listener {
public:
    explicit dressed_listener(tcp_listener inner) : inner_(std::move(inner)) {}
    task<dressed_stream> accept() {
        auto accepted = co_await inner_.accept();
        co_return dressed_stream(std::move(accepted));
    }
    void stop() noexcept { inner_.stop(); }
    socket_handle* underlying_socket() noexcept { return &inner_; }

private:
    tcp_listener inner_;
};

// Its connections are put into a channel; it has no stop().
class memory_listener {
public:
    explicit memory_listener(channel<memory_stream>& from) noexcept : from_(&from) {}
    task<memory_stream> accept() {
        auto next = co_await from_->recv();
        if (!next) throw io_error(code(EBADF), "accept", "memory");
        co_return std::move(*next);
    }

private:
    channel<memory_stream>* from_;
};

struct notes {
    std::vector<std::string> failures;
    std::vector<std::error_code> accepts;
    std::vector<std::string> ends;  // of input, as the sessions saw them
};

void note(notes& all, const endpoint& peer, const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failed) {
        all.failures.push_back(peer.to_string() + ": " + failed.what());
    }
}

/// Runs serve() with `listener` until `body()` has ended, and then drains it.
template <class Listener, class Session, class Body>
task<> serve_while(Listener listener, Session& session, serve_options options, Body& body,
                   notes& told) {
    const auto failed = [&](const endpoint& peer, std::exception_ptr error) {
        note(told, peer, error);
    };
    const auto refused = [&](std::error_code error) { told.accepts.push_back(error); };
    options.session_failed = failed;
    options.accept_failed = refused;
    const auto server = [&](Listener from) -> task<> {
        co_await serve(
            std::move(from), [&](auto conn) { return session(std::move(conn)); }, options);
    };
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(server, std::move(listener));
        co_await body();
        group.cancel();
    });
}

template <byte_stream Stream>
task<> echo_lines(Stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        const std::string reply = std::string(*line) + "!\n";
        co_await conn.send(reply);
    }
}

task<> ask(endpoint address) {
    auto client = co_await connect(address);
    co_await client.send("hello\n");
    const std::string reply = co_await receive(client, 7);
    EXPECT_EQ(reply, "hello!\n");
}

TEST_P(serve_any, a_stream_over_a_socket_has_its_timeouts) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        notes told;
        std::string peer;
        const auto body = [&]() -> task<> {
            co_await ask(address);
            auto idle = co_await connect(address);
            peer = idle.local_endpoint().to_string();
            std::array<char, 8> buffer{};
            const std::size_t received = co_await idle.recv(buffer);
            EXPECT_EQ(received, 0U);
        };
        serve_options options;
        options.idle_timeout = 40ms;
        const auto session = [](dressed_stream conn) { return echo_lines(std::move(conn)); };
        co_await serve_while(dressed_listener(std::move(listener)), session, options, body, told);
        const std::string text =
            peer + ": idle timeout of " + peer + ": Connection timed out (ETIMEDOUT)";
        EXPECT_EQ(told.failures, std::vector{text});
    });
}

TEST_P(serve_any, a_stream_over_a_socket_is_drained_and_can_tell) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        notes told;
        const auto session = [&](dressed_stream conn) -> task<> {
            EXPECT_FALSE(conn.underlying_socket()->receive_is_shut_down());
            std::array<char, 8> buffer{};
            std::size_t count = co_await conn.recv(buffer);
            co_await conn.send(std::span(buffer).first(count));
            dressed_stream moved = std::move(conn);
            count = co_await moved.recv(buffer);
            EXPECT_EQ(count, 0U);
            EXPECT_TRUE(moved.underlying_socket()->receive_is_shut_down());
            told.ends.emplace_back("drained");
            co_await moved.send("bye");
        };
        tcp_stream client;
        const auto body = [&]() -> task<> {
            client = co_await connect(address);
            co_await client.send("x");
            const std::string echoed = co_await receive(client, 1);
            EXPECT_EQ(echoed, "x");
        };
        const auto start = co_await current_time();
        co_await serve_while(dressed_listener(std::move(listener)), session, serve_options(), body,
                             told);
        const auto end = co_await current_time();
        EXPECT_LT(end - start, 5s) << "half of the drain time";
        const std::string rest = co_await receive_all(client);
        EXPECT_EQ(rest, "bye");
        EXPECT_EQ(told.ends, std::vector<std::string>{"drained"});
        const std::error_code gone = co_await error_of(connect(address));
        EXPECT_EQ(gone, code(ECONNREFUSED));
    });
}

TEST_P(serve_any, a_lack_of_descriptors_is_waited_out) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        notes told;
        const auto body = [&]() -> task<> {
            co_await ask(address);
            // The first may get one all the same: on io_uring an accept has begun.
            std::vector<raw_socket> clients;
            for (int i = 0; i < 8; ++i) clients.push_back(raw_socket::make(address, SOCK_STREAM));
            std::size_t connected = 0;
            {
                const no_descriptors_left none;
                while (told.accepts.empty() && connected < clients.size()) {
                    EXPECT_EQ(clients[connected++].connect(address), 0);
                    co_await let_others_wait();
                }
            }
            for (std::size_t i = 0; i < connected; ++i) {
                clients[i].write("hello\n");
                while (!clients[i].readable(0)) co_await sleep_for(1ms);
                EXPECT_EQ(clients[i].read(7), "hello!\n");
            }
        };
        const auto session = [](dressed_stream conn) { return echo_lines(std::move(conn)); };
        co_await serve_while(dressed_listener(std::move(listener)), session, serve_options(), body,
                             told);
        EXPECT_EQ(told.accepts, std::vector{code(EMFILE)});
    });
}

TEST_P(serve_any, one_session_type_serves_every_listener) {
    run([&]() -> task<> {
        const auto session = [](any_stream conn) { return echo_lines(std::move(conn)); };
        notes told;
        auto plain = co_await tcp_listener::bind("127.0.0.1:0");
        endpoint address = plain.local_endpoint();
        const auto ask_and_idle = [&]() -> task<> {
            co_await ask(address);
            auto idle = co_await connect(address);
            std::array<char, 8> buffer{};
            const std::size_t received = co_await idle.recv(buffer);
            EXPECT_EQ(received, 0U);
        };
        serve_options options;
        options.idle_timeout = 40ms;
        co_await serve_while(std::move(plain), session, options, ask_and_idle, told);
        auto other = co_await tcp_listener::bind("127.0.0.1:0");
        address = other.local_endpoint();
        dressed_listener dressed(std::move(other));
        co_await serve_while(std::move(dressed), session, options, ask_and_idle, told);
        EXPECT_EQ(told.failures.size(), 2U);
    });
}

TEST_P(serve_any, sessions_in_memory_are_cancelled_after_the_drain_time) {
    run([&]() -> task<> {
        channel<memory_stream> connections(10);
        notes told;
        const auto session = [&](memory_stream conn) -> task<> {
            try {
                co_await echo_lines(std::move(conn));
                told.ends.emplace_back("end");
            } catch (const task_cancelled&) {
                told.ends.emplace_back("cancel");
                throw;
            }
        };
        auto [client, server] = memory_stream_pair();
        auto [quiet, other] = memory_stream_pair();
        memory_stream asks = std::move(client);
        memory_stream waits = std::move(quiet);
        std::ignore = connections.try_send(std::move(server));
        std::ignore = connections.try_send(std::move(other));
        const auto body = [&]() -> task<> {
            co_await asks.send("hello\n");
            std::array<char, 20> buffer{};
            const std::size_t count = co_await asks.recv(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), count), "hello!\n");
            co_await asks.close();
        };
        serve_options options;
        options.drain_time = 30ms;
        co_await serve_while(memory_listener(connections), session, options, body, told);
        EXPECT_EQ(told.ends, (std::vector<std::string>{"end", "cancel"}));
        EXPECT_TRUE(told.failures.empty());
        std::array<char, 8> buffer{};
        const std::size_t end = co_await waits.recv(buffer);
        EXPECT_EQ(end, 0U);
    });
}

TEST_P(serve_any, a_timeout_that_nothing_can_keep_is_refused) {
    run([&]() -> task<> {
        channel<memory_stream> connections(10);
        auto [client, server] = memory_stream_pair();
        memory_stream asks = std::move(client);
        std::ignore = connections.try_send(std::move(server));
        serve_options options;
        options.request_timeout = 1s;
        options.drain_time = 0s;
        const auto session = [](memory_stream conn) { return echo_lines(std::move(conn)); };
        auto serving = serve(memory_listener(connections), session, options);
        const std::string text = co_await failure_of(std::move(serving));
        EXPECT_EQ(text, "serve with a timeout (a stream without a socket): " +
                            code(EOPNOTSUPP).message() + " (EOPNOTSUPP)");
    });
}

TEST_P(serve_any, an_error_of_a_listener_of_ones_own_ends_it) {
    run([&]() -> task<> {
        channel<memory_stream> connections(10);
        connections.close();
        const auto session = [](memory_stream conn) { return echo_lines(std::move(conn)); };
        auto serving = serve(memory_listener(connections), session);
        const std::string text = co_await failure_of(std::move(serving));
        EXPECT_EQ(text, "accept: Bad file descriptor (EBADF)");
    });
}

}  // namespace
}  // namespace anel::test
