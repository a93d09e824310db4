// any_stream_test.cpp: what a stream of any type costs in counts, and that it takes every model.
// SPDX-License-Identifier: MIT
#include "tests/net/allocations.hpp"
#include "tests/support/over_backends.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace anel::test {
namespace {

class any_streams : public over_backends {};
ANEL_OVER_BACKENDS(any_streams);

struct any_ends {
    any_ends(any_stream one, any_stream other) : near(std::move(one)), far(std::move(other)) {}
    any_stream near;
    any_stream far;
};

task<any_ends> over_tcp() {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    auto near = co_await connect(listener.local_endpoint());
    auto far = co_await listener.accept();
    co_return any_ends(std::move(near), std::move(far));
}

task<any_ends> over_memory() {
    auto [near, far] = memory_stream_pair(1000);
    co_return any_ends(std::move(near), std::move(far));
}

// An awaiter that is larger than any slot, and a close like it.
template <class Wait>
struct padded {
    Wait inner;
    char padding[500];
    bool start(detail::cancel_scope& scope, detail::frame& caller) {
        return inner.start(scope, caller);
    }
    auto finish() { return inner.finish(); }
};

struct large_waits {
    explicit large_waits(memory_stream given) : inner(std::move(given)) {}
    memory_stream inner;
    auto recv(mutable_buffer into) {
        return padded<decltype(inner.recv(into))>{inner.recv(into), {}};
    }
    auto send(const_buffer from) {
        return padded<decltype(inner.send(from))>{inner.send(from), {}};
    }
    auto shutdown_send() {
        return padded<decltype(inner.shutdown_send())>{inner.shutdown_send(), {}};
    }
    auto close() { return padded<decltype(inner.close())>{inner.close(), {}}; }
    std::string peer_text() const { return "large"; }
};

task<any_ends> over_large_waits() {
    auto [near, far] = memory_stream_pair(1000);
    large_waits one(std::move(near));
    large_waits other(std::move(far));
    co_return any_ends(std::move(one), std::move(other));
}

// A model whose calls are coroutines.
struct of_tasks {
    explicit of_tasks(memory_stream given) : inner(std::move(given)) {}
    memory_stream inner;
    task<std::size_t> recv(mutable_buffer into) {
        const std::size_t count = co_await inner.recv(into);
        co_return count;
    }
    task<> send(const_buffer from) { co_await inner.send(from); }
    task<> shutdown_send() { co_await inner.shutdown_send(); }
    task<> close() { co_await inner.close(); }
    std::string peer_text() const { return "of tasks"; }
};

task<any_ends> over_tasks() {
    auto [near, far] = memory_stream_pair(1000);
    of_tasks one(std::move(near));
    of_tasks other(std::move(far));
    co_return any_ends(std::move(one), std::move(other));
}

task<> echo(any_stream& on) {
    std::array<char, 100> buffer;
    while (auto n = co_await on.recv(buffer)) co_await on.send(std::span(buffer).first(n));
    co_await on.shutdown_send();
}

/// Exchanges messages until 400 in a row went without an allocation: no operation needs one. Tells
/// how many the last 400 took. A turn ends by the clock, so that on a busy machine it may take long
/// until each frame that can live beside the others has been made once.
task<std::uint64_t> exchange(any_ends& pair) {
    constexpr int rounds = 400;
    constexpr int attempts = 50;
    std::array<char, 5> answer{};
    std::uint64_t allocations = 1;
    for (int attempt = 0; attempt < attempts && allocations > 0; ++attempt) {
        allocations = allocations_so_far();
        for (int i = 0; i < rounds; ++i) {
            co_await pair.near.send("hello");
            std::size_t got = 0;
            while (got < answer.size()) {
                const std::size_t more = co_await pair.near.recv(std::span(answer).subspan(got));
                got += more;
            }
            EXPECT_EQ(std::string_view(answer.data(), got), "hello");
        }
        allocations = allocations_so_far() - allocations;
    }
    co_await pair.near.shutdown_send();
    const std::size_t end = co_await pair.near.recv(answer);
    EXPECT_EQ(end, 0U);
    co_return allocations;
}

using maker = task<any_ends> (*)();

TEST_P(any_streams, no_operation_allocates_whatever_the_stream_is) {
    if (GetParam() == backend_kind::sim) GTEST_SKIP() << "a simulated packet is an allocation";
    run([&]() -> task<> {
        for (const maker make : {&over_tcp, &over_memory, &over_large_waits, &over_tasks}) {
            auto pair = co_await make();
            std::uint64_t allocations = 0;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(&echo, std::ref(pair.far));
                allocations = co_await exchange(pair);
            });
            if (allocations_are_counted) {
                EXPECT_EQ(allocations, 0U) << pair.near.peer_text();
            }
            co_await pair.near.close();
            co_await pair.far.close();
        }
    });
}

TEST_P(any_streams, a_close_reaches_every_model_in_a_cancelled_scope) {
    run([&]() -> task<> {
        for (const maker make : {&over_tcp, &over_memory, &over_large_waits}) {
            auto pair = co_await make();
            const auto wait_and_close = [](any_stream& on) -> task<> {
                std::array<char, 5> buffer{};
                bool cancelled = false;
                try {
                    std::ignore = co_await on.recv(buffer);
                } catch (const task_cancelled&) {
                    cancelled = true;
                }
                EXPECT_TRUE(cancelled);
                co_await on.close();
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(wait_and_close, std::ref(pair.near));
                co_await yield();
                group.cancel();
            });
            std::array<char, 5> buffer{};
            const std::size_t end = co_await pair.far.recv(buffer);
            EXPECT_EQ(end, 0U);
        }
    });
}

TEST_P(any_streams, an_empty_one_is_closed) {
    run([&]() -> task<> {
        any_stream none;
        EXPECT_FALSE(none);
        EXPECT_EQ(none.peer_text(), "");
        EXPECT_EQ(none.underlying_socket(), nullptr);
        std::array<char, 5> buffer{};
        const auto received = co_await as_result(none.recv(buffer));
        EXPECT_EQ(received.error(), code(EBADF));
        const std::string sent = co_await failure_of(none.send("x"));
        EXPECT_EQ(sent, "send: Bad file descriptor (EBADF)");
        const std::string told = co_await failure_of(none.shutdown_send());
        EXPECT_EQ(told, "shutdown: Bad file descriptor (EBADF)");
        co_await none.close();
    });
}

TEST_P(any_streams, it_tells_what_it_holds) {
    run([&]() -> task<> {
        auto pair = co_await over_tcp();
        EXPECT_TRUE(pair.near);
        tcp_stream* held = pair.near.get_if<tcp_stream>();
        EXPECT_NE(held, nullptr);
        EXPECT_EQ(pair.near.get_if<memory_stream>(), nullptr);
        if (held) {
            EXPECT_EQ(pair.near.underlying_socket(), held);
            EXPECT_EQ(pair.near.peer_endpoint(), held->peer_endpoint());
            EXPECT_EQ(pair.near.peer_text(), held->peer_endpoint().to_string());
        }
        auto other = co_await over_memory();
        EXPECT_EQ(other.near.underlying_socket(), nullptr);
        EXPECT_EQ(other.near.peer_endpoint(), endpoint());
        EXPECT_EQ(other.near.peer_text(), "memory");
    });
}

// A reader goes on with what its any_stream holds at each read: another stream, or none.
TEST_P(any_streams, may_be_moved_while_a_task_waits_and_given_another_stream_under_a_reader) {
    run([&]() -> task<> {
        auto pair = co_await over_tcp();
        any_stream moved;
        std::string got;
        const auto receive = [&](any_stream& from) -> task<> {
            std::array<char, 8> buffer{};
            const std::size_t count = co_await from.recv(buffer);
            got.assign(buffer.data(), count);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(receive, std::ref(pair.far));
            for (int i = 0; i < 3; ++i) co_await sleep_for(0s);
            moved = std::move(pair.far);
            co_await pair.near.send("abc");
        });
        EXPECT_EQ(got, "abc");
        EXPECT_FALSE(pair.far);

        buffered_reader reader(moved);
        auto other = co_await over_memory();
        co_await other.near.send("from another\n");
        moved = std::move(other.far);
        const auto line = co_await reader.read_line(100);
        EXPECT_EQ(line, "from another");
        moved = any_stream();
        const std::string error = co_await failure_of(reader.read_line(100));
        EXPECT_EQ(error, "recv: Bad file descriptor (EBADF)");
    });
}

}  // namespace
}  // namespace anel::test
