// framing_test.cpp: frames, and pieces of known size: any cut, limits before memory, and the end.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class framing : public over_backends {};
ANEL_OVER_BACKENDS(framing);

std::string frame_of(std::string_view content) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes += static_cast<char>(content.size() >> shift & 0xff);
    }
    return bytes.append(content);
}

/// All frames, each followed by a bar; what ended them comes last. `From`: a stream or a reader.
template <class From>
task<> read_frames(From& from, std::size_t size_max, std::string& frames) {
    for (;;) {
        auto one = co_await as_result(read_frame(from, size_max));
        if (!one) {
            frames += one.error() == errc::unexpected_eof ? "early" : one.error().message();
            co_return;
        }
        if (!one->has_value()) break;
        frames.append(**one).append("|");
    }
    frames += "end";
}

TEST_P(framing, a_cut_at_any_place_makes_no_difference) {
    run([&]() -> task<> {
        const std::string bytes = frame_of("one") + frame_of("") + frame_of("the third");
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            for (const bool buffered : {false, true}) {
                auto pair = co_await connected_pair();
                std::string frames;
                co_await with_task_group([&](task_group& group) -> task<> {
                    const auto read = [](tcp_stream& from, bool how, std::string& all) -> task<> {
                        buffered_reader reader(from);
                        if (how) co_await read_frames(reader, 9, all);
                        else co_await read_frames(from, 9, all);
                    };
                    group.spawn(read, std::ref(pair.server), buffered, std::ref(frames));
                    co_await pair.client.send(std::string_view(bytes).substr(0, cut));
                    co_await let_others_wait();
                    co_await send_and_finish(pair.client, std::string_view(bytes).substr(cut));
                });
                EXPECT_EQ(frames, "one||the third|end") << "cut at " << cut;
            }
        }
    });
}

TEST_P(framing, what_write_frame_sends_read_frame_gets) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string big = pattern(3'000'000);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto write = [](tcp_stream& to, const std::string& large) -> task<> {
                co_await write_frame(to, "first");
                co_await write_frame(to, "");
                co_await write_frame(to, large);
                co_await to.shutdown_send();
            };
            group.spawn(write, std::ref(pair.client), std::cref(big));
            auto first = co_await read_frame(pair.server, 5);
            auto second = co_await read_frame(pair.server, 5);
            auto third = co_await read_frame(pair.server, big.size());
            auto fourth = co_await read_frame(pair.server, 5);
            EXPECT_EQ(first, "first");
            EXPECT_EQ(second, "");
            EXPECT_TRUE(third == big);
            EXPECT_FALSE(fourth.has_value());
        });
    });
}

// The length is a peer's word: 4 GiB less one must cost nothing.
TEST_P(framing, a_length_over_the_limit_is_refused_at_once) {
    run([&]() -> task<> {
        for (const bool buffered : {false, true}) {
            auto pair = co_await connected_pair();
            co_await pair.client.send("\xff\xff\xff\xff");
            buffered_reader reader(pair.server);
            std::string text;
            if (buffered) {
                text = co_await failure_of(read_frame(reader, 1000));
            } else {
                text = co_await failure_of(read_frame(pair.server, 1000));
            }
            EXPECT_EQ(text, "read_frame (4294967295 bytes, at most 1000): "
                            "the message is longer than its limit");
        }
    });
}

TEST_P(framing, an_end_inside_a_frame_is_unexpected) {
    run([&]() -> task<> {
        const std::string bytes = frame_of("abc");
        for (std::size_t size = 1; size < bytes.size(); ++size) {
            for (const bool buffered : {false, true}) {
                auto pair = co_await connected_pair();
                co_await send_and_finish(pair.client, std::string_view(bytes).substr(0, size));
                std::string frames;
                buffered_reader reader(pair.server);
                if (buffered) co_await read_frames(reader, 10, frames);
                else co_await read_frames(pair.server, 10, frames);
                EXPECT_EQ(frames, "early") << "after " << size;
            }
        }
    });
}

TEST_P(framing, a_frame_given_up_is_found_again_by_the_reader) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        buffered_reader reader(pair.server);
        const std::string bytes = frame_of("hello") + frame_of("world");
        for (const char& byte : bytes) {
            co_await pair.client.send(std::string_view(&byte, 1));
            auto given_up = co_await as_result(with_timeout(200us, read_frame(reader, 10)));
            if (!given_up) continue;
            EXPECT_TRUE(**given_up == "hello" || **given_up == "world");
        }
        co_await pair.client.shutdown_send();
        std::string rest;
        co_await read_frames(reader, 10, rest);
        EXPECT_TRUE(rest == "end" || rest == "world|end") << rest;
    });
}

TEST_P(framing, read_exact_gives_pieces_and_keeps_the_rest) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        buffered_reader reader(pair.server);
        co_await send_and_finish(pair.client, "line\n0123456789end");
        auto line = co_await reader.read_line(10);
        EXPECT_EQ(*line, "line");
        auto none = co_await reader.read_exact(0, 10);
        EXPECT_EQ(none, "");
        auto four = co_await reader.read_exact(4, 10);
        EXPECT_EQ(four, "0123");
        auto six = co_await reader.read_exact(6, 10);
        EXPECT_EQ(six, "456789");
        const std::string too_many = co_await failure_of(reader.read_exact(11, 10));
        EXPECT_EQ(too_many, "read_exact (at most 10 bytes): the message is longer than its limit");
        const std::error_code early = co_await error_of(reader.read_exact(4, 10));
        EXPECT_EQ(early, errc::unexpected_eof);
        auto last = co_await reader.read_exact(3, 10);
        EXPECT_EQ(last, "end") << "an error takes nothing";
        const std::error_code at_end = co_await error_of(reader.read_exact(1, 10));
        EXPECT_EQ(at_end, errc::unexpected_eof);
    });
}

TEST_P(framing, read_until_finds_a_delimiter_cut_at_any_place) {
    run([&]() -> task<> {
        const std::string bytes = "GET /\r\nHost: x\r\n\r\nbody\r\n\r\r\n\r\n";
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            auto pair = co_await connected_pair();
            buffered_reader reader(pair.server);
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto write = [](tcp_stream& to, std::string_view all,
                                      std::size_t place) -> task<> {
                    co_await to.send(all.substr(0, place));
                    co_await let_others_wait();
                    co_await send_and_finish(to, all.substr(place));
                };
                group.spawn(write, std::ref(pair.client), std::string_view(bytes), cut);
                auto head = co_await reader.read_until("\r\n\r\n", 14);
                EXPECT_EQ(*head, "GET /\r\nHost: x");
                auto body = co_await reader.read_until("\r\n\r\n", 100);
                EXPECT_EQ(*body, "body\r\n\r");
                auto end = co_await reader.read_until("\r\n\r\n", 100);
                EXPECT_FALSE(end.has_value());
            });
        }
    });
}

TEST_P(framing, read_until_refuses_one_byte_over_the_limit) {
    run([&]() -> task<> {
        for (const std::size_t limit : {9U, 10U}) {
            auto pair = co_await connected_pair();
            buffered_reader reader(pair.server);
            co_await pair.client.send("0123456789--");
            auto found = co_await as_result(reader.read_until("--", limit));
            if (limit == 10) {
                EXPECT_EQ(**found, "0123456789");
            } else {
                EXPECT_EQ(found.error(), errc::message_too_long);
            }
        }
        // Without a delimiter it is refused as soon as no delimiter could come in time.
        auto pair = co_await connected_pair();
        buffered_reader reader(pair.server);
        co_await pair.client.send("0123456789ab");
        const std::error_code refused = co_await error_of(reader.read_until("--", 10));
        EXPECT_EQ(refused, errc::message_too_long);
    });
}

TEST_P(framing, wait_tells_the_idle_time_from_the_request) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        buffered_reader reader(pair.server);
        auto idle = co_await as_result(with_timeout(1ms, reader.wait()));
        EXPECT_EQ(idle.error(), std::errc::timed_out);
        co_await pair.client.send("request\n");
        const bool there = co_await reader.wait();
        EXPECT_TRUE(there);
        const bool still_there = co_await reader.wait();
        EXPECT_TRUE(still_there);
        auto line = co_await reader.read_line(10);
        EXPECT_EQ(*line, "request");
        co_await pair.client.shutdown_send();
        const bool more = co_await reader.wait();
        EXPECT_FALSE(more);
    });
}

}  // namespace
}  // namespace anel::test
