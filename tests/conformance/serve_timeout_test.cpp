// serve_timeout_test.cpp: sessions that do nothing, or get a request byte by byte, are ended.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class serve_timeouts : public over_backends {};
ANEL_OVER_BACKENDS(serve_timeouts);

// The hook of serve() is a plain function: what it was told stands here.
std::vector<std::string> failures;
void note_failure(const endpoint&, std::exception_ptr error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failed) {
        failures.emplace_back(failed.what());
    }
}

// Waits with a timeout of its own, and does something else in between.
task<> answer_impatiently(tcp_stream conn) {
    std::array<char, 8> buffer{};
    for (;;) {
        auto received = co_await as_result(with_timeout(5ms, conn.recv(buffer)));
        if (received && *received == 0) co_return;
        if (received) co_await conn.send("ok\n");
        else co_await sleep_for(5ms);
    }
}

task<> answer_lines(tcp_stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(1000)) co_await conn.send("ok\n");
}

using session = task<> (*)(tcp_stream);

/// Runs a server with `options` until `body(address)` has ended.
template <class Body>
task<> serve_while(serve_options options, Body& body, session answer = &answer_lines) {
    failures.clear();
    options.session_failed = &note_failure;
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const endpoint address = listener.local_endpoint();
    event ready;
    options.ready = &ready;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(&serve<session>, std::move(listener), answer, options);
        co_await ready.wait();
        co_await body(address);
        group.cancel();
    });
}

TEST_P(serve_timeouts, a_client_that_says_nothing_is_disconnected) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            auto idle = co_await connect(address);
            const endpoint name = idle.local_endpoint();
            auto start = co_await current_time();
            std::array<char, 8> buffer{};
            const std::size_t received = co_await idle.recv(buffer);
            auto end = co_await current_time();
            EXPECT_EQ(received, 0U);
            EXPECT_GE(end - start, 40ms);
            EXPECT_EQ(failures, (std::vector<std::string>{"idle timeout of " + name.to_string() +
                                                          ": Connection timed out (ETIMEDOUT)"}));
        };
        serve_options options;
        options.idle_timeout = 40ms;
        co_await serve_while(options, body);
    });
}

TEST_P(serve_timeouts, a_client_that_asks_now_and_then_is_not) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            auto client = co_await connect(address);
            for (int i = 0; i < 12; ++i) {
                co_await sleep_for(slow_build ? 60ms : 20ms);
                co_await client.send("?\n");
                const std::string answer = co_await receive(client, 3);
                EXPECT_EQ(answer, "ok\n");
            }
            EXPECT_TRUE(failures.empty());
        };
        serve_options options;
        options.idle_timeout = slow_build ? 600ms : 200ms;
        options.request_timeout = slow_build ? 600ms : 200ms;
        co_await serve_while(options, body);
    });
}

// Every byte is activity, so the idle timeout never comes; the request's own does.
TEST_P(serve_timeouts, a_request_byte_by_byte_gets_no_more_time_than_any) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            auto slow = co_await connect(address);
            bool open = true;
            int sent = 0;
            auto start = co_await current_time();
            while (open) {
                auto delivered = co_await as_result(slow.send("x"));
                sent += 1;
                std::array<char, 8> buffer{};
                auto received = co_await as_result(with_timeout(5ms, slow.recv(buffer)));
                open = delivered && received.error() == std::errc::timed_out;
            }
            auto end = co_await current_time();
            EXPECT_GE(end - start, 60ms);
            EXPECT_GT(sent, 2);
            EXPECT_EQ(failures.size(), 1U);
            const std::string told = failures.empty() ? "" : failures[0];
            EXPECT_EQ(told.find("request timeout of 127.0.0.1:"), 0U) << told;
        };
        serve_options options;
        options.idle_timeout = 5s;
        options.request_timeout = 60ms;
        co_await serve_while(options, body);
    });
}

// A receive that a session gives up is nothing that happened on the connection.
TEST_P(serve_timeouts, a_session_that_looks_now_and_then_is_idle_all_the_same) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            auto idle = co_await connect(address);
            std::array<char, 8> buffer{};
            auto received = co_await as_result(with_timeout(5s, idle.recv(buffer)));
            EXPECT_TRUE(received && *received == 0) << "not disconnected";
            EXPECT_EQ(failures.size(), 1U);
        };
        serve_options options;
        options.idle_timeout = 100ms;
        co_await serve_while(options, body, &answer_impatiently);
    });
}

TEST_P(serve_timeouts, a_session_that_received_nothing_has_no_request_to_answer) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            auto late = co_await connect(address);
            co_await sleep_for(200ms);
            co_await late.send("?");
            auto answer = co_await as_result(receive(late, 3));
            EXPECT_TRUE(answer) << answer.error().message();
            EXPECT_TRUE(failures.empty());
        };
        serve_options options;
        options.request_timeout = 60ms;
        co_await serve_while(options, body, &answer_impatiently);
    });
}

TEST_P(serve_timeouts, others_are_served_meanwhile_and_places_are_freed) {
    run([&]() -> task<> {
        const auto body = [](endpoint address) -> task<> {
            std::vector<tcp_stream> idle(2);
            for (tcp_stream& client : idle) client = co_await connect(address);
            auto waiting = co_await connect(address);  // there are two places only
            co_await waiting.send("?\n");
            const std::string answer = co_await receive(waiting, 3);
            EXPECT_EQ(answer, "ok\n");
            EXPECT_GE(failures.size(), 1U);
        };
        serve_options options;
        options.connections_max = 2;
        options.idle_timeout = 30ms;
        co_await serve_while(options, body);
    });
}

}  // namespace
}  // namespace anel::test
