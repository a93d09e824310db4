// engine_test.cpp: two engines and no network: handshakes that are cut, dribbled and damaged at
// every byte.
// SPDX-License-Identifier: MIT
#include "tests/tls/certificates.hpp"

#include "net/tls/openssl.hpp"

#include <anel/detail/tls_engine.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace anel::test {
using namespace detail;
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// Both ends, and all that went from one to the other.
struct engines {
    explicit engines(const tls_context& of_server, const tls_context& of_client)
        : server(of_server, {}, {}), client(of_client, "localhost", {}) {}

    /// Hands over what one end has made, as `pass` makes it arrive.
    using passing = std::function<void(tls_engine& to, std::string bytes)>;
    bool shake(const passing& pass) {
        for (int turn = 0; turn < 10 && !(server.is_ready() && client.is_ready()); ++turn) {
            if (client.shake({}) == tls_step::failed) return false;
            pass(server, taken_from(client));
            if (server.shake({}) == tls_step::failed) return false;
            pass(client, taken_from(server));
        }
        return server.is_ready() && client.is_ready();
    }
    static std::string taken_from(tls_engine& end) {
        const auto bytes = end.output.bytes();
        std::string taken(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        end.output.clear();
        return taken;
    }

    tls_engine server;
    tls_engine client;
};

class tls_engine_pair : public testing::Test {
protected:
    static tls_client_options trusting(const certificates& made) {
        tls_client_options options;
        options.roots = made.authority.chain_file;
        return options;
    }
    [[nodiscard]] engines fresh() const { return engines(server, client); }
    /// Goes on with the handshake at once, so that what was fed need not live longer.
    static void arrive(tls_engine& to, std::string_view bytes) {
        to.feed(bytes_of(bytes));
        if (!to.is_ready()) static_cast<void>(to.shake({}));
        EXPECT_TRUE(to.keep());
    }

    const certificates made;
    const tls_context server = tls_context::server(made.server.chain_file, made.server.key_file);
    const tls_context client = tls_context::client(trusting(made));
    // Every byte in a long run, and else every fifth: a handshake takes most of a millisecond.
    const std::size_t stride = std::getenv("ANEL_LONG") ? 1 : 5;
};

TEST_F(tls_engine_pair, shakes_hands_byte_by_byte) {
    engines pair = fresh();
    const bool done = pair.shake([](tls_engine& to, const std::string& bytes) {
        for (std::size_t at = 0; at < bytes.size() && !to.is_ready(); ++at) {
            arrive(to, std::string_view(bytes).substr(at, 1));
        }
    });
    EXPECT_TRUE(done);
    ASSERT_EQ(pair.client.write(bytes_of("drop by drop")), tls_step::done);
    std::array<std::byte, 100> buffer{};
    std::size_t count = 0;
    for (const char one : engines::taken_from(pair.client)) {
        EXPECT_EQ(count, 0U);
        pair.server.feed(bytes_of(std::string_view(&one, 1)));
        EXPECT_NE(pair.server.read(buffer, count), tls_step::failed);
    }
    EXPECT_EQ(count, 12U);
}

// A handshake ends at each byte of each side. Under AddressSanitizer nothing may leak.
TEST_F(tls_engine_pair, may_be_broken_off_at_every_byte) {
    std::size_t whole = 0;
    std::size_t until_ready = 0;  // the last bytes are tickets, which nobody waits for
    engines complete = fresh();
    EXPECT_TRUE(complete.shake([&](tls_engine& to, const std::string& bytes) {
        whole += bytes.size();
        if (!complete.server.is_ready()) until_ready = whole;
        arrive(to, bytes);
    }));
    ASSERT_GT(whole, 1000U);
    for (std::size_t cut = 0; cut < whole; cut += stride) {
        engines pair = fresh();
        std::size_t passed = 0;
        pair.shake([&](tls_engine& to, const std::string& bytes) {
            const std::size_t allowed = std::min(bytes.size(), cut - std::min(cut, passed));
            passed += bytes.size();
            arrive(to, std::string_view(bytes).substr(0, allowed));
        });
        if (cut < until_ready) {
            EXPECT_FALSE(pair.server.is_ready()) << cut;
        }
        EXPECT_FALSE(pair.server.error()) << cut << ' ' << pair.server.error().message();
    }
}

// One byte is another, in each place: an end says no or goes on, and says why.
TEST_F(tls_engine_pair, survives_a_wrong_byte_anywhere) {
    std::size_t refused = 0;
    std::size_t whole = 1;
    for (std::size_t wrong = 0; wrong < whole; wrong += stride) {
        engines pair = fresh();
        std::size_t passed = 0;
        pair.shake([&](tls_engine& to, std::string bytes) {
            if (wrong >= passed && wrong < passed + bytes.size()) bytes[wrong - passed] ^= 0x40;
            passed += bytes.size();
            arrive(to, bytes);
        });
        whole = std::max(whole, passed);
        for (const tls_engine* end : {&pair.server, &pair.client}) {
            if (!end->error()) continue;
            refused += 1;
            EXPECT_FALSE(end->error().message().empty());
        }
    }
    EXPECT_GT(refused, 500U / stride);
}

// OpenSSL's two libraries have the same number for this and for a certificate that is refused.
TEST_F(tls_engine_pair, says_why_when_a_certificate_cannot_be_read) {
    const ssl_ctx_ptr context(::SSL_CTX_new(::TLS_server_method()));
    ::SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);  // certificates can be seen
    ::SSL_CTX_use_certificate_chain_file(context.get(), made.server.chain_file.c_str());
    ::SSL_CTX_use_PrivateKey_file(context.get(), made.server.key_file.c_str(), SSL_FILETYPE_PEM);
    const std::unique_ptr<SSL, freed_by<SSL_free>> peer(::SSL_new(context.get()));
    ::SSL_set_bio(peer.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));

    tls_engine end(client, "localhost", {});
    ASSERT_EQ(end.shake({}), tls_step::starved);
    const std::string hello = engines::taken_from(end);
    ::BIO_write(::SSL_get_rbio(peer.get()), hello.data(), static_cast<int>(hello.size()));
    ASSERT_EQ(::SSL_accept(peer.get()), -1);
    char* begin = nullptr;
    const long size = BIO_get_mem_data(::SSL_get_wbio(peer.get()), &begin);
    std::string reply(begin, static_cast<std::size_t>(size));
    reply.at(reply.find("localhost")) = '\xff';  // that is no UTF-8

    end.feed(bytes_of(reply));
    EXPECT_EQ(end.shake({}), tls_step::failed);
    EXPECT_TRUE(end.error());
    EXPECT_EQ(end.error().category(), tls_category()) << end.error().message();
    EXPECT_EQ(end.shake({}), tls_step::failed);
}

TEST_F(tls_engine_pair, reports_a_peer_that_sends_records_of_nothing_for_ever) {
    engines pair = fresh();
    ASSERT_TRUE(pair.shake([](tls_engine& to, const std::string& bytes) { arrive(to, bytes); }));
    std::array<std::byte, 100> buffer{};
    std::size_t count = 0;
    std::string garbage = "\x17\x03\x03";
    garbage += std::string(2, '\0');
    pair.server.feed(bytes_of(garbage));
    EXPECT_EQ(pair.server.read(buffer, count), tls_step::failed);
    EXPECT_EQ(pair.server.error().category(), tls_category());
    EXPECT_EQ(pair.server.error(), std::errc::protocol_error);
}

TEST(byte_queue, keeps_what_was_not_dropped_in_order) {
    byte_queue queue;
    std::string expected;
    std::size_t dropped = 0;
    for (int i = 0; i < 200; ++i) {
        const std::string more(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
        ASSERT_TRUE(queue.append(bytes_of(more)));
        expected += more;
        const std::size_t some = std::min<std::size_t>(queue.size(), 90);
        queue.drop(some);
        dropped += some;
        const auto bytes = queue.bytes();
        EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                  std::string_view(expected).substr(dropped));
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace anel::test
