// message_test.cpp: a message of the peer that comes in several records, and what is sent between
// two of them. The peer is OpenSSL's own server with small records and a large ticket.
// SPDX-License-Identifier: MIT
#include "tests/tls/tls_pair.hpp"

#include <anel/event.hpp>
#include <anel/memory_stream.hpp>

#include <openssl/ssl.h>

namespace anel::test {
namespace {

class splitting_server {
public:
    explicit splitting_server(const certificates& made)
        : context_(::SSL_CTX_new(::TLS_server_method())) {
        ::SSL_CTX_use_certificate_chain_file(context_, made.server.chain_file.c_str());
        ::SSL_CTX_use_PrivateKey_file(context_, made.server.key_file.c_str(), SSL_FILETYPE_PEM);
        SSL_CTX_set_max_send_fragment(context_, 512);
        ::SSL_CTX_set_session_ticket_cb(context_, &enlarge, nullptr, nullptr);
        connection_ = ::SSL_new(context_);
        in_ = ::BIO_new(::BIO_s_mem());
        out_ = ::BIO_new(::BIO_s_mem());
        ::SSL_set_bio(connection_, in_, out_);
        ::SSL_set_accept_state(connection_);
    }
    splitting_server(const splitting_server&) = delete;
    splitting_server& operator=(const splitting_server&) = delete;
    ~splitting_server() {
        ::SSL_free(connection_);
        ::SSL_CTX_free(context_);
    }

    void take(std::string_view bytes) {
        ::BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
        std::array<char, 100> buffer{};
        const int count = ::SSL_read(connection_, buffer.data(), static_cast<int>(buffer.size()));
        if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
        ended = (::SSL_get_shutdown(connection_) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
    [[nodiscard]] bool is_ready() const { return ::SSL_is_init_finished(connection_) == 1; }
    std::string output() {
        char* begin = nullptr;
        const auto size = static_cast<std::size_t>(BIO_get_mem_data(out_, &begin));
        std::string made(begin, size);
        static_cast<void>(BIO_reset(out_));
        return made;
    }

    std::string text;
    bool ended = false;

private:
    static int enlarge(SSL* connection, void*) {
        const std::string much(900, 'x');
        return ::SSL_SESSION_set1_ticket_appdata(::SSL_get_session(connection), much.data(),
                                                 much.size());
    }

    SSL_CTX* context_;
    SSL* connection_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

std::size_t last_record(std::string_view records) {
    for (std::size_t at = 0;;) {
        const auto high = static_cast<unsigned char>(records[at + 3]);
        const auto low = static_cast<unsigned char>(records[at + 4]);
        const std::size_t next = at + 5 + 256U * high + low;
        if (next >= records.size()) return at;
        at = next;
    }
}

class tls_message : public over_backends {
protected:
    using stream = tls_over<memory_stream>;

    /// The server answers all but the last record of its tickets, until `go`.
    static task<> serve(splitting_server& server, memory_stream& far, event& split, event& go) {
        std::array<char, 4096> buffer{};
        for (;;) {
            const std::size_t count = co_await far.recv(buffer);
            if (count == 0) break;
            const bool was_ready = server.is_ready();
            server.take({buffer.data(), count});
            const std::string made = server.output();
            if (was_ready || !server.is_ready()) {
                co_await far.send(made);
                continue;
            }
            const std::size_t part = last_record(made);
            EXPECT_GT(part, 0U);
            co_await far.send(const_buffer(made.data(), part));
            split.set();
            co_await go.wait();
            co_await far.send(const_buffer(made.data() + part, made.size() - part));
        }
    }
    static task<> receive_nothing(stream& near) {
        std::array<char, 8> buffer{};
        std::ignore = co_await as_result(near.recv(buffer));
    }
};
ANEL_OVER_BACKENDS(tls_message);

TEST_P(tls_message, is_waited_for_by_who_sends_and_by_who_says_the_end) {
    const certificates made;
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    for (const bool receives : {true, false}) {
        for (const bool sends : {true, false}) {
            splitting_server server(made);
            run([&]() -> task<> {
                auto [near_below, far] = memory_stream_pair(1 << 16);
                stream near(std::move(near_below), client, "localhost");
                event split;
                event go;
                co_await with_task_group([&](task_group& group) -> task<> {
                    group.spawn(serve, std::ref(server), std::ref(far), std::ref(split),
                                std::ref(go));
                    co_await near.handshake();
                    co_await split.wait();
                    // Takes the beginning of the message; goes on waiting, or not.
                    co_await with_task_group([&](task_group& receiving) -> task<> {
                        receiving.spawn(receive_nothing, std::ref(near));
                        co_await let_others_wait();
                        if (!receives) receiving.cancel();
                        const auto releases = [&]() -> task<> {
                            co_await let_others_wait();
                            go.set();
                        };
                        group.spawn(releases);
                        if (receives && sends) co_await near.send("between");
                        if (receives) co_await near.shutdown_send();
                        receiving.cancel();
                    });
                    if (!receives && sends) co_await near.send("between");
                    if (!receives) co_await near.shutdown_send();
                });
            });
            EXPECT_EQ(server.text, sends ? "between" : "");
            EXPECT_TRUE(server.ended) << receives << sends;
        }
    }
}

}  // namespace
}  // namespace anel::test
