// tls_test.cpp: what a TLS connection agrees on and carries, on every backend.
// SPDX-License-Identifier: MIT
#include "tests/tls/tls_pair.hpp"

#include <fstream>

namespace anel::test {
namespace {

class tls : public over_backends {};
ANEL_OVER_BACKENDS(tls);

task<> expect_echo(tls_pair& pair, std::string_view text) {
    co_await pair.client.send(text);
    const std::string there = co_await receive(pair.server, text.size());
    EXPECT_EQ(there, text);
    co_await pair.server.send(there);
    const std::string back = co_await receive(pair.client, text.size());
    EXPECT_EQ(back, text);
}

TEST_P(tls, bytes_travel_both_ways_and_ends_are_said) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        EXPECT_EQ(pair.client.version(), "TLSv1.3");
        EXPECT_EQ(pair.client.cipher(), pair.server.cipher());
        EXPECT_EQ(pair.server.server_name(), "localhost");
        EXPECT_FALSE(pair.client.is_resumed());
        co_await expect_echo(pair, "hello");
        const std::string much = pattern(300'000);
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                co_await pair.client.send(much);
                co_await pair.client.shutdown_send();
            };
            group.spawn(sends);
            got = co_await receive_all(pair.server);
        });
        EXPECT_EQ(got, much);
        // The other direction is open still.
        co_await pair.server.send("and back");
        const std::string answer = co_await receive(pair.client, 8);
        EXPECT_EQ(answer, "and back");
        co_await pair.server.close();
        const std::string rest = co_await receive_all(pair.client);
        EXPECT_EQ(rest, "");
    });
}

TEST_P(tls, small_buffers_get_all_bytes_of_a_record) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        const std::string text = pattern(50'000);
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> {
                co_await pair.client.send(text);
                co_await pair.client.shutdown_send();
            };
            group.spawn(sends);
            std::array<char, 777> buffer{};
            while (auto n = co_await pair.server.recv(buffer)) got.append(buffer.data(), n);
        });
        EXPECT_EQ(got, text);
    });
}

TEST_P(tls, the_handshake_comes_with_the_first_call) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await unshaken_pair(contexts.server, contexts.client);
        std::string got;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sends = [&]() -> task<> { co_await pair.client.send("first"); };
            // Both of a client's directions want it, and it is made once.
            const auto receives = [&]() -> task<> { got = co_await receive(pair.client, 5); };
            group.spawn(sends);
            group.spawn(receives);
            const std::string there = co_await receive(pair.server, 5);
            co_await pair.server.send(there);
        });
        EXPECT_EQ(got, "first");
    });
}

TEST_P(tls, a_connection_of_1_2_works_alike) {
    tls_server_options options;
    const tls_contexts contexts;
    run([&]() -> task<> {
        // The peer that speaks 1.2 alone is OpenSSL's, in test_tls_echo.py; here 1.3 is refused.
        tls_client_options only_1_3;
        only_1_3.version_min = tls_version::tls_1_3;
        const auto client =
            tls_context::client(tls_contexts::trusting(contexts.made.authority, only_1_3));
        auto pair = co_await shaken_pair(contexts.server, client);
        EXPECT_EQ(pair.server.version(), "TLSv1.3");
        co_await expect_echo(pair, "only 1.3");
    });
}

TEST_P(tls, the_best_protocol_of_the_server_is_agreed_on) {
    tls_server_options of_server;
    of_server.alpn = {"h2", "http/1.1"};
    tls_client_options of_client;
    of_client.alpn = {"http/0.9", "http/1.1", "h2"};
    const tls_contexts contexts(of_server, of_client);
    const auto silent = tls_context::client(tls_contexts::trusting(contexts.made.authority));
    tls_client_options other;
    other.alpn = {"h3"};
    const auto stranger =
        tls_context::client(tls_contexts::trusting(contexts.made.authority, other));
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        EXPECT_EQ(pair.client.alpn(), "h2");
        EXPECT_EQ(pair.server.alpn(), "h2");
        auto without = co_await shaken_pair(contexts.server, silent);
        EXPECT_EQ(without.server.alpn(), "");
        const auto said = co_await failing_handshake(contexts.server, stranger);
        EXPECT_NE(said.server.find("(it offers h3): no application protocol"), std::string::npos)
            << said.server;
        EXPECT_NE(said.client.find("no application protocol"), std::string::npos) << said.client;
    });
}

TEST_P(tls, a_client_gets_the_certificate_of_the_name_it_asks_for) {
    const certificates made;
    const test_certificate other(for_names("other", "DNS:*.example.com,DNS:example.org"),
                                 &made.authority);
    tls_server_options options;
    options.more.push_back({other.chain_file, other.key_file, {}});
    const auto server = tls_context::server(made.server.chain_file, made.server.key_file, options);
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    run([&]() -> task<> {
        for (const char* host : {"localhost", "api.example.com", "example.org", "127.0.0.1"}) {
            auto pair = co_await shaken_pair(server, client, host);
            const auto shown = pair.client.peer_certificate();
            const bool is_other = std::string_view(host).find("example") != std::string_view::npos;
            EXPECT_EQ(shown->subject, is_other ? "CN=other" : "CN=localhost") << host;
            EXPECT_EQ(shown->sha256.size(), 64U);
            EXPECT_EQ(pair.server.server_name(), host[0] == '1' ? "" : host);
        }
        // Whom nobody knows gets the first, and does not take it.
        const auto said = co_await failing_handshake(server, client, "unknown.example.net");
        EXPECT_NE(said.client.find("hostname mismatch"), std::string::npos) << said.client;
    });
}

TEST_P(tls, a_session_is_resumed) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        const endpoint here = co_await free_address();
        for (int round = 0; round < 4; ++round) {
            auto pair = co_await shaken_pair(contexts.server, contexts.client, "localhost", here);
            EXPECT_EQ(pair.client.is_resumed(), round > 0) << round;
            EXPECT_EQ(pair.server.is_resumed(), round > 0);
            co_await expect_echo(pair, "the tickets come with it");
        }
        // A reload keeps the keys of the tickets.
        tls_context server = contexts.server;
        server.reload();
        auto pair = co_await shaken_pair(server, contexts.client, "localhost", here);
        EXPECT_TRUE(pair.client.is_resumed());
        auto elsewhere = co_await shaken_pair(server, contexts.client);
        EXPECT_FALSE(elsewhere.client.is_resumed());
    });
}

TEST_P(tls, processes_with_the_same_ticket_keys_resume_each_others_sessions) {
    const certificates made;
    const auto server = [&] {
        return tls_context::server(made.server.chain_file, made.server.key_file);
    };
    tls_context one = server();
    tls_context other = server();
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    const tls_ticket_key first = tls_ticket_key::random();
    const tls_ticket_key second = tls_ticket_key::random();
    endpoint here;
    const auto resumed = [&](const tls_context& by) -> task<bool> {
        auto pair = co_await shaken_pair(by, client, "localhost", here);
        co_await expect_echo(pair, "tickets");
        co_return pair.client.is_resumed();
    };
    run([&]() -> task<> {
        here = co_await free_address();
        bool again = co_await resumed(one);
        EXPECT_FALSE(again);
        again = co_await resumed(other);
        EXPECT_FALSE(again) << "each has keys of its own";
        one.set_ticket_keys(std::span(&first, 1));
        other.set_ticket_keys(std::span(&first, 1));
        again = co_await resumed(one);
        EXPECT_FALSE(again);
        again = co_await resumed(other);
        EXPECT_TRUE(again);
        // Rotated: the old key opens its tickets still.
        const tls_ticket_key both[] = {second, first};
        other.set_ticket_keys(both);
        again = co_await resumed(other);
        EXPECT_TRUE(again);
        again = co_await resumed(one);
        EXPECT_FALSE(again) << "that was a ticket of the second key, which it does not have";
    });
}

TEST_P(tls, ticket_keys_rotate_by_themselves_and_the_last_but_one_still_opens) {
    if (GetParam() != backend_kind::sim) GTEST_SKIP() << "takes virtual seconds";
    tls_server_options options;
    options.ticket_key_lifetime = 5s;
    const tls_contexts contexts(options);
    run([&]() -> task<> {
        const endpoint here = co_await free_address();
        const auto resumed = [&]() -> task<bool> {
            auto pair = co_await shaken_pair(contexts.server, contexts.client, "localhost", here);
            co_await expect_echo(pair, "tickets");
            co_return pair.client.is_resumed();
        };
        bool again = co_await resumed();
        EXPECT_FALSE(again);
        co_await sleep_for(6s);
        again = co_await resumed();
        EXPECT_TRUE(again) << "opened with the key before";
        co_await sleep_for(6s);
        again = co_await resumed();
        EXPECT_TRUE(again) << "the ticket was renewed";
    });
}

TEST_P(tls, a_reload_serves_new_files_and_drops_nobody) {
    const certificates made;
    const std::string chain = made.server.chain_file + ".copy";
    const std::string key = made.server.key_file + ".copy";
    const auto install = [&](const test_certificate& from) {
        std::filesystem::copy_file(from.chain_file, chain,
                                   std::filesystem::copy_options::overwrite_existing);
        std::filesystem::copy_file(from.key_file, key,
                                   std::filesystem::copy_options::overwrite_existing);
    };
    install(made.server);
    const test_certificate next(for_names("renewed", "DNS:localhost"), &made.authority);
    tls_context server = tls_context::server(chain, key);
    const auto client = [&] { return tls_context::client(tls_contexts::trusting(made.authority)); };
    run([&]() -> task<> {
        auto before = co_await shaken_pair(server, client());
        std::ofstream(key) << "not a key";
        EXPECT_THROW(server.reload(), io_error);
        auto meanwhile = co_await shaken_pair(server, client());
        auto shown = meanwhile.client.peer_certificate();
        EXPECT_EQ(shown->subject, "CN=localhost") << "what cannot be read changes nothing";
        install(next);
        server.reload();
        auto after = co_await shaken_pair(server, client());
        shown = after.client.peer_certificate();
        EXPECT_EQ(shown->subject, "CN=renewed");
        co_await expect_echo(before, "still here");
    });
}

TEST_P(tls, a_client_shows_its_certificate) {
    const certificates made;
    const test_certificate alice(for_names("alice", "DNS:alice.example.com"), &made.authority);
    tls_server_options of_server;
    of_server.client_roots = made.authority.chain_file;
    tls_client_options of_client;
    of_client.certificate = {alice.chain_file, alice.key_file, {}};
    const tls_context server =
        tls_context::server(made.server.chain_file, made.server.key_file, of_server);
    const auto client = tls_context::client(tls_contexts::trusting(made.authority, of_client));
    run([&]() -> task<> {
        const endpoint here = co_await free_address();
        for (int round = 0; round < 2; ++round) {
            auto pair = co_await shaken_pair(server, client, "localhost", here);
            co_await expect_echo(pair, "hello");
            const auto shown = pair.server.peer_certificate();
            EXPECT_EQ(pair.server.is_resumed(), round > 0);
            EXPECT_EQ(shown->subject, "CN=alice");
            EXPECT_EQ(shown->dns_names, std::vector<std::string>{"alice.example.com"});
        }
    });
}

TEST_P(tls, secrets_are_logged_when_that_is_asked_for) {
    tls_server_options options;
    options.key_log = certificate_folder::path() + "/secrets";
    const tls_contexts contexts(options);
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts.server, contexts.client);
        co_await expect_echo(pair, "secret");
    });
    std::ifstream log(options.key_log);
    std::string text(std::istreambuf_iterator<char>(log), {});
    EXPECT_NE(text.find("CLIENT_TRAFFIC_SECRET_0 "), std::string::npos) << text;
}

}  // namespace
}  // namespace anel::test
