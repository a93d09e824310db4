// turn_test.cpp: what a turn may do at most between two looks at the backend: floods, in counts.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/post.hpp>
#include <anel/signal.hpp>

#include <csignal>
#include <deque>

namespace anel::test {
using namespace detail;
namespace {

/// What was done between two looks.
struct work {
    std::uint64_t turns = 0;
    std::uint64_t resumes = 0;
    std::uint64_t timers = 0;
    std::uint64_t calls = 0;
    std::uint64_t bytes = 0;

    static work until_now(loop& of) {
        const loop_counters counted = of.counters();
        const backend_counters below = of.backend().counters();
        return {counted.turns, counted.resumes, counted.timers_fired, below.calls, below.bytes};
    }
};

class turn : public over_backends {
protected:
    // Between two resumes of one that waits for the next turn lie the end of one turn, a look, and
    // the beginning of another, until it is that one's turn.
    static constexpr std::uint64_t parts = 2;
    static constexpr std::uint64_t calls_most = parts * loop::turn_share / backend::call_cost;

    /// The most that is done in one turn while `flood` goes on. `steps`, of the test's own, is
    /// watched too.
    template <awaitable A>
    task<> measure(A flood) {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&turn::watch, this, std::ref(owner));
            co_await let_others_wait();
            most_ = work();
            const work before = work::until_now(owner);
            co_await flood;
            const work after = work::until_now(owner);
            all_ = difference(after, before);
            group.cancel();
        });
    }

    static work difference(const work& after, const work& before) {
        return {after.turns - before.turns, after.resumes - before.resumes,
                after.timers - before.timers, after.calls - before.calls,
                after.bytes - before.bytes};
    }

    work most_;  // in one turn
    work all_;   // together
    std::uint64_t steps_ = 0;
    std::uint64_t most_steps_ = 0;

private:
    task<> watch(loop& owner) {
        work last = work::until_now(owner);
        std::uint64_t last_steps = steps_;
        for (;;) {
            co_await next_turn();
            const work now = work::until_now(owner);
            const work done = difference(now, last);
            const std::uint64_t steps = steps_ - last_steps;
            last = now;
            last_steps = steps_;
            // Where more is ready than a turn can bear it may have had no turn in between.
            const std::uint64_t turns = std::max<std::uint64_t>(done.turns, 1);
            most_.turns = std::max(most_.turns, turns);
            most_.resumes = std::max(most_.resumes, done.resumes / turns);
            most_.timers = std::max(most_.timers, done.timers / turns);
            most_.calls = std::max(most_.calls, done.calls / turns);
            most_.bytes = std::max(most_.bytes, done.bytes / turns);
            most_steps_ = std::max(most_steps_, steps / turns);
        }
    }
};
ANEL_OVER_BACKENDS(turn);
class turn_on_kernel : public turn {};
ANEL_OVER_KERNELS(turn_on_kernel);

task<> echo(tcp_stream& stream, std::uint64_t until) {
    std::uint64_t echoed = 0;
    while (echoed < until) {
        auto data = co_await stream.recv();
        if (!data) break;
        echoed += data.size();
        co_await stream.send(data);
    }
}

// An echo of 64 KiB takes as long as 20 of 64 bytes: resumes alone say nothing about the time.
TEST_P(turn_on_kernel, a_flood_of_bytes_is_looked_past_after_so_many_bytes) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        constexpr std::uint64_t all = 64 << 20;
        std::thread writer([&] {
            const std::string bytes(65536, 'x');
            for (std::uint64_t sent = 0; sent < all; sent += bytes.size()) pair.peer.write(bytes);
        });
        std::thread reader([&] {
            std::vector<char> waste(1 << 18);
            while (::recv(pair.peer.fd(), waste.data(), waste.size(), 0) > 0) continue;
        });
        co_await measure(echo(pair.stream, all));
        writer.join();
        co_await pair.stream.close();
        reader.join();
        EXPECT_LE(most_.bytes, parts * (1 << 20) + (1 << 18));
        EXPECT_LE(most_.calls, calls_most);
    });
}

TEST_P(turn_on_kernel, a_flood_of_small_receives_is_looked_past_after_so_many_calls) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        constexpr std::size_t all = 60'000;
        pair.peer.write(std::string(all, 'x'));
        const auto swallow = [&]() -> task<> {
            std::array<char, 16> buffer{};
            std::size_t received = 0;
            while (received < all) {
                const std::size_t n = co_await pair.stream.recv(buffer);
                received += n;
            }
        };
        co_await measure(swallow());
        EXPECT_LE(most_.calls, calls_most);
        if (GetParam() != backend_kind::io_uring) {
            EXPECT_GE(all_.calls, all / 16);
        }
    });
}

// One that has much to do gets no second try while another one is ready for its first.
TEST_P(turn_on_kernel, those_with_data_take_turns) {
    run([&]() -> task<> {
        constexpr std::size_t each = 32'768;
        constexpr std::size_t piece = 512;
        std::deque<raw_stream_pair> pairs;
        for (int i = 0; i < 6; ++i) {
            auto pair = co_await connected_to_raw();
            pair.peer.write(std::string(each, 'x'));
            pairs.push_back(std::move(pair));
        }
        co_await let_others_wait();
        std::vector<std::size_t> received(pairs.size());
        std::size_t furthest_apart = 0;
        const auto swallow = [&](tcp_stream& from, std::size_t& mine) -> task<> {
            std::array<char, piece> buffer{};
            while (mine < each) {
                const std::size_t n = co_await from.recv(buffer);
                mine += n;
                const auto [least, most] = std::minmax_element(received.begin(), received.end());
                furthest_apart = std::max(furthest_apart, *most - *least);
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (std::size_t i = 0; i < pairs.size(); ++i) {
                group.spawn(swallow, std::ref(pairs[i].stream), std::ref(received[i]));
            }
            co_return;
        });
        EXPECT_LE(furthest_apart, (loop::slice / backend::call_cost + 2) * piece);
    });
}

TEST_P(turn_on_kernel, a_flood_of_connections_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        constexpr std::size_t all = 300;
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        std::deque<raw_socket> clients;
        for (std::size_t i = 0; i < all; ++i) {
            clients.push_back(raw_socket::connected_to(listener.local_endpoint()));
        }
        std::deque<tcp_stream> accepted;
        const auto take = [&]() -> task<> {
            while (accepted.size() < all) {
                auto next = co_await listener.accept();
                accepted.push_back(std::move(next));
                steps_ = accepted.size();
            }
        };
        co_await measure(take());
        EXPECT_LE(most_steps_, calls_most);
        EXPECT_LE(most_.calls, calls_most);
    });
}

TEST_P(turn_on_kernel, a_flood_of_datagrams_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        auto peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        EXPECT_EQ(peer.connect(socket.local_endpoint()), 0);
        constexpr int all = 150;  // as many as the receive buffer takes
        const auto answer_one_by_one = [&]() -> task<> {
            std::array<char, 8> buffer{};
            for (int i = 0; i < all; ++i) {
                auto datagram = co_await socket.recvfrom(buffer);
                co_await socket.sendto("y", datagram.from);
                steps_ += 1;
            }
        };
        for (int i = 0; i < all; ++i) peer.send_datagram("x");
        co_await measure(answer_one_by_one());
        EXPECT_LE(most_steps_, calls_most);

        datagram_batch batch;
        const auto answer_in_batches = [&]() -> task<> {
            for (std::size_t answered = 0; answered < all;) {
                co_await socket.recv_batch(batch);
                answered += batch.size();
                co_await socket.send_batch(batch);
                steps_ += 1;
            }
        };
        most_steps_ = 0;
        for (int i = 0; i < all; ++i) peer.send_datagram("x");
        co_await measure(answer_in_batches());
        EXPECT_LE(most_steps_, parts);
    });
}

TEST_P(turn, a_flood_of_posted_calls_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        constexpr std::uint64_t all = 2000;
        auto post = co_await get_poster();
        event over;
        const auto flood = [&]() -> task<> {
            for (std::uint64_t i = 0; i < all; ++i) {
                post([&, i] {
                    EXPECT_EQ(steps_, i) << "in the order of posting";
                    if (++steps_ == all) over.set();
                });
            }
            co_await over.wait();
        };
        co_await measure(flood());
        EXPECT_LE(most_steps_, parts * loop::posted_per_turn);
    });
}

TEST_P(turn, a_flood_of_timers_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        const time_point due = co_await current_time();
        const auto flood = [&]() -> task<> {
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto one = [](time_point when) -> task<> { co_await sleep_until(when); };
                for (int i = 0; i < 6000; ++i) group.spawn(one, due);
                co_return;
            });
        };
        co_await measure(flood());
        EXPECT_GE(all_.timers, 6000U);
        EXPECT_LE(most_.timers, loop::timers_per_turn + 1);
        EXPECT_LE(most_.resumes, parts * loop::turn_share);
    });
}

TEST_P(turn, a_flood_of_ready_children_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        const auto flood = [&]() -> task<> {
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto one = [](std::uint64_t& count) -> task<> {
                    count += 1;
                    co_return;
                };
                for (int i = 0; i < 6000; ++i) group.spawn(one, std::ref(steps_));
                co_return;
            });
        };
        co_await measure(flood());
        EXPECT_EQ(steps_, 6000U);
        EXPECT_LE(most_steps_, parts * loop::turn_share);
    });
}

TEST_P(turn_on_kernel, a_flood_of_signals_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        auto none = co_await as_result(with_timeout(1ms, signal_received(SIGUSR1)));
        EXPECT_EQ(none.error(), code(ETIMEDOUT));
        const auto flood = [&]() -> task<> {
            for (int i = 0; i < 200; ++i) std::raise(SIGUSR1);
            co_await signal_received(SIGUSR1);
            co_await let_others_wait();
            for (int i = 0; i < 10; ++i) co_await next_turn();
        };
        co_await measure(flood());
        EXPECT_LE(most_.calls, calls_most);
    });
}

TEST_P(turn_on_kernel, a_flood_of_control_calls_is_looked_past_after_so_many) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const auto flood = [&]() -> task<> {
            event always;
            always.set();
            for (int i = 0; i < 1000; ++i) {
                pair.stream.set_no_delay(i % 2 == 0);
                co_await always.wait();
            }
        };
        co_await measure(flood());
        EXPECT_GE(all_.calls, 1000U);
        EXPECT_LE(most_.calls, calls_most);
    });
}

}  // namespace
}  // namespace anel::test
