// refusal_test.cpp: certificates that are not taken, handshakes that do not end, files that are not
// what they should be; and what is said of each.
// SPDX-License-Identifier: MIT
#include "tests/tls/tls_pair.hpp"

#include <fstream>

namespace anel::test {
namespace {

class tls_refusal : public over_backends {};
ANEL_OVER_BACKENDS(tls_refusal);

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos && text.find('\n') == std::string::npos;
}

tls_context server_with(const test_certificate& shown) {
    return tls_context::server(shown.chain_file, shown.key_file);
}

TEST_P(tls_refusal, a_client_takes_no_certificate_that_is_not_the_hosts) {
    const certificates made;
    const certificate_wish good = for_names("localhost", "DNS:localhost");
    certificate_wish expired = good;
    expired.valid_until = -1;
    certificate_wish future = good;
    future.valid_from = 3600;
    const test_certificate intermediate(for_authority("intermediate"), &made.authority);
    const test_certificate self_signed(good);
    const test_certificate too_old(expired, &made.authority);
    const test_certificate too_new(future, &made.authority);
    const test_certificate elsewhere(for_names("elsewhere", "DNS:elsewhere"), &made.authority);
    const test_certificate common_name(for_names("localhost", ""), &made.authority);
    const test_certificate below(good, &intermediate);
    const test_certificate stranger(for_authority("another root"));
    const test_certificate of_stranger(good, &stranger);
    certificate_wish for_clients = good;
    for_clients.usage = "clientAuth";
    const test_certificate of_client(for_clients, &made.authority);
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    const struct {
        const test_certificate& shown;
        const char* reason;
    } refused[] = {
        {self_signed, "(certificate CN=localhost): certificate refused: self-signed certificate"},
        {too_old, "certificate refused: certificate has expired"},
        {too_new, "certificate refused: certificate is not yet valid"},
        {elsewhere, "(certificate CN=elsewhere): certificate refused: hostname mismatch"},
        {common_name, "certificate refused: hostname mismatch"},
        {below, "certificate refused: unable to get local issuer certificate"},
        {of_stranger, "certificate refused: unable to get local issuer certificate"},
        {of_client, "certificate purpose"},
    };
    run([&]() -> task<> {
        for (const auto& each : refused) {
            const auto said = co_await failing_handshake(server_with(each.shown), client);
            EXPECT_TRUE(said.client.starts_with("TLS handshake with 127.0.0.1:")) << said.client;
            EXPECT_TRUE(holds(said.client, each.reason)) << said.client;
            EXPECT_TRUE(said.server.starts_with("TLS handshake with 127.0.0.1:")) << said.server;
            EXPECT_TRUE(holds(said.server, "alert")) << said.server;
        }
        // With the intermediate one behind it, it is taken.
        const auto whole = tls_context::server(below.with(intermediate), below.key_file);
        const auto said = co_await failing_handshake(whole, client);
        EXPECT_EQ(said.server, "");
        const auto unknown = tls_context::server(of_stranger.with(stranger), of_stranger.key_file);
        const auto end_of_chain = co_await failing_handshake(unknown, client);
        EXPECT_TRUE(holds(end_of_chain.client, "self-signed certificate in certificate chain"))
            << end_of_chain.client;
        // A numeric host is looked for among the addresses.
        const auto numeric = co_await failing_handshake(server_with(made.server), client, "::1");
        EXPECT_TRUE(holds(numeric.client, "IP address mismatch")) << numeric.client;
    });
}

// The name in a certificate is whatever its maker likes: nothing in it controls a terminal, and it
// ends with a whole character.
TEST_P(tls_refusal, what_a_stranger_is_called_stays_one_line_of_text) {
    const certificates made;
    const test_certificate coloured(for_names("\xc2\x9b"
                                              "31m\x1b[0m\n\x7f",
                                              ""));
    std::string locks;
    for (int i = 0; i < 64; ++i) locks += "\xf0\x9f\x94\x92";
    const test_certificate locked(for_names(locks, ""));
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    run([&]() -> task<> {
        auto said = co_await failing_handshake(server_with(coloured), client);
        EXPECT_TRUE(holds(said.client, "(certificate CN=?31m\\1B[0m\\0A\\7F): ")) << said.client;
        said = co_await failing_handshake(server_with(locked), client);
        const std::string whole = locks.substr(0, 49 * 4);  // 200 bytes with CN=, and not more
        EXPECT_TRUE(holds(said.client, "(certificate CN=" + whole + "): ")) << said.client;
    });
}

TEST_P(tls_refusal, a_server_refuses_clients_without_its_certificate) {
    const certificates made;
    const test_certificate stranger(for_names("stranger", ""));
    tls_server_options of_server;
    of_server.client_roots = made.authority.chain_file;
    const auto server =
        tls_context::server(made.server.chain_file, made.server.key_file, of_server);
    of_server.client_certificate_optional = true;
    const auto lenient =
        tls_context::server(made.server.chain_file, made.server.key_file, of_server);
    tls_client_options of_client;
    of_client.certificate = {stranger.chain_file, stranger.key_file, {}};
    certificate_wish yesterdays = for_names("yesterday", "");
    yesterdays.valid_until = -1;
    const test_certificate expired(yesterdays, &made.authority);
    tls_client_options of_expired;
    of_expired.certificate = {expired.chain_file, expired.key_file, {}};
    const auto late = tls_context::client(tls_contexts::trusting(made.authority, of_expired));
    const auto bare = tls_context::client(tls_contexts::trusting(made.authority));
    const auto wrong = tls_context::client(tls_contexts::trusting(made.authority, of_client));
    run([&]() -> task<> {
        auto said = co_await failing_handshake(server, bare);
        EXPECT_TRUE(holds(said.server, "peer did not return a certificate")) << said.server;
        // The alert gets there, although the client has sent on meanwhile.
        EXPECT_TRUE(holds(said.client, "alert certificate required")) << said.client;
        said = co_await failing_handshake(server, wrong);
        EXPECT_TRUE(holds(said.server, "(certificate CN=stranger): certificate refused: self-"))
            << said.server;
        EXPECT_TRUE(holds(said.client, "alert unknown ca")) << said.client;
        said = co_await failing_handshake(server, late);
        EXPECT_TRUE(holds(said.server, "(certificate CN=yesterday): certificate refused: "
                                       "certificate has expired"))
            << said.server;
        EXPECT_TRUE(holds(said.client, "alert certificate expired")) << said.client;
        auto pair = co_await shaken_pair(lenient, bare);
        EXPECT_FALSE(pair.server.peer_certificate());
        said = co_await failing_handshake(lenient, wrong);
        EXPECT_TRUE(holds(said.server, "certificate refused: self-")) << said.server;
    });
}

// Both processes open the tickets of both, and only one asks for certificates.
TEST_P(tls_refusal, a_ticket_of_one_that_asks_for_no_certificate_is_none_to_one_that_does) {
    const certificates made;
    const auto server = [&](const tls_server_options& options) {
        return tls_context::server(made.server.chain_file, made.server.key_file, options);
    };
    tls_context open = server({});
    tls_server_options of_strict;
    of_strict.client_roots = made.authority.chain_file;
    tls_context strict = server(of_strict);
    of_strict.client_certificate_optional = true;
    tls_context lenient = server(of_strict);
    const tls_ticket_key key = tls_ticket_key::random();
    for (tls_context* each : {&open, &strict, &lenient}) each->set_ticket_keys({&key, 1});
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    run([&]() -> task<> {
        const endpoint here = co_await free_address();
        for (const tls_context* before : {&open, &lenient}) {
            auto first = co_await shaken_pair(*before, client, "localhost", here);
            co_await first.server.send("tickets");
            const std::string got = co_await receive(first.client, 7);
            EXPECT_EQ(got, "tickets");
            const auto said = co_await failing_handshake(strict, client, "localhost", here);
            EXPECT_TRUE(holds(said.server, "peer did not return a certificate")) << said.server;
        }
    });
}

TEST_P(tls_refusal, an_authority_that_a_reload_removes_lets_nobody_in_with_a_ticket) {
    const certificates made;
    const test_certificate alice(for_names("alice", ""), &made.authority);
    const test_certificate other(for_authority("another root"));
    const std::string roots = made.authority.chain_file + ".roots";
    const auto install = [&](const test_certificate& from) {
        std::filesystem::copy_file(from.chain_file, roots,
                                   std::filesystem::copy_options::overwrite_existing);
    };
    install(made.authority);
    tls_server_options of_server;
    of_server.client_roots = roots;
    tls_context server =
        tls_context::server(made.server.chain_file, made.server.key_file, of_server);
    tls_client_options of_client;
    of_client.certificate = {alice.chain_file, alice.key_file, {}};
    const auto client = tls_context::client(tls_contexts::trusting(made.authority, of_client));
    run([&]() -> task<> {
        const endpoint here = co_await free_address();
        for (const bool resumes : {false, true}) {
            if (resumes) server.reload();  // the roots are the same still
            auto pair = co_await shaken_pair(server, client, "localhost", here);
            EXPECT_EQ(pair.server.is_resumed(), resumes);
            co_await pair.server.send("tickets");
            const std::string got = co_await receive(pair.client, 7);
            EXPECT_EQ(got, "tickets");
        }
        install(other);
        server.reload();
        const auto said = co_await failing_handshake(server, client, "localhost", here);
        EXPECT_TRUE(holds(said.server, "certificate refused: ")) << said.server;
    });
}

TEST_P(tls_refusal, what_is_no_tls_is_refused) {
    const tls_contexts contexts;
    const auto said_of = [&](std::string_view bytes, bool ends) -> task<std::string> {
        auto pair = co_await connected_to_raw();
        tls_stream server(std::move(pair.stream), contexts.server);
        pair.peer.write(bytes);
        if (ends) pair.peer.shutdown_write();
        std::string said = co_await failure_of(server.handshake());
        // And so does every later call.
        std::string again = co_await failure_of(server.recv());
        EXPECT_EQ(again.substr(again.find("with")), said.substr(said.find("with")));
        co_return said;
    };
    run([&]() -> task<> {
        std::string said = co_await said_of("GET / HTTP/1.1\r\n\r\n", true);
        EXPECT_TRUE(holds(said, ": http request")) << said;
        said = co_await said_of(std::string(100, '\0'), true);
        EXPECT_TRUE(holds(said, ": wrong version number")) << said;
        said = co_await said_of("\x16\x03\x01", true);
        EXPECT_TRUE(holds(said, ": the peer closed the connection early")) << said;
        EXPECT_TRUE(said.starts_with("TLS handshake with ")) << said;
    });
}

TEST_P(tls_refusal, a_handshake_has_its_time) {
    tls_server_options options;
    options.handshake_timeout = 50ms;
    const tls_contexts contexts(options);
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        tls_stream server(std::move(pair.stream), contexts.server);
        const std::string said = co_await failure_of(server.handshake());
        EXPECT_TRUE(said.starts_with("TLS handshake with 127.0.0.1:")) << said;
        EXPECT_TRUE(holds(said, "(ETIMEDOUT)")) << said;
        std::error_code later = co_await error_of(server.send("too late"));
        EXPECT_EQ(later, code(ETIMEDOUT));
    });
}

TEST_P(tls_refusal, a_handshake_that_was_cancelled_goes_on) {
    const tls_contexts contexts;
    run([&]() -> task<> {
        auto pair = co_await unshaken_pair(contexts.server, contexts.client);
        const auto cut = co_await as_result(with_timeout(1ms, pair.client.handshake()));
        EXPECT_EQ(cut.error(), std::errc::timed_out);
        co_await shake_hands(pair);
        co_await pair.client.send("went on");
        const std::string got = co_await receive(pair.server, 7);
        EXPECT_EQ(got, "went on");
    });
}

// --- contexts -----------------------------------------------------------------------------------

std::string refusal_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "not refused";
}

std::string file_of(const char* name, std::string_view text) {
    std::string path = certificate_folder::path() + '/' + name;
    std::ofstream(path) << text;
    return path;
}

TEST(tls_context, refuses_files_that_do_not_fit_with_their_names_and_the_reason) {
    const certificates made;
    const test_certificate other(for_names("other", ""));
    certificate_wish locked_wish = for_names("locked", "");
    locked_wish.password = "sesame";
    const test_certificate locked(locked_wish);
    const std::string chain = made.server.chain_file;
    const std::string key = made.server.key_file;
    const auto said = [](std::string of_chain, std::string of_key, std::string password = {}) {
        tls_server_options options;
        options.password = std::move(password);
        return refusal_of([&] { tls_context::server(of_chain, of_key, options); });
    };
    EXPECT_EQ(said("/no/such/chain", key),
              "open certificate /no/such/chain: No such file or directory (ENOENT)");
    EXPECT_EQ(said(chain, "/no/such/key"),
              "open key /no/such/key: No such file or directory (ENOENT)");
    EXPECT_EQ(said("/", key), "open certificate /: Is a directory (EISDIR)");
    EXPECT_EQ(said(chain, other.key_file),
              "certificate " + chain + " with key " + other.key_file + ": key values mismatch");
    const std::string empty = file_of("empty", "");
    EXPECT_EQ(said(empty, key), "no certificate in " + empty + ": Invalid argument (EINVAL)");
    EXPECT_EQ(said(chain, empty), "no key in " + empty + ": Invalid argument (EINVAL)");
    EXPECT_EQ(said(key, key), "no certificate in " + key + ": Invalid argument (EINVAL)");
    const std::string cut = file_of("cut", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    EXPECT_TRUE(said(cut, key).starts_with("read certificate " + cut + ": ")) << said(cut, key);

    EXPECT_EQ(said(locked.chain_file, locked.key_file, "sesame"), "not refused");
    const std::string without = said(locked.chain_file, locked.key_file);
    EXPECT_TRUE(without.starts_with("read encrypted key, no password given, " + locked.key_file))
        << without;
    const std::string wrong = said(locked.chain_file, locked.key_file, "swordfish");
    EXPECT_TRUE(wrong.starts_with("read key with the given password " + locked.key_file)) << wrong;
}

TEST(tls_context, a_client_takes_no_host_that_is_half_a_name) {
    const tls_contexts contexts;
    const auto said = [&](std::string_view host) {
        return refusal_of([&] { tls_stream(tcp_stream(), contexts.client, host); });
    };
    EXPECT_EQ(said(".localhost"), "anel: no name of a host: \".localhost\"");
    EXPECT_EQ(said({"localhost\0.example.com", 22}),
              "anel: no name of a host: \"localhost\\0.example.com\"");
    EXPECT_EQ(said("localhost."), "not refused");
}

TEST(tls_context, refuses_options_that_cannot_be) {
    const certificates made;
    const auto of_server = [&](const tls_server_options& options) {
        return refusal_of(
            [&] { tls_context::server(made.server.chain_file, made.server.key_file, options); });
    };
    tls_server_options options;
    options.alpn = {"h2", ""};
    EXPECT_EQ(of_server(options), "anel: an ALPN name has 1 to 255 bytes; \"\" has 0");
    options = {};
    options.alpn = {std::string(256, 'x')};
    EXPECT_TRUE(of_server(options).ends_with("\" has 256"));
    options = {};
    options.client_roots = "/no/roots";
    EXPECT_EQ(of_server(options),
              "open certificates to trust /no/roots: No such file or directory (ENOENT)");
    options = {};
    options.more.push_back({made.server.chain_file, "/no/key", {}});
    EXPECT_EQ(of_server(options), "open key /no/key: No such file or directory (ENOENT)");
    options = {};
    options.key_log = "/no/log";
    EXPECT_EQ(of_server(options), "open key log /no/log: No such file or directory (ENOENT)");
    EXPECT_EQ(refusal_of([] { tls_ticket_key::read("/no/ticket"); }),
              "open ticket key /no/ticket: No such file or directory (ENOENT)");
    const std::string brief = file_of("brief", "too short");
    EXPECT_EQ(refusal_of([&] { tls_ticket_key::read(brief); }),
              "read 80 bytes of ticket key " + brief + ": Invalid argument (EINVAL)");
    const std::string long_enough = file_of("ticket", std::string(80, 'k'));
    EXPECT_EQ(tls_ticket_key::read(long_enough).bytes[79], 'k');
}

TEST(tls_context, refuses_to_trust_nobody) {
    ::setenv("SSL_CERT_FILE", "/no/file", 1);
    ::setenv("SSL_CERT_DIR", "/no/folder:/no/other", 1);
    const std::string said = refusal_of([] { tls_context::client(); });
    EXPECT_TRUE(said.starts_with("no certificate to trust in ")) << said;
    const certificates made;
    ::setenv("SSL_CERT_FILE", made.authority.chain_file.c_str(), 1);
    EXPECT_EQ(refusal_of([] { tls_context::client(); }), "not refused");
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("SSL_CERT_DIR");
}

TEST(tls_context, is_for_one_side) {
    const tls_contexts contexts;
    EXPECT_EQ(refusal_of([&] { tls_stream(tcp_stream(), contexts.client); }),
              "anel: a TLS client needs the name of the host, which the server's certificate must "
              "have");
    EXPECT_EQ(refusal_of([&] { tls_stream(tcp_stream(), contexts.server, "host"); }),
              "anel: a TLS server names no host, \"host\"");
    tls_context client = contexts.client;
    const tls_ticket_key key = tls_ticket_key::random();
    EXPECT_EQ(refusal_of([&] { client.set_ticket_keys(std::span(&key, 1)); }),
              "anel: a TLS client makes no tickets");
    tls_context server = contexts.server;
    EXPECT_EQ(refusal_of([&] { server.set_ticket_keys({}); }), "anel: no ticket key was given");
    EXPECT_EQ(refusal_of([&] { tls_listener(tcp_listener(), contexts.client); }),
              "anel: a tls_listener with the context of a client");
    tls_stream nothing;
    EXPECT_FALSE(nothing.is_open());
    EXPECT_EQ(nothing.alpn(), "");
    EXPECT_EQ(nothing.peer_text(), "");
}

}  // namespace
}  // namespace anel::test
