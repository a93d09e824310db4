// byte_stream_conformance.hpp: what every byte_stream does, as one body for all models.
//
// A model names itself and connects two ends: see tests/conformance/byte_stream_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/streams.hpp"

#include <anel/byte_stream.hpp>
#include <anel/lingering_close.hpp>

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel::test {

/// Two ends of a stream of type `S`.
template <byte_stream S>
struct two_ends {
    using stream = S;
    S near;
    S far;
    two_ends(S one, S other) : near(std::move(one)), far(std::move(other)) {}
};

template <byte_stream S>
task<std::string> receive_to_end(S& from, std::size_t buffer_size = 65536) {
    std::string all;
    std::vector<char> buffer(buffer_size);
    while (auto n = co_await from.recv(buffer)) all.append(buffer.data(), n);
    co_return all;
}

template <byte_stream S>
task<> send_all_and_finish(S& to, std::string_view bytes) {
    co_await to.send(bytes);
    co_await to.shutdown_send();
}

/// Receives once; what failed, as text.
template <byte_stream S>
task<> receive_once(S& from, std::string& told) {
    std::array<char, 16> buffer{};
    auto received = co_await as_result(from.recv(buffer));
    told = received ? std::string(buffer.data(), *received) : received.error().message();
}

/// The bodies; `Model::connect()` is a task of two_ends.
template <class Model>
struct stream_conformance {
    static task<> all_bytes_arrive_in_order_both_ways() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        const std::string there = pattern(300'000);
        const std::string back = pattern(200'000, 7);
        std::string got_there;
        std::string got_back;
        const auto gather = [](S& from, std::string& into) -> task<> {
            into = co_await receive_to_end(from, 10'000);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_all_and_finish<S>, std::ref(pair.near), std::string_view(there));
            group.spawn(&send_all_and_finish<S>, std::ref(pair.far), std::string_view(back));
            group.spawn(gather, std::ref(pair.far), std::ref(got_there));
            group.spawn(gather, std::ref(pair.near), std::ref(got_back));
            co_return;
        });
        EXPECT_TRUE(got_there == there) << got_there.size();
        EXPECT_TRUE(got_back == back) << got_back.size();
    }

    static task<> nothing_is_sent_and_received_at_once() {
        auto pair = co_await Model::connect();
        co_await pair.near.send(std::string_view());
        const std::size_t count = co_await pair.far.recv(std::span<char>());
        EXPECT_EQ(count, 0U);
        co_await pair.near.send("x");
        std::array<char, 8> buffer{};
        const std::size_t after = co_await pair.far.recv(buffer);
        EXPECT_EQ(after, 1U);
    }

    static task<> an_end_stays_an_end_and_the_other_direction_goes_on() {
        auto pair = co_await Model::connect();
        co_await pair.near.send("last");
        co_await pair.near.shutdown_send();
        const std::string heard = co_await receive_to_end(pair.far, 3);
        EXPECT_EQ(heard, "last");
        std::array<char, 8> buffer{};
        std::size_t count = co_await pair.far.recv(buffer);
        EXPECT_EQ(count, 0U);
        co_await pair.far.send("answer");
        co_await pair.far.shutdown_send();
        const std::string answer = co_await receive_to_end(pair.near);
        EXPECT_EQ(answer, "answer");
        const auto late = co_await as_result(pair.near.send("more"));
        EXPECT_EQ(late.error(), code(EPIPE));
    }

    static task<> a_cancelled_recv_takes_nothing() {
        auto pair = co_await Model::connect();
        std::array<char, 8> buffer{};
        const auto none = co_await as_result(with_timeout(0s, pair.far.recv(buffer)));
        EXPECT_EQ(none.error(), std::errc::timed_out);
        co_await pair.near.send("abc");
        const std::size_t count = co_await pair.far.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), count), "abc");
    }

    static task<> a_full_stream_makes_its_sender_wait() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        const std::string much = pattern(16 << 20);
        bool sent = false;
        const auto send = [&](S& to) -> task<> {
            co_await send_all_and_finish(to, much);
            sent = true;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send, std::ref(pair.near));
            for (int i = 0; i < 20; ++i) co_await let_others_wait();
            EXPECT_FALSE(sent);
            const std::string all = co_await receive_to_end(pair.far);
            EXPECT_TRUE(all == much) << all.size();
        });
        EXPECT_TRUE(sent);
    }

    static task<> close_ends_what_another_task_waits_for() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        std::string told;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&receive_once<S>, std::ref(pair.near), std::ref(told));
            co_await let_others_wait();
            co_await pair.near.close();
            EXPECT_EQ(told, code(ECANCELED).message());
        });
        std::array<char, 8> buffer{};
        const auto closed = co_await as_result(pair.near.recv(buffer));
        EXPECT_EQ(closed.error(), code(EBADF));
        co_await pair.near.close();
        const std::size_t end = co_await pair.far.recv(buffer);
        EXPECT_EQ(end, 0U);
    }

    static task<> close_is_not_shortened_by_a_cancel() {
        auto pair = co_await Model::connect();
        const auto stopped = co_await as_result(with_timeout(0s, close_when_cancelled(pair.near)));
        EXPECT_EQ(stopped.error(), std::errc::timed_out);
        std::array<char, 8> buffer{};
        const std::size_t end = co_await pair.far.recv(buffer);
        EXPECT_EQ(end, 0U);
    }

    static task<> a_send_to_a_closed_peer_fails_in_the_end() {
        auto pair = co_await Model::connect();
        co_await pair.far.close();
        std::error_code error;
        const std::string much = pattern(100'000);
        for (int i = 0; i < 100 && !error; ++i) {
            const auto sent = co_await as_result(pair.near.send(much));
            error = sent.error();
            co_await let_others_wait();
        }
        EXPECT_TRUE(error == code(EPIPE) || error == code(ECONNRESET)) << error.message();
        const std::string text = co_await failure_of(pair.near.send("x"));
        const std::string beginning = "send " + pair.near.peer_text() + ": ";
        EXPECT_TRUE(text.starts_with(beginning)) << text;
    }

    static task<> it_may_be_moved_between_two_operations() {
        auto pair = co_await Model::connect();
        co_await pair.near.send("one");
        auto moved = std::move(pair.near);
        auto other = std::move(pair.far);
        co_await moved.send("two");
        co_await moved.shutdown_send();
        const std::string all = co_await receive_to_end(other);
        EXPECT_EQ(all, "onetwo");
    }

    static task<> lines_and_pieces_are_read_from_it() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        const std::string text = "GET /\r\nhost: x\n\n0123456789rest|no end";
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_all_and_finish<S>, std::ref(pair.near), std::string_view(text));
            buffered_reader reader(pair.far);
            auto line = co_await reader.read_line(100);
            EXPECT_EQ(line, "GET /");
            line = co_await reader.read_until("\n\n", 100);
            EXPECT_EQ(line, "host: x");
            const std::string_view body = co_await reader.read_exact(10, 10);
            EXPECT_EQ(body, "0123456789");
            while (reader.held().find('|') == std::string_view::npos) {
                const std::size_t more = co_await reader.fill();
                EXPECT_GT(more, 0U);
                if (more == 0) break;
            }
            EXPECT_TRUE(reader.held().starts_with("rest|"));
            reader.consume(5);
            const std::string error = co_await failure_of(reader.read_line(100));
            EXPECT_EQ(error, "read_line " + pair.far.peer_text() +
                                 ": the peer closed the connection early");
            EXPECT_EQ(reader.held(), "no end");
        });
    }

    static task<> frames_go_over_it() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        const std::vector<std::string> frames{"", "one", pattern(1020), pattern(1021),
                                              pattern(100'000)};
        const auto send = [&](S& to) -> task<> {
            for (const std::string& frame : frames) co_await write_frame(to, frame);
            for (const std::string& frame : frames) co_await write_frame(to, frame);
            co_await to.send(std::string_view("\0\0\0\7short", 9));
            co_await to.shutdown_send();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send, std::ref(pair.near));
            for (const std::string& frame : frames) {
                const auto plain = co_await read_frame(pair.far, 100'000);
                EXPECT_TRUE(plain == frame);
            }
            buffered_reader reader(pair.far);
            for (const std::string& frame : frames) {
                const auto held = co_await read_frame(reader, 100'000);
                EXPECT_TRUE(held == std::string_view(frame));
            }
            const std::error_code error = co_await error_of(read_frame(reader, 100));
            EXPECT_EQ(error, errc::unexpected_eof);
        });
    }

    static task<> a_lingering_close_lets_the_last_reply_arrive() {
        auto pair = co_await Model::connect();
        using S = decltype(pair.near);
        const auto refuse = [](S& client) -> task<> {
            co_await client.send("refused");
            co_await lingering_close(client);
        };
        co_await pair.near.send("a request that nobody reads");
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(refuse, std::ref(pair.far));
            co_await pair.near.send("and more of it");
            const std::string answer = co_await receive_to_end(pair.near);
            EXPECT_EQ(answer, "refused");
            co_await pair.near.close();
        });
    }

private:
    template <byte_stream S>
    static task<> close_when_cancelled(S& stream) {
        bool cancelled = false;
        try {
            std::array<char, 8> buffer{};
            const std::size_t count = co_await stream.recv(buffer);
            EXPECT_EQ(count, 0U);
        } catch (const task_cancelled&) {
            cancelled = true;
        }
        EXPECT_TRUE(cancelled);
        co_await stream.close();
        if (cancelled) throw task_cancelled{};
    }
};

}  // namespace anel::test
