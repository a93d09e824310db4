// broken_rules_test.cpp: a program that breaks a rule of the library ends with a sentence that
// names the rule and the places in the program.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

// A place in this file; a line of the library's own may come first.
constexpr std::string_view here = "\n  here: [^\n]*broken_rules_test.cpp:[0-9]+";
constexpr std::string_view other = "\n  the other task: [^\n]*broken_rules_test.cpp:[0-9]+";

class broken_rules : public testing::Test {
protected:
    // By a fork alone: an emulator of another processor cannot execute this program again.
    broken_rules() { GTEST_FLAG_SET(death_test_style, "fast"); }

    static std::string said(std::string_view rule, std::string_view place,
                            std::string_view second = "") {
        return "anel: " + std::string(rule) + "[^\n]*" + std::string(place) +
               (second.empty() ? "" : "[^\n]*" + std::string(second));
    }
};

task<> nothing() { co_return; }
task<> an_hour() { co_await sleep_for(1h); }
task<> awaits(task<>& which) { co_await std::move(which); }

TEST_F(broken_rules, a_task_is_awaited_again) {
    const auto body = []() -> task<> {
        task<> once = nothing();
        co_await std::move(once);
        co_await std::move(once);
    };
    EXPECT_DEATH(run(body(), on_poll), said("a task is awaited that was", here));
}

TEST_F(broken_rules, a_task_is_awaited_by_two) {
    const auto body = []() -> task<> {
        task<> shared = an_hour();
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(awaits, std::ref(shared));
            group.spawn(awaits, std::ref(shared));
            co_return;
        });
    };
    EXPECT_DEATH(run(body(), on_poll), said("a task is awaited by two others", here, other));
}

async_generator<int> every_hour() {
    co_await sleep_for(1h);
    co_yield 1;
}
task<> reads(async_generator<int>& from) {
    auto next = co_await from.next();
    static_cast<void>(next);
}

TEST_F(broken_rules, a_generator_is_read_by_two) {
    const auto body = []() -> task<> {
        auto numbers = every_hour();
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(reads, std::ref(numbers));
            group.spawn(reads, std::ref(numbers));
            co_return;
        });
    };
    EXPECT_DEATH(run(body(), on_poll), said("two tasks read one generator", here, other));
}

TEST_F(broken_rules, an_event_is_destroyed_while_a_task_waits) {
    const auto body = []() -> task<> {
        std::optional<event> soon(std::in_place);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto waits = [&]() -> task<> { co_await soon->wait(); };
            group.spawn(waits);
            co_await sleep_for(0s);
            soon.reset();
        });
    };
    EXPECT_DEATH(run(body(), on_poll), said("an event, mutex, semaphore or channel is", other));
}

/// A udp_socket on which a task waits while `then` is done to it.
template <class Then>
task<> while_a_task_receives(Then then) {
    auto bound = co_await udp_socket::bind("127.0.0.1:0");
    std::optional<udp_socket> socket(std::move(bound));
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto receives = [&]() -> task<> {
            std::array<char, 8> buffer{};
            auto got = co_await socket->recvfrom(buffer);
            static_cast<void>(got);
        };
        group.spawn(receives);
        co_await sleep_for(0s);
        co_await then(socket);
    });
}

TEST_F(broken_rules, a_socket_is_destroyed_while_a_task_waits) {
    const auto destroy = [](std::optional<udp_socket>& socket) -> task<> {
        socket.reset();
        co_return;
    };
    EXPECT_DEATH(run(while_a_task_receives(destroy), on_poll),
                 said("a socket is destroyed or replaced while", other));
}

TEST_F(broken_rules, a_socket_is_moved_while_a_task_waits) {
    const auto move = [](std::optional<udp_socket>& socket) -> task<> {
        udp_socket elsewhere(std::move(*socket));
        co_return;
    };
    EXPECT_DEATH(run(while_a_task_receives(move), on_poll),
                 said("a socket is moved while a task waits", other));
}

TEST_F(broken_rules, a_socket_is_received_from_by_two) {
    const auto receive = [](std::optional<udp_socket>& socket) -> task<> {
        std::array<char, 8> buffer{};
        auto got = co_await socket->recvfrom(buffer);
        static_cast<void>(got);
    };
    EXPECT_DEATH(run(while_a_task_receives(receive), on_poll),
                 said("two tasks receive on one socket", here, other));
}

TEST_F(broken_rules, descriptors_are_received_behind_lent_memory) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const auto body = [&]() -> task<> {
        auto stream = co_await tcp_stream::adopt(ends[0]);
        { auto lent = co_await stream.recv(); }
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> room;
        co_await recv_descriptors(stream, buffer, room);
    };
    EXPECT_EQ(::send(ends[1], "x", 1, 0), 1);
    EXPECT_DEATH(run(body(), on_poll), said("descriptors are received from a stream that", here));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(broken_rules, a_batch_is_used_by_two) {
    const auto body = []() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        auto second = co_await udp_socket::bind("127.0.0.1:0");
        datagram_batch batch;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto receives = [&](udp_socket& from) -> task<> {
                co_await from.recv_batch(batch);
            };
            group.spawn(receives, std::ref(socket));
            group.spawn(receives, std::ref(second));
            co_return;
        });
    };
    EXPECT_DEATH(run(body(), on_poll), said("two operations work on one datagram_batch", here));
}

#ifdef UDP_GRO
bool system_tells_of_gro() {
    const int probe = ::socket(AF_INET, SOCK_DGRAM, 0);
    int value = 0;
    socklen_t size = sizeof value;
    const int result = ::getsockopt(probe, IPPROTO_UDP, UDP_GRO, &value, &size);
    ::close(probe);
    return result == 0;
}

// Also when somebody else had asked for it.
TEST_F(broken_rules, joined_datagrams_are_received_without_control_data) {
    if (!system_tells_of_gro()) GTEST_SKIP() << "needs Linux 5.13";
    const auto body = [](bool elsewhere) -> task<> {
        udp_options options;
        options.join_datagrams = true;
        auto socket = co_await udp_socket::bind("127.0.0.1:0", options);
        if (elsewhere) socket = co_await udp_socket::adopt(socket.release());
        std::array<char, 8> buffer{};
        auto got = co_await with_timeout(1ms, socket.recvfrom(buffer));
        static_cast<void>(got);
    };
    EXPECT_DEATH(run(body(false), on_poll), said("a socket with udp_options::join_data", here));
    EXPECT_DEATH(run(body(true), on_poll), said("a socket with udp_options::join_data", here));
}
#endif

}  // namespace
}  // namespace anel::test
