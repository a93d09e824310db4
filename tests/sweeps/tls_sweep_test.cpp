// tls_sweep_test.cpp: TLS, with every byte accounted for. The peer is an engine at a raw socket,
// which does what it does beside the body.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"
#include "tests/tls/raw_peer.hpp"
#include "tests/tls/tls_pair.hpp"

namespace anel::test {
using namespace detail;
namespace {

/// Made once, and before anything is counted.
const tls_contexts& contexts() {
    static const tls_contexts made;
    return made;
}

/// A server's end that has not spoken yet, and its peer.
struct secured : scenario {
    using scenario::scenario;

    task<> connected(listen_options options = {}) {
        static_cast<void>(contexts());
        auto pair = co_await connected_to_raw("127.0.0.1:0", options);
        // A context of its own: it would keep sessions, and the next run would be another one.
        const auto trusting = tls_contexts::trusting(contexts().made.authority);
        peer.emplace(std::move(pair.peer), tls_context::client(trusting), "localhost");
        stream.emplace(std::move(pair.stream), contexts().server);
    }
    task<> peer_shakes() {
        while (!peer->is_ready()) {
            peer->shake();
            co_await next_turn();
        }
    }
    task<> both_shake() {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn([](secured& self) { return self.peer_shakes(); }, std::ref(*this));
            co_await stream->handshake();
        });
    }
    // What cannot be sent at once is sent later.
    static bool handles(opcode code, int) { return code == opcode::send_now; }

    std::optional<raw_tls_peer> peer;
    std::optional<tls_stream> stream;
};

struct tls_handshake : secured {
    using secured::secured;
    task<> set_up() { co_await connected(); }
    task<> beside() { co_await peer_shakes(); }
    task<> body() { co_await stream->handshake(); }
    static bool handles(opcode, int) { return true; }  // looked at in check()
    task<> check(const report& said) {
        if (said.error) {
            try {
                std::rethrow_exception(said.error);
            } catch (const io_error& failed) {
                const std::string_view text = failed.what();
                EXPECT_TRUE(text.starts_with("TLS handshake with 127.0.0.1:") ||
                            failed.code() == code(ENOMEM))
                    << text;
            } catch (const std::bad_alloc&) {}
            co_return;
        }
        // After a cancel it goes on where it was.
        co_await both_shake();
        co_await stream->send("hello");
        co_await stream->close();
        bool said_end = false;
        const std::string text = peer->read_to_end(said_end);
        EXPECT_EQ(text, "hello");
        EXPECT_TRUE(said_end);
    }
};
ANEL_SWEEP(tls_handshake);

/// The peer sends records in pieces that do not end where a record does. Among them it asks for new
/// keys, which has to be answered.
struct tls_receiving : secured {
    using secured::secured;

    task<> set_up() {
        co_await connected();
        co_await both_shake();
        received.reserve(text.size() + 100);
        const std::string_view all = text;
        std::size_t at = 0;
        for (const std::size_t size : {1U, 700U, 20'000U, 3U, 299U}) {
            peer->write(all.substr(at, size));
            at += size;
            if (size == 700) peer->update_keys();
        }
        peer->say_end();
        ciphertext = peer->take_output();
    }
    task<> beside() {
        const std::string_view all = ciphertext;
        for (const std::size_t size : {3U, 30U, 800U, 9'000U, 12'000U, 20U, 5U, 2'000U}) {
            for (int i = 0; i < 2; ++i) co_await next_turn();
            peer->send_raw(all.substr(std::min(written, all.size()), size));
            written += size;
        }
    }
    task<> check(const report& said) {
        const std::string_view all = ciphertext;
        peer->send_raw(all.substr(std::min(written, all.size())));
        // Without memory the engine may have come to its end.
        if (said.error && said.failed == opcode{} && said.failure == 0) {
            auto rest = co_await as_result(receive_all(*stream));
            if (rest) received += *rest;
            EXPECT_EQ(received, text.substr(0, received.size()));
            co_return;
        }
        const std::string rest = co_await receive_all(*stream);
        received += rest;
        EXPECT_EQ(received, text);
    }

    const std::string text = pattern(21'003);
    std::string ciphertext;
    std::string received;
    std::size_t written = 0;
};

struct tls_recv : tls_receiving {
    using tls_receiving::tls_receiving;
    task<> body() {
        std::array<char, 500> buffer{};
        while (auto n = co_await stream->recv(buffer)) received.append(buffer.data(), n);
    }
};
ANEL_SWEEP(tls_recv);

struct tls_recv_own_memory : tls_receiving {
    using tls_receiving::tls_receiving;
    task<> body() {
        while (auto data = co_await stream->recv()) received += data.text();
    }
};
ANEL_SWEEP(tls_recv_own_memory);

/// More than the socket takes; the peer reads a little now and then.
struct tls_send : secured {
    using secured::secured;
    task<> set_up() {
        listen_options some;
        some.send_buffer = 200'000;
        co_await connected(some);
        co_await both_shake();
    }
    task<> beside() {
        for (;;) {
            co_await next_turn();
            peer->take();
        }
    }
    task<> body() {
        const std::string_view all = text;
        co_await stream->send(all.substr(0, 400'000));
        sent = 400'000;
        co_await stream->send(all.substr(400'000));
        sent = text.size();
    }
    task<> check(const report& said) {
        co_await stream->close();
        bool said_end = false;
        const std::string arrived = peer->read_to_end(said_end);
        EXPECT_GE(arrived.size(), sent);
        EXPECT_EQ(arrived, text.substr(0, arrived.size()));
        // An end that was said: then nothing is missing of what was begun.
        if (said_end) {
            EXPECT_TRUE(arrived.size() == sent) << arrived.size() << ' ' << sent;
        }
        if (said.completed) {
            EXPECT_EQ(arrived.size(), text.size());
            EXPECT_TRUE(said_end);
        }
    }
    const std::string text = pattern(600'000);
    std::size_t sent = 0;
};
ANEL_SWEEP(tls_send);

/// What is sent although nobody has written anything.
struct tls_farewell : secured {
    using secured::secured;
    task<> set_up() {
        co_await connected();
        co_await both_shake();
    }
    task<> body() {
        co_await stream->update_keys();
        co_await stream->shutdown_send();
        said_it = true;
        co_await stream->close();
        closed = true;
    }
    static bool handles(opcode code, int) {
        return code == opcode::send_now || code == opcode::close;
    }
    task<> check(const report&) {
        EXPECT_EQ(stream->is_open(), !closed);
        // After a cancel it is said by who comes next.
        co_await stream->close();
        bool said_end = false;
        const std::string text = peer->read_to_end(said_end);
        EXPECT_EQ(text, "");
        if (said_it) {
            EXPECT_TRUE(said_end);
        }
    }
    bool said_it = false;
    bool closed = false;
};
ANEL_SWEEP(tls_farewell);

}  // namespace
}  // namespace anel::test
