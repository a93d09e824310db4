// stream_test.cpp: what streams, listeners and readers promise at their edges, on every backend.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

namespace anel {
using namespace detail;
namespace {

using namespace std::chrono_literals;

class stream : public ::testing::TestWithParam<backend_kind> {
protected:
    template <class T>
    auto go(task<T> work) {
        return run(std::move(work), {.backend = {.kind = GetParam()}, .signals = false});
    }
    static endpoint temporary_path() {
        return "unix:/tmp/anel_stream_test_" + std::to_string(::getpid()) + ".sock";
    }
};
INSTANTIATE_TEST_SUITE_P(backends, stream, ::testing::ValuesIn(test::kernels_here()),
                         test::name_of_parameter);

/// A stream of a listener, and the one that connected to it.
struct ends {
    tcp_stream client;
    tcp_stream server;
    ends() = default;
};

task<ends> make_pair(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    ends pair;
    pair.client = co_await connect(listener.local_endpoint());
    pair.server = co_await listener.accept();
    co_return pair;
}

/// Computes for a while, awaiting nothing: the loop stands still.
task<> compute_until(time_point end) {
    for (;;) {
        frame& self = co_await detail::this_frame();
        if (self.scope->owner().now() >= end) break;
    }
}

TEST_P(stream, bytes_that_arrived_in_time_win_over_a_timeout_that_is_noticed_late) {
    const auto body = []() -> task<> {
        auto pair = co_await make_pair("127.0.0.1:0");
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto receiver = [](tcp_stream& conn) -> task<> {
                std::array<char, 8> buffer;
                auto got = co_await as_result(with_timeout(1s, conn.recv(buffer)));
                EXPECT_TRUE(got) << got.error().message();
            };
            group.spawn(receiver, std::ref(pair.server));
            co_await sleep_for(5ms);
            co_await pair.client.send("in time");
            const auto now = co_await current_time();
            co_await compute_until(now + 1100ms);  // the bytes and the deadline are in the past
        });
    };
    go(body());
}

TEST_P(stream, two_tasks_may_close_it) {
    const auto body = []() -> task<> {
        auto pair = co_await make_pair("127.0.0.1:0");
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto reader = [](tcp_stream& conn) -> task<> {
                std::array<char, 8> buffer;
                auto got = co_await as_result(conn.recv(buffer));
                EXPECT_EQ(got.error(), std::errc::operation_canceled);
            };
            const auto closer = [](tcp_stream& conn) -> task<> { co_await conn.close(); };
            group.spawn(reader, std::ref(pair.server));
            co_await yield();
            group.spawn(closer, std::ref(pair.server));
            group.spawn(closer, std::ref(pair.server));
            co_return;
        });
        EXPECT_FALSE(pair.server.is_open());
    };
    go(body());
}

TEST_P(stream, ready_waits_do_not_keep_timers_from_firing) {
    const auto body = []() -> task<> {
        event always;
        always.set();
        const auto spin = [](event& on) -> task<> {
            for (;;) co_await on.wait();
        };
        auto stopped = co_await as_result(with_timeout(5ms, spin(always)));
        EXPECT_EQ(stopped.error(), std::errc::timed_out);
    };
    go(body());
}

// Not in a coroutine: g++ 12 forgets the alignment of an array in a frame.
void send_with_descriptor(int fd, std::string text) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec bytes{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int passed = STDERR_FILENO;
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    EXPECT_EQ(::sendmsg(fd, &message, 0), static_cast<ssize_t>(text.size()));
}

// A unix stream stops a read at descriptors that were passed along: less than was asked for, and
// there is more.
TEST_P(stream, unix_stream_with_descriptors_passed_along_loses_no_byte) {
    const auto body = [](endpoint path) -> task<> {
        auto pair = co_await make_pair(path);
        std::array<char, 64> buffer;
        co_await pair.client.send("AA");
        std::size_t first = co_await pair.server.recv(buffer);
        EXPECT_EQ(first, 2U);
        std::size_t total = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto reader = [](tcp_stream& conn, std::size_t& sum) -> task<> {
                std::array<char, 64> into;
                while (sum < 8) {
                    const std::size_t got = co_await conn.recv(into);
                    sum += got;
                }
            };
            group.spawn(reader, std::ref(pair.server), std::ref(total));
            co_await sleep_for(2ms);
            send_with_descriptor(pair.client.native_handle(), "BBBB");
            EXPECT_EQ(::send(pair.client.native_handle(), "CCCC", 4, 0), 4);
            co_return;
        });
        EXPECT_EQ(total, 8U);
    };
    go(body(temporary_path()));
}

TEST_P(stream, line_without_a_practical_limit_is_read_whole) {
    const auto body = []() -> task<> {
        auto pair = co_await make_pair("127.0.0.1:0");
        const std::string text(100'000, 'x');
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto sender = [](tcp_stream& conn, const std::string& line) -> task<> {
                co_await conn.send(line, "\n");
            };
            group.spawn(sender, std::ref(pair.client), std::cref(text));
            buffered_reader reader(pair.server);
            auto line = co_await reader.read_line(SIZE_MAX);
            EXPECT_EQ(line, text);
        });
    };
    go(body());
}

// --- unix listeners and their files -------------------------------------------------------------

bool exists(const endpoint& path) {
    struct stat status{};
    return ::lstat(std::string(path.path()).c_str(), &status) == 0;
}

TEST_P(stream, unix_listener_removes_its_file_and_only_its_own) {
    const auto body = [](endpoint path) -> task<> {
        auto first = co_await tcp_listener::bind(path);
        EXPECT_TRUE(exists(path));
        ::unlink(std::string(path.path()).c_str());
        auto second = co_await tcp_listener::bind(path);
        first.stop();
        EXPECT_TRUE(exists(path)) << "the first listener removed the second one's file";
        auto moved = std::move(second);
        EXPECT_TRUE(exists(path));
        co_await moved.close();
        EXPECT_FALSE(exists(path));
    };
    go(body(temporary_path()));
}

TEST_P(stream, unix_listener_takes_over_from_one_that_died_but_not_from_one_that_lives) {
    const auto body = [](endpoint path) -> task<> {
        {
            // What a killed server leaves behind: a file that nobody listens on.
            auto left_behind = co_await tcp_listener::bind(path);
            const std::string name(path.path());
            const std::string kept = name + ".kept";
            EXPECT_EQ(::link(name.c_str(), kept.c_str()), 0);
            left_behind.stop();
            EXPECT_EQ(::rename(kept.c_str(), name.c_str()), 0);
        }
        EXPECT_TRUE(exists(path));
        auto living = co_await tcp_listener::bind(path);
        std::string text;
        try {
            auto another = co_await tcp_listener::bind(path);
        } catch (const io_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "bind " + path.to_string() + ": Address already in use (EADDRINUSE)");
        EXPECT_TRUE(exists(path));
    };
    go(body(temporary_path()));
}

TEST_P(stream, unix_listener_leaves_a_file_that_is_no_socket_alone) {
    const auto body = [](endpoint path) -> task<> {
        { std::ofstream(std::string(path.path())) << "precious"; }
        bool refused = false;
        try {
            auto listener = co_await tcp_listener::bind(path);
        } catch (const io_error& error) {
            refused = error.code() == std::errc::address_in_use;
        }
        EXPECT_TRUE(refused);
        EXPECT_TRUE(exists(path));
        ::unlink(std::string(path.path()).c_str());
    };
    go(body(temporary_path()));
}

// --- serve --------------------------------------------------------------------------------------

TEST_P(stream, session_that_was_accepted_but_not_begun_does_not_delay_the_drain) {
    const auto body = []() -> task<> {
        for (int round = 0; round < 20; ++round) {
            auto listener = co_await tcp_listener::bind("127.0.0.1:0");
            const endpoint address = listener.local_endpoint();
            const time_point before = co_await current_time();
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto session = [](tcp_stream conn) -> task<> {
                    std::array<char, 8> buffer;
                    while (auto n = co_await conn.recv(buffer)) static_cast<void>(n);
                };
                const auto server = [](tcp_listener from, auto run_one) -> task<> {
                    const serve_options options{.drain_time = 5s};
                    co_await serve(std::move(from), run_one, options);
                };
                group.spawn(server, std::move(listener), session);
                auto conn = co_await connect(address);
                if (round % 2) co_await yield();
                group.cancel();
                co_await shielded(yield());
            });
            const time_point end = co_await current_time();
            EXPECT_LT(end - before, 4s);
        }
    };
    go(body());
}

TEST_P(stream, session_that_throws_anything_leaves_the_others_alone) {
    static int failures;
    failures = 0;
    const auto body = []() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto session = [](tcp_stream conn) -> task<> {
                std::array<char, 8> buffer;
                while (auto n = co_await conn.recv(buffer)) {
                    if (buffer[0] == 't') throw 42;
                    co_await conn.send(std::span(buffer).first(n));
                }
            };
            const auto server = [](tcp_listener from, auto run_one) -> task<> {
                serve_options options;
                options.session_failed = [](const endpoint&, std::exception_ptr) { ++failures; };
                co_await serve(std::move(from), run_one, options);
            };
            group.spawn(server, std::move(listener), session);
            auto good = co_await connect(address);
            for (int i = 0; i < 10; ++i) {
                auto bad = co_await connect(address);
                co_await bad.send("throw");
                std::array<char, 8> end;
                auto closed = co_await as_result(bad.recv(end));
                EXPECT_TRUE(!closed || *closed == 0);
            }
            co_await good.send("hello");
            std::array<char, 5> echo;
            co_await good.recv_exact(echo);
            EXPECT_EQ(std::string_view(echo.data(), 5), "hello");
            group.cancel();
        });
        EXPECT_EQ(failures, 10);
    };
    go(body());
}

}  // namespace
}  // namespace anel
