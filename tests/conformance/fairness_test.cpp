// fairness_test.cpp: whoever has much to do leaves the others their turn: timers, connections.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
using namespace detail;
namespace {

class fairness : public over_backends {
protected:
    struct clockwork {
        int ticks = 0;
        duration longest{};  // between two ticks
    };

    /// Ticks until it is cancelled.
    static task<> tick(clockwork& clock) {
        time_point last = co_await current_time();
        for (;; ++clock.ticks) {
            co_await sleep_for(100us);
            const time_point now = co_await current_time();
            clock.longest = std::max(clock.longest, now - last);
            last = now;
        }
    }

    /// How a timer fares while `wait` goes on.
    template <awaitable A>
    static task<clockwork> clock_during(A wait) {
        clockwork clock;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&fairness::tick, std::ref(clock));
            co_await let_others_wait();
            clock = clockwork();
            co_await wait;
            co_await sleep_for(1ms);
            group.cancel();
        });
        co_return clock;
    }
};
ANEL_OVER_BACKENDS(fairness);
class fairness_on_kernel : public fairness {};
ANEL_OVER_KERNELS(fairness_on_kernel);

TEST_P(fairness_on_kernel, a_peer_that_always_has_data_does_not_starve_the_others) {
    run([&]() -> task<> {
        auto flood = co_await connected_to_raw();
        auto other = co_await connected_pair();
        std::atomic<bool> stop{false};
        std::thread writer([&] {
            const std::string bytes(65536, 'x');
            while (!stop.load() && flood.peer.write(bytes)) continue;
            flood.peer.close();
        });
        std::size_t swallowed = 0;
        const auto swallow = [&](tcp_stream& from) -> task<> {
            std::array<char, 1024> buffer{};
            while (auto n = co_await from.recv(buffer)) swallowed += n;
        };
        const auto echo = [&](tcp_stream& stream) -> task<> {
            std::array<char, 64> buffer{};
            while (auto n = co_await stream.recv(buffer)) {
                co_await stream.send(std::span(buffer).first(n));
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(swallow, std::ref(flood.stream));
            group.spawn(echo, std::ref(other.server));
            for (int i = 0; i < 200 || swallowed <= 1'000'000; ++i) {
                co_await other.client.send("ping");
                const std::string answer = co_await receive(other.client, 4);
                EXPECT_EQ(answer, "ping");
                if (i % 20 == 0) co_await sleep_for(1ms);
            }
            stop.store(true);
            co_await other.client.shutdown_send();
        });
        writer.join();
        EXPECT_GT(swallowed, 1'000'000U);
    });
}

TEST_P(fairness_on_kernel, a_large_recv_exact_from_a_fast_peer_does_not_starve_timers) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        std::string bytes(64 << 20, 'x');
        std::thread peer([&] { pair.peer.write(std::string(64 << 20, 'y')); });
        const clockwork clock = co_await clock_during(pair.stream.recv_exact(bytes));
        EXPECT_GT(clock.ticks, 0);
        EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 'y'), 64 << 20);
        peer.join();
    });
}

// A call that sends does not return while a peer on another processor empties the buffer as fast as
// it is filled: 64 MiB in one call held the loop for 30 ms. They go a share at a time, with a turn
// of the loop between any two.
TEST_P(fairness_on_kernel, a_large_send_to_a_fast_peer_lets_the_loop_turn) {
    run([&]() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        const std::string bytes(64 << 20, 'x');
        for (int round = 0; round < 2; ++round) {
            auto pair = co_await connected_to_raw();
            std::thread peer([&] {
                std::vector<char> waste(1 << 20);
                while (::recv(pair.peer.fd(), waste.data(), waste.size(), 0) > 0) continue;
            });
            const std::uint64_t before = owner.counters().turns;
            if (round == 0) co_await pair.stream.send(bytes);
            else co_await pair.stream.send("head", bytes);
            EXPECT_GE(owner.counters().turns - before, 20U) << "round " << round;
            co_await pair.stream.close();
            peer.join();
        }
    });
}

TEST_P(fairness, a_task_that_never_waits_long_leaves_connections_and_timers_their_turn) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const auto spin = []() -> task<> {
            for (;;) co_await yield();
        };
        const auto spin_on_data = [](udp_socket& socket) -> task<> {
            std::array<char, 8> buffer{};
            for (;;) {
                co_await socket.sendto("x", socket.local_endpoint());
                auto datagram = co_await socket.recvfrom(buffer);
                EXPECT_EQ(datagram.size, 1U);
            }
        };
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        clockwork clock;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(spin);
            group.spawn(spin_on_data, std::ref(socket));
            group.spawn(&fairness::tick, std::ref(clock));
            for (int i = 0; i < 100; ++i) {
                co_await pair.client.send("ping");
                const std::string text = co_await receive(pair.server, 4);
                EXPECT_EQ(text, "ping");
            }
            while (clock.ticks < 10) co_await sleep_for(1ms);
            group.cancel();
        });
    });
}

// Each of these operations is done at once: so many must not be one long turn.
TEST_P(fairness, a_chain_of_ready_operations_is_interrupted_for_a_timeout) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        const auto for_ever = [&]() -> task<> {
            std::array<char, 8> buffer{};
            for (;;) {
                co_await socket.sendto("x", self);
                auto datagram = co_await socket.recvfrom(buffer);
                EXPECT_EQ(datagram.size, 1U);
            }
        };
        const std::error_code error = co_await error_of(with_timeout(10ms, for_ever()));
        EXPECT_EQ(error, code(ETIMEDOUT));
    });
}

}  // namespace
}  // namespace anel::test
