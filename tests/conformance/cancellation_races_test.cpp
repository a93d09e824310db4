// cancellation_races_test.cpp: a cancel and a result at the same moment: one of both, and no loss.
//
// The invariant is the same everywhere: what came in is what was sent. A cancelled receive has
// consumed nothing; a result that happened is delivered.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <random>

namespace anel::test {
namespace {

class cancellation_races : public over_backends {};
ANEL_OVER_BACKENDS(cancellation_races);
class cancellation_races_on_kernel : public cancellation_races {};
ANEL_OVER_KERNELS(cancellation_races_on_kernel);

constexpr int races = 5000;

// poll(2) rounds a wait up to milliseconds, so only some of the timeouts are other than zero.
std::chrono::nanoseconds short_wait(int round) {
    return std::chrono::microseconds(round % 16 == 0 ? round % 37 : 0);
}

// Each message is written while the receive of its round waits, or has just been given up.
TEST_P(cancellation_races_on_kernel, a_thread_that_writes_while_receives_time_out_loses_no_byte) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const int count = rounds(races);
        std::atomic<int> turn{0};
        std::atomic<std::size_t> written{0};
        std::string sent;
        std::thread writer([&] {
            std::minstd_rand random(1);
            for (int i = 1; i <= count; ++i) {
                while (turn.load() < i) std::this_thread::yield();
                // From nothing to some 50 microseconds: longer than a turn of the loop takes.
                for (std::size_t spins = random() % (1U << i % 17); spins > 0; --spins)
                    static_cast<void>(turn.load());
                const std::string bytes = pattern(random() % 40 + 1, sent.size());
                sent += bytes;
                pair.peer.write(bytes);
                written.store(sent.size());
            }
            pair.peer.shutdown_write();
        });
        std::string received;
        std::array<char, 32> buffer{};
        int cancelled = 0;
        bool ended = false;
        for (int i = 1; !ended; ++i) {
            // The first receive finds nothing.
            if (i > 1 && received.size() == written.load()) turn.fetch_add(1);
            auto n = co_await as_result(with_timeout(short_wait(i), pair.stream.recv(buffer)));
            if (n) {
                received.append(buffer.data(), *n);
                ended = *n == 0;
            } else {
                EXPECT_EQ(n.error(), std::errc::timed_out);
                cancelled += 1;
            }
        }
        writer.join();
        EXPECT_EQ(received.size(), sent.size());
        EXPECT_TRUE(received == sent);
        EXPECT_GT(cancelled, 0);
    });
}

TEST_P(cancellation_races, a_sibling_that_writes_when_the_timeout_fires_loses_no_byte) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const int count = rounds(races);
        event go;
        int round = 0;
        const auto write = [&](tcp_stream& to) -> task<> {
            for (int i = 0; i < count; ++i) {
                co_await go.wait();
                go.reset();
                // In some rounds the bytes come a turn or two after the receive has begun.
                for (int turns = i % 4; turns > 0; --turns) co_await next_turn();
                co_await to.send(pattern(8, static_cast<std::size_t>(i) * 8));
            }
        };
        std::string received;
        int cancelled = 0;
        const auto take = [&](tcp_stream& from) -> task<> {
            std::array<char, 100> buffer{};
            const auto all = static_cast<std::size_t>(count) * 8;
            for (; received.size() < all; ++round) {
                go.set();
                auto n = co_await as_result(with_timeout(short_wait(round), from.recv(buffer)));
                if (n) received.append(buffer.data(), *n);
                else cancelled += 1;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(write, std::ref(pair.client));
            group.spawn(take, std::ref(pair.server));
            co_return;
        });
        EXPECT_TRUE(received == pattern(received.size()));
        EXPECT_GT(cancelled, 0);
    });
}

// The receiving task is cancelled with its group, in the very turn in which the bytes arrive.
TEST_P(cancellation_races, a_group_cancelled_when_bytes_arrive_loses_none) {
    run([&]() -> task<> {
        auto signal = co_await connected_to_raw();
        auto data = co_await connected_to_raw();
        std::string received;
        int delivered = 0;
        bool cancelled = false;
        const auto take = [&](tcp_stream& from) -> task<> {
            std::array<char, 64> buffer{};
            const std::size_t n = co_await from.recv(buffer);
            received.append(buffer.data(), n);
            if (!cancelled) co_return;
            delivered += 1;  // it had happened before the cancel
            co_await yield();
            ADD_FAILURE() << "the next await must throw";
        };
        const auto cancel_at_signal = [&](tcp_stream& from, task_group& group) -> task<> {
            std::array<char, 1> byte{};
            co_await from.recv_exact(byte);
            cancelled = true;
            group.cancel();
        };
        const int count = rounds(2000);
        for (int i = 0; i < count; ++i) {
            const std::string bytes = pattern(4, static_cast<std::size_t>(i) * 4);
            cancelled = false;
            co_await with_task_group([&](task_group& group) -> task<> {
                if (i % 2 == 0) group.spawn(take, std::ref(data.stream));
                group.spawn(cancel_at_signal, std::ref(signal.stream), std::ref(group));
                if (i % 2 != 0) group.spawn(take, std::ref(data.stream));
                if (i % 3 != 0) co_await let_others_wait();
                else co_await yield();
                if (i % 4 < 2) data.peer.write(bytes);
                signal.peer.write("!");
                if (i % 4 >= 2) data.peer.write(bytes);
            });
        }
        data.peer.shutdown_write();
        received += co_await receive_all(data.stream);
        EXPECT_TRUE(received == pattern(static_cast<std::size_t>(count) * 4));
        EXPECT_GT(delivered, 0) << "no result won over its cancel";
    });
}

TEST_P(cancellation_races_on_kernel, no_datagram_is_lost_to_a_cancelled_recvfrom) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        const raw_socket peer = raw_socket::connected_to(self, SOCK_DGRAM);
        const int count = rounds(races);
        std::atomic<int> turn{0};
        std::thread writer([&] {
            for (int i = 1; i <= count; ++i) {
                while (turn.load() < i) std::this_thread::yield();
                peer.write(std::to_string(i));
            }
        });
        std::array<char, 64> buffer{};
        int received = 0;
        int cancelled = 0;
        for (int i = 1; received < count; ++i) {
            // The first receive finds nothing; then no more is sent than the socket can hold.
            if (i > 1) turn.store(std::min(i, received + 100));
            auto datagram =
                co_await as_result(with_timeout(short_wait(i), socket.recvfrom(buffer)));
            if (datagram) {
                received += 1;
                const std::string_view text(buffer.data(), datagram->size);
                EXPECT_EQ(text, std::to_string(received));
                EXPECT_EQ(datagram->from, peer.local_endpoint());
            } else {
                cancelled += 1;
            }
        }
        writer.join();
        EXPECT_GT(cancelled, 0);
    });
}

TEST_P(cancellation_races, a_cancelled_connect_leaves_nothing_behind) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        const std::size_t descriptors = count_descriptors();
        int connected = 0;
        const int count = rounds(1000);
        for (int i = 0; i < count; ++i) {
            {
                auto stream = co_await as_result(with_timeout(short_wait(i), connect(address)));
                EXPECT_TRUE(stream || stream.error() == std::errc::timed_out) << stream.error();
                connected += static_cast<bool>(stream);
                if (stream) stream->reset_on_close();
            }
            EXPECT_EQ(count_descriptors(), descriptors);
            for (bool more = true; more;) {
                auto other = co_await as_result(with_timeout(0s, listener.accept()));
                more = static_cast<bool>(other);
                if (other) other->reset_on_close();
            }
        }
        EXPECT_GT(connected, 0);
    });
}

// After a cancelled send the peer has a part of the bytes: the beginning, each once.
TEST_P(cancellation_races, a_cancelled_send_has_sent_a_beginning) {
    run([&]() -> task<> {
        const std::string bytes = pattern(8 << 20);
        for (int i = 0; i < 24; ++i) {
            auto pair = co_await connected_pair();
            std::string received;
            const auto gather = [&](tcp_stream& from) -> task<> {
                received = co_await receive_all(from, 100'003);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(gather, std::ref(pair.server));
                const auto wait = std::chrono::microseconds(i * 100);
                const std::string_view half = std::string_view(bytes).substr(0, bytes.size() / 2);
                const std::string_view rest = std::string_view(bytes).substr(bytes.size() / 2);
                std::error_code error;
                if (i % 2 == 0) {
                    error = co_await error_of(with_timeout(wait, pair.client.send(bytes)));
                } else {
                    error = co_await error_of(with_timeout(wait, pair.client.send(half, rest)));
                }
                EXPECT_TRUE(!error || error == code(ETIMEDOUT)) << error;
                co_await pair.client.close();
            });
            EXPECT_TRUE(received == bytes.substr(0, received.size())) << i;
        }
    });
}

TEST_P(cancellation_races, a_cancelled_send_some_has_sent_nothing) {
    run([&]() -> task<> {
        listen_options small;
        small.send_buffer = 1;
        auto pair = co_await connected_pair("127.0.0.1:0", small);
        const std::string bytes = pattern(4 << 20);
        std::string received;
        std::size_t sent = 0;
        int cancelled = 0;
        std::vector<char> buffer(4096);
        for (int i = 0; sent < 200'000; ++i) {
            const std::string_view rest = std::string_view(bytes).substr(sent);
            auto n = co_await as_result(with_timeout(short_wait(i), pair.server.send_some(rest)));
            if (n) {
                sent += *n;
                continue;
            }
            cancelled += 1;
            auto got = co_await as_result(with_timeout(0s, pair.client.recv(buffer)));
            if (got) received.append(buffer.data(), *got);
        }
        co_await pair.server.shutdown_send();
        received += co_await receive_all(pair.client);
        EXPECT_GT(cancelled, 0);
        EXPECT_EQ(received.size(), sent);
        EXPECT_TRUE(received == bytes.substr(0, sent));
    });
}

// What is there already is a result, and wins over the shortest timeout.
TEST_P(cancellation_races, data_that_has_arrived_wins_over_a_timeout_of_zero) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        std::array<char, 5> exactly{};
        for (int i = 0; i < 200; ++i) {
            pair.peer.write("12345");
            auto n = co_await as_result(with_timeout(0s, pair.stream.recv(exactly)));
            EXPECT_TRUE(n) << n.error();
            if (!n) break;
            EXPECT_EQ(*n, 5U);
        }
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        raw_socket client = raw_socket::connected_to(listener.local_endpoint());
        auto accepted = co_await as_result(with_timeout(0s, listener.accept()));
        EXPECT_TRUE(accepted) << accepted.error();
        auto connected = co_await as_result(with_timeout(0s, pair.stream.send("fits at once")));
        EXPECT_TRUE(connected) << connected.error();
        event set;
        set.set();
        auto waited = co_await as_result(with_timeout(0s, set.wait()));
        EXPECT_TRUE(waited);
    });
}

TEST_P(cancellation_races, data_that_has_arrived_wins_over_a_timeout_of_zero_after_a_short_read) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        std::array<char, 64> larger{};
        const auto write_later = [&]() -> task<> {
            co_await let_others_wait();
            pair.peer.write("first");
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(write_later);
            const std::size_t n = co_await pair.stream.recv(larger);  // waits, and is told
            EXPECT_EQ(n, 5U);
        });
        for (int i = 0; i < 200; ++i) {
            pair.peer.write("12345");
            auto n = co_await as_result(with_timeout(0s, pair.stream.recv(larger)));
            EXPECT_TRUE(n) << n.error() << " in round " << i;
            if (!n) break;
            EXPECT_EQ(*n, 5U);
        }
    });
}

}  // namespace
}  // namespace anel::test
