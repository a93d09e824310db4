// buffered_reader_test.cpp: lines come out whole however they were cut, and never beyond the limit.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class reading_lines : public over_backends {};
ANEL_OVER_BACKENDS(reading_lines);

/// All lines, each followed by a bar; what ended them comes last.
task<> read_lines(tcp_stream& from, std::size_t size_max, std::string& lines) {
    buffered_reader reader(from);
    for (;;) {
        auto line = co_await as_result(reader.read_line(size_max));
        if (!line) {
            lines += line.error() == errc::unexpected_eof ? "early" : line.error().message();
            break;
        }
        const std::optional<std::string_view>& text = *line;
        if (!text) {
            lines += "end";
            break;
        }
        lines.append(*text).append("|");
    }
}

TEST_P(reading_lines, a_cut_at_any_place_makes_no_difference) {
    run([&]() -> task<> {
        const std::string text = "one\r\ntwo\n\n\r\na longer line, \r with a return\r\n.\n";
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            auto pair = co_await connected_to_raw();
            std::string lines;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(&read_lines, std::ref(pair.stream), 100UL, std::ref(lines));
                pair.peer.write(std::string_view(text).substr(0, cut));
                co_await until_drained(pair.stream);
                pair.peer.write(std::string_view(text).substr(cut));
                co_await until_drained(pair.stream);
                pair.peer.close();
            });
            EXPECT_EQ(lines, "one|two|||a longer line, \r with a return|.|end") << "cut at " << cut;
        }
    });
}

TEST_P(reading_lines, single_bytes_make_lines_too) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const std::string text = "ab\r\n\ncdef\n";
        std::string lines;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&read_lines, std::ref(pair.stream), 4UL, std::ref(lines));
            for (const char& byte : text) {
                pair.peer.write(std::string_view(&byte, 1));
                co_await until_drained(pair.stream);
            }
            pair.peer.close();
        });
        EXPECT_EQ(lines, "ab||cdef|end");
    });
}

TEST_P(reading_lines, the_limit_is_exact) {
    run([&]() -> task<> {
        for (const std::size_t limit :
             {0UL, 1UL, 2UL, 10UL, 4093UL, 4094UL, 4095UL, 4096UL, 4097UL, 8192UL, 70'000UL}) {
            for (const std::string_view end : {"\n", "\r\n"}) {
                for (const std::size_t over : {0UL, 1UL, 2UL}) {
                    auto pair = co_await connected_pair();
                    const std::string text = std::string(limit + over, 'x') + std::string(end);
                    std::string lines;
                    co_await with_task_group([&](task_group& group) -> task<> {
                        group.spawn(&send_and_finish, std::ref(pair.client),
                                    std::string_view(text));
                        co_await read_lines(pair.server, limit, lines);
                        const std::string rest = co_await receive_all(pair.server);
                        static_cast<void>(rest);
                    });
                    const std::string wanted = over > 0 ? "the message is longer than its limit"
                                                        : std::string(limit, 'x') + "|end";
                    EXPECT_TRUE(lines == wanted) << limit << " + " << over << ": " << lines.size();
                }
            }
        }
    });
}

TEST_P(reading_lines, a_line_without_end_is_refused_while_the_peer_still_sends) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string endless(4 << 20, 'x');
        const auto send = [&](tcp_stream& to) -> task<> {
            std::ignore = co_await as_result(to.send(endless));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send, std::ref(pair.client));
            buffered_reader reader(pair.server);
            const std::string text = co_await failure_of(reader.read_line(1000));
            EXPECT_EQ(text, "read_line (at most 1000 bytes): the message is longer than its limit");
            const std::string again = co_await failure_of(reader.read_line(1000));
            EXPECT_EQ(again, text) << "what is too long stays too long";
            EXPECT_LE(reader.buffered(), 8192U);
            co_await pair.server.close();
        });
    });
}

TEST_P(reading_lines, an_end_inside_a_line_is_unexpected) {
    run([&]() -> task<> {
        for (const std::string_view text : {"a", "a\nb", "\r", "a\r\nb\r"}) {
            auto pair = co_await connected_to_raw();
            pair.peer.write(text);
            pair.peer.close();
            std::string lines;
            co_await read_lines(pair.stream, 100, lines);
            EXPECT_TRUE(lines.ends_with("early")) << lines;
            auto other = co_await connected_to_raw();
            other.peer.write("part");
            other.peer.close();
            buffered_reader reader(other.stream);
            const std::string error = co_await failure_of(reader.read_line(100));
            EXPECT_EQ(error, "read_line " + other.stream.peer_endpoint().to_string() +
                                 ": the peer closed the connection early");
        }
        auto pair = co_await connected_to_raw();
        pair.peer.close();
        buffered_reader reader(pair.stream);
        for (int i = 0; i < 3; ++i) {
            auto line = co_await reader.read_line(10);
            EXPECT_FALSE(line) << "the end stays the end";
        }
    });
}

TEST_P(reading_lines, pipelined_lines_come_one_by_one) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::string text;
        for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i) + "\n";
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_finish, std::ref(pair.client), std::string_view(text));
            buffered_reader reader(pair.server);
            for (int i = 0; i < 5000; ++i) {
                auto line = co_await reader.read_line(20);
                EXPECT_TRUE(line);
                if (!line) break;
                EXPECT_EQ(*line, "line " + std::to_string(i));
            }
            auto end = co_await reader.read_line(20);
            EXPECT_FALSE(end);
            EXPECT_EQ(reader.buffered(), 0U);
        });
    });
}

TEST_P(reading_lines, line_ready_says_whether_a_line_is_there) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        pair.peer.write("one\ntwo\nthr");
        buffered_reader reader(pair.stream);
        EXPECT_FALSE(reader.line_ready()) << "nothing was received yet";
        auto line = co_await reader.read_line(10);
        EXPECT_EQ(*line, "one");
        EXPECT_TRUE(reader.line_ready());
        EXPECT_EQ(reader.buffered(), 7U);
        line = co_await reader.read_line(10);
        EXPECT_EQ(*line, "two");
        EXPECT_FALSE(reader.line_ready());
        EXPECT_EQ(reader.buffered(), 3U);
        pair.peer.write("ee\n");
        line = co_await reader.read_line(10);
        EXPECT_EQ(*line, "three");
    });
}

TEST_P(reading_lines, limits_may_change_from_call_to_call) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string text = std::string(9000, 'a') + "\n" + std::string(100, 'b') + "\n" +
                                 std::string(20'000, 'c') + "\nd\n";
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_finish, std::ref(pair.client), std::string_view(text));
            buffered_reader reader(pair.server);
            auto line = co_await reader.read_line(9000);
            EXPECT_EQ(line->size(), 9000U);
            line = co_await reader.read_line(100);
            EXPECT_EQ(line->size(), 100U);
            line = co_await reader.read_line(20'000);
            EXPECT_EQ(line->size(), 20'000U);
            line = co_await reader.read_line(1);
            EXPECT_EQ(*line, "d");
        });
    });
}

TEST_P(reading_lines, a_line_that_was_given_up_is_read_later) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        buffered_reader reader(pair.stream);
        pair.peer.write("first half, ");
        auto nothing = co_await as_result(with_timeout(2ms, reader.read_line(100)));
        EXPECT_EQ(nothing.error(), std::errc::timed_out);
        EXPECT_EQ(reader.buffered(), 12U);
        pair.peer.write("second half\n");
        auto line = co_await reader.read_line(100);
        EXPECT_EQ(*line, "first half, second half");
    });
}

TEST_P(reading_lines, a_reset_is_an_error_and_no_end) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        pair.peer.reset();
        buffered_reader reader(pair.stream);
        const std::error_code error = co_await error_of(reader.read_line(100));
        EXPECT_EQ(error, code(ECONNRESET));
    });
}

}  // namespace
}  // namespace anel::test
