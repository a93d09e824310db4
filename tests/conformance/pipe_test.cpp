// pipe_test.cpp: pipes of the system as streams of bytes.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/any_stream.hpp>
#include <anel/buffered_reader.hpp>
#include <anel/pipe.hpp>

#include <csignal>

namespace anel::test {
namespace {

class pipes : public over_backends {};
ANEL_OVER_KERNELS(pipes);

static_assert(byte_stream<pipe_stream>);

TEST_P(pipes, carry_more_than_they_hold_and_the_end) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        EXPECT_FALSE(from.is_writing_end());
        EXPECT_TRUE(to.is_writing_end());
        const std::string bytes = pattern(3 << 20);
        std::string all;
        const auto feed = [&]() -> task<> {
            co_await to.send(bytes);
            co_await to.shutdown_send();
        };
        const auto take = [&]() -> task<> {
            std::vector<char> buffer(100'000);
            while (auto n = co_await from.recv(buffer)) all.append(buffer.data(), n);
        };
        co_await when_all(feed(), take());
        EXPECT_TRUE(all == bytes);
    });
}

TEST_P(pipes, that_nobody_reads_break_without_a_signal) {
    EXPECT_EQ(std::signal(SIGPIPE, SIG_DFL), SIG_DFL);
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        from.close_now();
        try {
            co_await to.send("x");
            ADD_FAILURE();
        } catch (const io_error& error) {
            EXPECT_STREQ(error.what(), "write pipe: Broken pipe (EPIPE)");
        }
        sigset_t waiting;
        EXPECT_EQ(::sigpending(&waiting), 0);
        EXPECT_EQ(sigismember(&waiting, SIGPIPE), 0) << "no signal is left for later";
    });
}

TEST_P(pipes, break_while_a_task_waits_for_room) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        const std::string bytes(1 << 20, 'x');
        const auto feed = [&]() -> task<> {
            auto sent = co_await as_result(to.send(bytes));
            EXPECT_EQ(sent.error(), code(EPIPE));
        };
        const auto leave = [&]() -> task<> {
            co_await let_others_wait();
            co_await from.close();
        };
        co_await when_all(feed(), leave());
    });
}

TEST_P(pipes, refuse_the_wrong_direction_and_closed_ends) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        std::array<char, 4> buffer{};
        auto received = co_await as_result(to.recv(buffer));
        EXPECT_EQ(received.error(), code(EBADF));
        auto sent = co_await as_result(from.send("x"));
        EXPECT_EQ(sent.error(), code(EBADF));
        auto ended = co_await as_result(from.shutdown_send());
        EXPECT_EQ(ended.error(), code(EBADF));
        auto nothing = co_await from.recv(std::span(buffer).first(0));
        EXPECT_EQ(nothing, 0U);
        co_await from.close();
        EXPECT_FALSE(from.is_open());
        auto closed = co_await as_result(from.recv(buffer));
        EXPECT_EQ(closed.error(), code(EBADF));
    });
}

TEST_P(pipes, a_close_ends_the_waits_of_others) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        const auto wait = [&]() -> task<> {
            std::array<char, 4> buffer{};
            auto received = co_await as_result(from.recv(buffer));
            EXPECT_EQ(received.error(), code(ECANCELED));
        };
        const auto leave = [&]() -> task<> {
            co_await let_others_wait();
            auto busy = co_await as_result(to.shutdown_send());
            EXPECT_FALSE(busy.error());
            co_await from.close();
        };
        // With the end of the input there, either may come first.
        const auto close_alone = [&]() -> task<> {
            co_await let_others_wait();
            co_await from.close();
        };
        co_await when_all(wait(), close_alone());
        co_await leave();
    });
}

TEST_P(pipes, are_read_through_a_reader_and_held_by_an_any_stream) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        any_stream held(std::move(from));
        EXPECT_EQ(held.peer_text(), "pipe");
        co_await to.send("one\ntw");
        buffered_reader reader(held);
        auto first = co_await reader.read_line(100);
        EXPECT_EQ(*first, "one");
        const auto rest = [&]() -> task<> {
            co_await let_others_wait();
            co_await to.send("o\n");
            co_await to.close();
        };
        const auto read = [&]() -> task<> {
            auto second = co_await reader.read_line(100);
            EXPECT_EQ(*second, "two");
            auto end = co_await reader.read_line(100);
            EXPECT_FALSE(end);
        };
        co_await when_all(read(), rest());
    });
}

TEST_P(pipes, may_outlive_their_run_and_are_close_on_exec) {
    std::pair<pipe_stream, pipe_stream> ends;
    run([&]() -> task<> { ends = co_await pipe(); });
    const int fd = ends.first.native_handle();
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    run([&]() -> task<> {
        std::array<char, 4> buffer{};
        auto late = co_await as_result(ends.first.recv(buffer));
        EXPECT_EQ(late.error(), errc::run_has_ended);
    });
    ends = {};
    EXPECT_FALSE(is_descriptor(fd));
}

}  // namespace
}  // namespace anel::test
