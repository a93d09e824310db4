// any_stream_sweep_test.cpp: streams in memory and streams of any type, with every byte accounted
// for.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/any_stream.hpp>
#include <anel/lingering_close.hpp>
#include <anel/memory_stream.hpp>

namespace anel::test {
using namespace detail;
namespace {

/// Both ends of a stream in memory belong to the body: one task sends, the other receives. Each
/// tells how far it came.
struct memory_exchange : scenario {
    explicit memory_exchange(probe& control) : scenario(control) {
        auto [one, other] = memory_stream_pair(7);
        near = std::move(one);
        far = std::move(other);
        received.reserve(1000);
    }
    task<> send_all() {
        while (sent < bytes.size()) {
            const std::string_view piece = std::string_view(bytes).substr(sent, 50);
            asked = sent + piece.size();
            co_await near.send(piece);
            sent = asked;
            point();
        }
        co_await near.shutdown_send();
        finished = true;
    }
    task<> receive_all() {
        std::array<char, 20> buffer{};
        while (auto n = co_await far.recv(buffer)) {
            received.append(buffer.data(), n);
            point();
        }
    }
    task<> body() {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn([](memory_exchange& all) { return all.send_all(); }, std::ref(*this));
            co_await receive_all();
        });
    }
    task<> check(const report& said) {
        if (!finished) co_await near.shutdown_send();
        co_await receive_all();
        EXPECT_TRUE(std::string_view(bytes).starts_with(received));
        EXPECT_GE(received.size(), sent) << "what was sent arrives";
        EXPECT_LE(received.size(), asked) << "and nothing else";
        if (said.completed) {
            EXPECT_EQ(received.size(), bytes.size());
        }
        co_await near.close();
        co_await far.close();
    }
    const std::string bytes = pattern(200);
    memory_stream near;
    memory_stream far;
    std::string received;
    std::size_t sent = 0;   // by sends that ended
    std::size_t asked = 0;  // with the one that may have been cut short
    bool finished = false;
};
ANEL_SWEEP(memory_exchange);

/// An echo over a stream of any type, whose peer is a raw socket.
struct any_exchange : scenario {
    using scenario::scenario;
    task<> set_up() {
        auto pair = co_await connected_to_raw();
        peer = std::move(pair.peer);
        stream = any_stream(std::move(pair.stream));
        echoed.reserve(1000);
    }
    task<> beside() {
        for (const std::size_t size : {1U, 7U, 20U, 100U, 3U}) {
            for (int i = 0; i < 3; ++i) co_await next_turn();
            peer.write(all.substr(written, size));
            written += size;
        }
        co_await next_turn();
        peer.shutdown_write();
    }
    task<> body() {
        std::array<char, 64> buffer{};
        while (auto n = co_await stream.recv(buffer)) {
            received += n;
            co_await stream.send(std::span(buffer).first(n));
            echoed.append(buffer.data(), n);
        }
        co_await stream.shutdown_send();
    }
    task<> check(const report&) {
        peer.shutdown_write();
        std::array<char, 64> buffer{};
        std::string rest;
        while (auto n = co_await stream.recv(buffer)) rest.append(buffer.data(), n);
        EXPECT_EQ(rest, all.substr(received, written - received)) << "a recv took what it gave";
        co_await stream.close();
        const std::string heard = peer.read(1000);
        EXPECT_TRUE(heard.starts_with(echoed)) << "a send that ended has sent";
        EXPECT_TRUE(all.substr(0, received).starts_with(heard));
    }
    const std::string bytes = pattern(131);
    const std::string_view all = bytes;
    std::size_t written = 0;
    std::size_t received = 0;
    std::string echoed;
    raw_socket peer;
    any_stream stream;
};
ANEL_SWEEP(any_exchange);

/// The end of a conversation on a stream of any type.
struct any_ending : scenario {
    using scenario::scenario;
    task<> set_up() {
        auto pair = co_await connected_to_raw();
        peer = std::move(pair.peer);
        stream = any_stream(std::move(pair.stream));
    }
    task<> beside() {
        for (int i = 0; i < 4; ++i) {
            co_await next_turn();
            peer.write("unwanted");
        }
        co_await next_turn();
        peer.shutdown_write();
    }
    task<> body() { co_await lingering_close(stream); }
    task<> check(const report& said) {
        if (said.completed) {
            std::array<char, 8> buffer{};
            const std::error_code error = co_await error_of(stream.recv(buffer));
            EXPECT_EQ(error, code(EBADF));
        }
        co_await stream.close();
    }
    // What the peer does meanwhile is its own affair, and a close cannot be told of its failure.
    static bool handles(opcode, int) { return true; }
    raw_socket peer;
    any_stream stream;
};
ANEL_SWEEP(any_ending);

}  // namespace
}  // namespace anel::test
