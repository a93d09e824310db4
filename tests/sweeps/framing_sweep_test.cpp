// framing_sweep_test.cpp: frames, pieces and delimiters through a reader: what came stays there.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/framing.hpp>
#include <anel/generator.hpp>

namespace anel::test {
using namespace detail;
namespace {

/// The peer writes `all` in pieces; the body reads it through a reader, as a list of parts.
struct through_reader : scenario {
    explicit through_reader(probe& control, std::string_view bytes)
        : scenario(control), all(bytes) {}

    task<> set_up() {
        pair = co_await connected_to_raw();
        reader.emplace(pair.stream);
        received.reserve(200);
    }
    task<> beside() {
        for (const std::size_t size : {2U, 3U, 11U, 1U, 100U}) {
            for (int i = 0; i < 3; ++i) co_await next_turn();
            pair.peer.write(all.substr(written, size));
            written = std::min(written + size, all.size());
        }
    }
    // Whatever went wrong, the same reader goes on where it was.
    task<> write_rest() {
        pair.peer.write(all.substr(written));
        pair.peer.shutdown_write();
        co_return;
    }

    const std::string_view all;
    std::size_t written = 0;
    std::string received;
    raw_stream_pair pair;
    std::optional<buffered_reader> reader;
};

struct frames_through_reader : through_reader {
    explicit frames_through_reader(probe& control)
        : through_reader(control, std::string_view("\0\0\0\3one\0\0\0\0\0\0\0\5three", 20)) {}
    task<> read_three() {
        while (count < 3) {
            auto frame = co_await read_frame(*reader, 5);
            received.append(frame.value()).append("|");
            count += 1;
        }
    }
    task<> body() { co_await read_three(); }
    task<> check(const report&) {
        co_await write_rest();
        co_await read_three();
        EXPECT_EQ(received, "one||three|");
        auto end = co_await read_frame(*reader, 5);
        EXPECT_FALSE(end.has_value());
    }
    int count = 0;
};
ANEL_SWEEP(frames_through_reader);

struct pieces_through_reader : through_reader {
    explicit pieces_through_reader(probe& control)
        : through_reader(control, "head: 4\r\n\r\nbodynext: 0\r\n\r\n") {}
    task<> read_all() {
        while (step < 3) {
            if (step == 1) {
                const std::string_view body = co_await reader->read_exact(4, 10);
                received.append(body).append("|");
            } else {
                auto head = co_await reader->read_until("\r\n\r\n", 20);
                received.append(head.value()).append("|");
            }
            step += 1;
            if (step == 1) co_await reader->wait();
        }
    }
    task<> body() { co_await read_all(); }
    task<> check(const report&) {
        co_await write_rest();
        co_await read_all();
        EXPECT_EQ(received, "head: 4|body|next: 0|");
        const bool more = co_await reader->wait();
        EXPECT_FALSE(more);
    }
    int step = 0;
};
ANEL_SWEEP(pieces_through_reader);

/// A parser of one's own on a reader.
struct filling : through_reader {
    explicit filling(probe& control) : through_reader(control, "1:a,3:bcd,10:0123456789,") {}
    bool take_one() {
        const std::string_view held = reader->held();
        const std::size_t colon = held.find(':');
        if (colon == std::string_view::npos) return false;
        const auto size = static_cast<std::size_t>(std::stoi(std::string(held.substr(0, colon))));
        if (held.size() < colon + size + 2) return false;
        received.append(held.substr(colon + 1, size)).append("|");
        reader->consume(colon + size + 2);
        return true;
    }
    task<> read_three() {
        while (count < 3) {
            if (take_one()) count += 1;
            else std::ignore = co_await reader->fill();
        }
    }
    task<> body() { co_await read_three(); }
    task<> check(const report&) {
        co_await write_rest();
        co_await read_three();
        EXPECT_EQ(received, "a|bcd|0123456789|");
        const std::size_t end = co_await reader->fill();
        EXPECT_EQ(end, 0U);
    }
    int count = 0;
};
ANEL_SWEEP(filling);

/// Without a reader the place in the stream may be lost; nothing else is.
struct frames_of_stream : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_pair(); }
    task<> body() {
        for (const std::string_view text : {"one", "", "three"}) {
            co_await write_frame(pair.client, text);
            auto frame = co_await read_frame(pair.server, 5);
            received.append(*frame).append("|");
        }
    }
    task<> check(const report& said) {
        EXPECT_TRUE(std::string_view("one||three|").starts_with(received)) << received;
        if (said.completed) {
            EXPECT_EQ(received, "one||three|");
        }
        co_return;
    }
    stream_pair pair;
    std::string received;
};
ANEL_SWEEP(frames_of_stream);

/// A generator over a stream: a cancel inside ends it, one between two values does not.
struct generating : through_reader {
    explicit generating(probe& control) : through_reader(control, "a\nbc\nd\ne\n") {}
    static async_generator<std::string> lines(buffered_reader& from, int& living) {
        struct guard {
            int& count;
            ~guard() { count -= 1; }
        } alive{living};
        living += 1;
        while (auto line = co_await from.read_line(10)) {
            std::string text(*line);
            co_yield std::move(text);
        }
    }
    task<> body() {
        auto source = lines(*reader, living);
        for (int i = 0; i < 4; ++i) {
            auto line = co_await source.next();
            received.append(line.value()).append("|");
            point();
        }
    }
    task<> check(const report&) {
        EXPECT_EQ(living, 0) << "the generator went with the body";
        co_await write_rest();
        while (auto line = co_await reader->read_line(10)) received.append(*line).append("|");
        EXPECT_EQ(received, "a|bc|d|e|");
    }
    int living = 0;
};
ANEL_SWEEP(generating);

}  // namespace
}  // namespace anel::test
