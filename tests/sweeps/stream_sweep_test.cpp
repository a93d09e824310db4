// stream_sweep_test.cpp: receiving, sending and ending a stream, with every byte accounted for.
// SPDX-License-Identifier: MIT
#include "tests/support/files.hpp"
#include "tests/sweeps/sweep.hpp"

#include <anel/buffered_reader.hpp>

namespace anel::test {
using namespace detail;
namespace {

/// The peer writes pieces, with turns in between, and then finishes.
struct receiving : scenario {
    using scenario::scenario;

    task<> set_up() {
        pair = co_await connected_to_raw();
        received.reserve(4096);
    }
    task<> beside() {
        for (const std::size_t size : {1U, 7U, 20U, 100U, 3U}) {
            for (int i = 0; i < 3; ++i) co_await next_turn();
            pair.peer.write(all.substr(written, size));
            written += size;
        }
        co_await next_turn();
        pair.peer.shutdown_write();
    }
    /// What is still to be had when the body has ended.
    task<std::string> rest() {
        pair.peer.shutdown_write();
        std::string left = co_await receive_all(pair.stream);
        co_return left;
    }

    const std::string bytes = pattern(131);
    const std::string_view all = bytes;
    std::size_t written = 0;
    std::string received;
    raw_stream_pair pair;
};

struct recv : receiving {
    using receiving::receiving;
    task<> body() {
        std::array<char, 64> buffer{};
        while (auto n = co_await pair.stream.recv(buffer)) received.append(buffer.data(), n);
    }
    task<> check(const report&) {
        received += co_await rest();
        EXPECT_EQ(received, all.substr(0, written));
    }
};
ANEL_SWEEP(recv);

struct recv_lent : recv {
    using recv::recv;
    task<> body() {
        while (auto data = co_await pair.stream.recv()) received += data.text();
    }
};
ANEL_SWEEP(recv_lent);

struct recv_exact : receiving {
    using receiving::receiving;
    static constexpr std::size_t size = 13;
    task<> body() {
        std::array<char, size> buffer{};
        while (received.size() < 130) {
            in_flight = true;
            co_await pair.stream.recv_exact(buffer);
            in_flight = false;
            received.append(buffer.data(), size);
        }
    }
    task<> check(const report&) {
        EXPECT_EQ(received, all.substr(0, received.size()));
        const std::string left = co_await rest();
        EXPECT_EQ(left, all.substr(written - left.size(), left.size()));
        // Between what was received and what is left is what a call that did not end had taken.
        const std::size_t taken = written - left.size() - received.size();
        EXPECT_LT(taken, in_flight ? size : 1U);
    }
    bool in_flight = false;
};
ANEL_SWEEP(recv_exact);

/// More than one share is there when the call begins: it goes on by itself, a share a turn.
struct recv_exact_large : scenario {
    using scenario::scenario;
    task<> set_up() {
        listen_options large;
        large.receive_buffer = 4 << 20;
        pair = co_await connected_to_raw("127.0.0.1:0", large);
        pair.peer.set_blocking(false);
        pair.peer.write(bytes);
        pair.peer.shutdown_write();
        int arrived = 0;
        while (arrived < (2 << 20)) {
            co_await next_turn();
            EXPECT_EQ(::ioctl(pair.stream.native_handle(), FIONREAD, &arrived), 0);
        }
    }
    task<> body() { co_await pair.stream.recv_exact(received); }
    task<> check(const report& said) {
        co_await next_turn();  // where a share that was to follow would follow
        const std::string rest = co_await receive_all(pair.stream);
        const std::size_t taken = bytes.size() - rest.size();
        EXPECT_EQ(rest, bytes.substr(taken));
        if (said.completed) {
            EXPECT_TRUE(received == bytes);
        }
    }
    const std::string bytes = pattern(5 << 19);
    std::string received = std::string(5 << 19, '\0');
    raw_stream_pair pair;
};
ANEL_SWEEP(recv_exact_large);

struct read_line : receiving {
    using receiving::receiving;
    task<> set_up() {
        co_await receiving::set_up();
        reader.emplace(pair.stream);
        sent.reserve(100);
    }
    task<> beside() {
        for (const std::string_view piece : {"one\ntw", "o\r\n", "\nfour\nfi", "ve", "\n"}) {
            for (int i = 0; i < 3; ++i) co_await next_turn();
            pair.peer.write(piece);
            sent += piece;
        }
        pair.peer.shutdown_write();
    }
    task<> body() {
        while (auto line = co_await reader->read_line(100)) received.append(*line).append("\n");
    }
    // After a cancel, an error or a lack of memory the same reader goes on where it was.
    task<> check(const report&) {
        pair.peer.write("\n");
        sent += "\n";
        pair.peer.shutdown_write();
        while (auto line = co_await reader->read_line(100)) received.append(*line).append("\n");
        std::erase(sent, '\r');
        // The newline that was sent last comes too late when the body has seen the end.
        EXPECT_TRUE(received == sent || received + "\n" == sent) << received;
    }
    std::string sent;
    std::optional<buffered_reader> reader;
};
ANEL_SWEEP(read_line);

/// The body sends more than the buffers hold; the peer reads a little now and then.
struct sending : scenario {
    using scenario::scenario;

    task<> set_up() {
        listen_options some;
        some.send_buffer = 200'000;  // three segments of loopback's: no waiting for delayed ACKs
        pair = co_await connected_to_raw("127.0.0.1:0", some);
        pair.peer.set_blocking(false);
        arrived.reserve(bytes.size());
    }
    task<> beside() {
        for (;;) {
            co_await next_turn();
            arrived += pair.peer.read(300'000);
        }
    }
    /// All that the peer gets.
    task<> finish() {
        co_await pair.stream.close();
        pair.peer.set_blocking(true);
        arrived += pair.peer.read_to_end();
        EXPECT_EQ(arrived, bytes.substr(0, arrived.size()));
    }

    const std::string bytes = pattern(3'000'000);
    std::string arrived;
    raw_stream_pair pair;
};

struct send : sending {
    using sending::sending;
    task<> body() {
        const std::string_view all = bytes;
        began = true;
        co_await pair.stream.send(all.substr(0, 2'000'000));
        sent = 2'000'000;
        co_await pair.stream.send(all.substr(2'000'000));
        sent = bytes.size();
    }
    task<> check(const report& said) {
        co_await finish();
        EXPECT_GE(arrived.size(), sent);
        if (said.completed) {
            EXPECT_EQ(arrived.size(), bytes.size());
        }
        if (!began) {
            EXPECT_EQ(arrived.size(), 0U);
        }
    }
    bool began = false;
    std::size_t sent = 0;
};
ANEL_SWEEP(send);

/// The first call is zero-copy where the backend can: a cancel then also comes between the result
/// and the notice, and resets the connection.
struct send_zc : sending {
    using sending::sending;
    task<> body() {
        const std::string_view all = bytes;
        co_await pair.stream.send_zc(all.substr(0, 2'000'000));
        sent = 2'000'000;
        co_await pair.stream.send_zc(all.substr(2'000'000));
        sent = bytes.size();
    }
    task<> check(const report& said) {
        co_await finish();
        EXPECT_GE(arrived.size(), sent);
        if (said.completed) {
            EXPECT_EQ(arrived.size(), bytes.size());
        }
    }
    std::size_t sent = 0;
};
ANEL_SWEEP(send_zc);

struct send_parts : sending {
    using sending::sending;
    task<> body() {
        const std::string_view all = bytes;
        co_await pair.stream.send(all.substr(0, 5), all.substr(5, 1'999'990),
                                  all.substr(1'999'995, 5));
        sent = 2'000'000;
        co_await pair.stream.send(all.substr(2'000'000, 0), all.substr(2'000'000));
        sent = bytes.size();
    }
    task<> check(const report& said) {
        co_await finish();
        EXPECT_GE(arrived.size(), sent);
        if (said.completed) {
            EXPECT_EQ(arrived.size(), bytes.size());
        }
    }
    std::size_t sent = 0;
};
ANEL_SWEEP(send_parts);

/// More buffers than one submission takes, so that it can be cut short between two as well.
struct send_list : sending {
    using sending::sending;
    task<> body() {
        const std::string_view all = bytes;
        parts.clear();
        for (std::size_t at = 0; at < all.size(); at += 20'000) {
            parts.push_back(all.substr(at, 20'000));
        }
        co_await pair.stream.send(parts);
        sent = bytes.size();
    }
    task<> check(const report& said) {
        co_await finish();
        EXPECT_GE(arrived.size(), sent);
        if (said.completed) {
            EXPECT_EQ(arrived.size(), bytes.size());
        }
    }
    std::vector<const_buffer> parts;
    std::size_t sent = 0;
};
ANEL_SWEEP(send_list);

struct send_some : sending {
    using sending::sending;
    task<> body() {
        const std::string_view all = bytes;
        while (sent < 1'500'000) {
            const std::size_t taken = co_await pair.stream.send_some(all.substr(sent));
            sent += taken;
        }
    }
    task<> check(const report&) {
        co_await finish();
        EXPECT_EQ(arrived.size(), sent);  // a call that did not give a count has sent nothing
    }
    std::size_t sent = 0;
};
ANEL_SWEEP(send_some);

/// A file of which half is not in memory: a helper thread opens it, and reads that half.
struct send_file : sending {
    using sending::sending;
    task<> set_up() {
        co_await sending::set_up();
        file().drop_from_memory();
        file().read_until(1'500'000);
    }
    // Not a turn after the other: each turn is a point, and a disk takes many.
    task<> beside() {
        for (;;) {
            co_await sleep_for(200us);
            arrived += pair.peer.read(300'000);
        }
    }
    task<> body() {
        co_await pair.stream.send_file(file().path(), 0, 2'000'000);
        sent = 2'000'000;
        const readable_file opened = co_await readable_file::open(file().path());
        co_await pair.stream.send_file(std::string_view(bytes).substr(2'000'000, 100), opened,
                                       2'000'100);
        sent = bytes.size();
    }
    task<> check(const report& said) {
        co_await finish();
        EXPECT_GE(arrived.size(), sent);
        if (said.completed) {
            EXPECT_EQ(arrived.size(), bytes.size());
        }
    }
    /// The same in every run.
    static const temporary_file& file() {
        static const temporary_file made(3'000'000);
        return made;
    }
    std::size_t sent = 0;
};
ANEL_SWEEP(send_file);

struct shutdown_send : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> body() {
        co_await pair.stream.shutdown_send();
        ended = true;
    }
    task<> check(const report&) {
        EXPECT_EQ(pair.peer.readable(0), ended);
        pair.peer.write("still open");
        const std::string text = co_await receive(pair.stream, 10);
        EXPECT_EQ(text, "still open");
    }
    bool ended = false;
    raw_stream_pair pair;
};
ANEL_SWEEP(shutdown_send);

/// Says the end, and drops what the peer still sends.
struct lingering : scenario {
    using scenario::scenario;
    task<> set_up() {
        pair = co_await connected_to_raw();
        pair.peer.write("nobody wants this");
    }
    task<> beside() {
        while (!pair.peer.readable(0)) co_await next_turn();
        pair.peer.shutdown_write();
    }
    task<> body() { co_await pair.stream.lingering_close(1h); }
    static bool handles(opcode, int) { return true; }  // what the peer does is its own affair
    task<> check(const report& said) {
        if (said.completed) {
            EXPECT_FALSE(pair.stream.is_open());
        }
        co_return;
    }
    raw_stream_pair pair;
};
ANEL_SWEEP(lingering);

/// One task receives, one sends, and a third closes: a cancel does not shorten that.
struct close : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> body() {
        const auto receives = [&]() -> task<> {
            std::array<char, 16> buffer{};
            auto n = co_await as_result(pair.stream.recv(buffer));
            if (!n) told.push_back(n.error());
        };
        const auto sends = [&]() -> task<> {
            auto done = co_await as_result(pair.stream.send(large));
            if (!done) told.push_back(done.error());
        };
        told.reserve(2);
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(receives);
            group.spawn(sends);
            co_await let_others_wait();
            point();
            closing = true;
            co_await pair.stream.close();
            closed = true;
        });
    }
    static bool handles(opcode code, int) { return code != opcode::call; }
    task<> check(const report& said) {
        EXPECT_EQ(closing, closed) << "close() was cut short";
        EXPECT_NE(pair.stream.is_open(), closed);
        if (said.completed && said.failed != opcode::recv && said.failed != opcode::send) {
            EXPECT_EQ(told.size(), 2U);
            for (const std::error_code& error : told) {
                EXPECT_TRUE(error == code(ECANCELED) || (said.struck && error == code(ENOMEM)));
            }
        }
        co_return;
    }
    const std::string large = std::string(16 << 20, 'x');
    std::vector<std::error_code> told;
    bool closing = false;
    bool closed = false;
    raw_stream_pair pair;
};
ANEL_SWEEP(close);

}  // namespace
}  // namespace anel::test
