// udp_test.cpp: datagrams: each whole, from whom it came, and what an error leaves behind.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <netinet/in.h>

namespace anel::test {
namespace {

class udp : public over_backends {};
ANEL_OVER_BACKENDS(udp);

TEST_P(udp, a_datagram_goes_there_and_back) {
    run([&]() -> task<> {
        std::vector<endpoint> addresses{endpoint("127.0.0.1:0")};
        if (has_ipv6()) addresses.emplace_back("[::1]:0");
        for (const endpoint& address : addresses) {
            auto server = co_await udp_socket::bind(address);
            auto client = co_await udp_socket::bind(address);
            std::array<char, 64> buffer{};
            co_await client.sendto("ping", server.local_endpoint());
            auto request = co_await server.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), request.size), "ping");
            EXPECT_EQ(request.from, client.local_endpoint());
            EXPECT_FALSE(request.truncated);
            co_await server.sendto("pong!", request.from);
            auto reply = co_await client.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), reply.size), "pong!");
            EXPECT_EQ(reply.from, server.local_endpoint());
        }
    });
}

TEST_P(udp, recvfrom_waits_for_a_datagram) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        std::string received;
        const auto take = [&](udp_socket& from) -> task<> {
            std::array<char, 64> buffer{};
            for (int i = 0; i < 3; ++i) {
                auto datagram = co_await from.recvfrom(buffer);
                received.append(buffer.data(), datagram.size).append("|");
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(socket));
            co_await let_others_wait();
            peer.write("one");
            co_await let_others_wait();
            peer.write("two");
            peer.write("three");
        });
        EXPECT_EQ(received, "one|two|three|");
    });
}

TEST_P(udp, every_size_up_to_the_largest_arrives_whole) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        std::vector<char> buffer(70'000);
        for (const std::size_t size : {0UL, 1UL, 1472UL, 1473UL, 9000UL, 65'506UL, 65'507UL}) {
            const std::string bytes = pattern(size);
            co_await socket.sendto(bytes, socket.local_endpoint());
            auto datagram = co_await socket.recvfrom(buffer);
            EXPECT_EQ(datagram.size, size);
            EXPECT_FALSE(datagram.truncated);
            EXPECT_TRUE(std::string_view(buffer.data(), datagram.size) == bytes);
        }
    });
}

TEST_P(udp, a_datagram_that_is_too_large_is_refused_and_the_socket_goes_on) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        const std::string bytes(65'508, 'x');
        const std::string text = co_await failure_of(socket.sendto(bytes, self));
        EXPECT_EQ(text, "sendto " + self.to_string() + ": Message too long (EMSGSIZE)");
        std::array<char, 8> buffer{};
        co_await socket.sendto("ok", self);
        auto datagram = co_await socket.recvfrom(buffer);
        EXPECT_EQ(datagram.size, 2U);
    });
}

TEST_P(udp, a_datagram_longer_than_the_buffer_is_marked_as_truncated) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        const raw_socket peer = raw_socket::connected_to(self, SOCK_DGRAM);
        for (const bool parked : {false, true}) {
            for (const std::size_t size : {0UL, 1UL, 99UL, 100UL, 101UL, 5000UL}) {
                for (const std::size_t room : {0UL, 1UL, 100UL}) {
                    std::string buffer(room + 1, '.');
                    datagram received;
                    const auto take = [&](udp_socket& from) -> task<> {
                        received = co_await from.recvfrom(std::span(buffer).first(room));
                    };
                    co_await with_task_group([&](task_group& group) -> task<> {
                        if (parked) {
                            group.spawn(take, std::ref(socket));
                            co_await let_others_wait();
                        }
                        const std::string bytes(size, 'x');
                        EXPECT_TRUE(peer.send_datagram(bytes));
                        if (!parked) co_await take(socket);
                    });
                    EXPECT_EQ(received.size, std::min(size, room));
                    EXPECT_EQ(received.truncated, size > room) << size << " into " << room;
                    EXPECT_EQ(buffer[room], '.');
                    EXPECT_EQ(received.from, peer.local_endpoint());
                }
            }
        }
    });
}

TEST_P(udp, a_burst_sent_without_waiting_arrives_in_order) {
    run([&]() -> task<> {
        udp_options roomy;
        roomy.receive_buffer = 1 << 20;
        auto receiver = co_await udp_socket::bind("127.0.0.1:0", roomy);
        auto sender = co_await udp_socket::bind("127.0.0.1:0");
        for (int i = 0; i < 200; ++i) {
            co_await sender.sendto(std::to_string(i), receiver.local_endpoint());
        }
        std::array<char, 64> buffer{};
        for (int i = 0; i < 200; ++i) {
            auto datagram = co_await receiver.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), datagram.size), std::to_string(i));
        }
    });
}

TEST_P(udp, a_connected_socket_sends_to_its_peer_and_hears_nobody_else) {
    run([&]() -> task<> {
        auto server = co_await udp_socket::bind("127.0.0.1:0");
        auto stranger = co_await udp_socket::bind("127.0.0.1:0");
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 64> buffer{};
        const std::string text = co_await failure_of(client.send("x"));
        EXPECT_EQ(text, "sendto: Destination address required (EDESTADDRREQ)");
        co_await client.connect(server.local_endpoint());
        co_await client.send("hello");
        auto request = co_await server.recvfrom(buffer);
        EXPECT_EQ(request.from, client.local_endpoint());
        co_await stranger.sendto("spoof", client.local_endpoint());
        co_await server.sendto("reply", client.local_endpoint());
        auto reply = co_await client.recvfrom(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), reply.size), "reply");
        EXPECT_EQ(reply.from, server.local_endpoint());
        // Another peer.
        co_await client.connect(stranger.local_endpoint());
        co_await client.send("to the stranger");
        auto other = co_await stranger.recvfrom(buffer);
        EXPECT_EQ(other.size, 15U);
    });
}

TEST_P(udp, a_connected_socket_learns_once_that_nobody_listens_and_goes_on) {
    run([&]() -> task<> {
        for (const bool parked : {false, true}) {
            raw_socket gone = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
            const endpoint address = gone.local_endpoint();
            auto client = co_await udp_socket::bind("127.0.0.1:0");
            gone.close();  // now: the next to bind might get this port
            const endpoint self = client.local_endpoint();
            co_await client.connect(address);
            std::array<char, 64> buffer{};
            std::string text;
            const auto take = [&](udp_socket& from) -> task<> {
                text = co_await failure_of(from.recvfrom(buffer));
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (parked) {
                    group.spawn(take, std::ref(client));
                    co_await let_others_wait();
                }
                co_await client.send("x");
                if (!parked) co_await take(client);
            });
            EXPECT_EQ(text, "recvfrom " + self.to_string() + ": Connection refused (ECONNREFUSED)");
            // The same is told to a send, when it is the next.
            co_await client.send("x");
            const std::error_code error = co_await error_of(client.send("x"));
            EXPECT_EQ(error, code(ECONNREFUSED));
            // Somebody listens there now.
            auto server = co_await udp_socket::bind(address);
            co_await client.send("y");
            auto request = co_await server.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), request.size), "y");
            co_await server.sendto("z", request.from);
            auto reply = co_await client.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), reply.size), "z");
        }
    });
}

TEST_P(udp, an_unconnected_socket_is_not_told_that_nobody_listens) {
    run([&]() -> task<> {
        raw_socket gone = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        const endpoint nobody = gone.local_endpoint();
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        gone.close();  // now: the next to bind might get this port
        co_await socket.sendto("x", nobody);
        co_await socket.sendto("x", nobody);
        co_await socket.sendto("mine", socket.local_endpoint());
        std::array<char, 64> buffer{};
        auto datagram = co_await socket.recvfrom(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), datagram.size), "mine");
    });
}

TEST_P(udp, an_ipv6_socket_hears_ipv4_only_when_told_to) {
    if (!has_ipv6()) GTEST_SKIP() << "no ::1 here";
    run([&]() -> task<> {
        for (const bool v6_only : {false, true}) {
            udp_options options;
            options.v6_only = v6_only;
            auto socket = co_await udp_socket::bind("[::]:0", options);
            const std::uint16_t port = socket.local_endpoint().port();
            auto four = co_await udp_socket::bind("127.0.0.1:0");
            auto six = co_await udp_socket::bind("[::1]:0");
            std::array<char, 64> buffer{};
            co_await four.sendto("four", endpoint::loopback_ipv4(port));
            co_await six.sendto("six", endpoint::loopback_ipv6(port));
            auto first = co_await socket.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), first.size), v6_only ? "six" : "four");
            if (!v6_only) {
                const endpoint mapped("::ffff:127.0.0.1", four.local_endpoint().port());
                EXPECT_EQ(first.from, mapped);
                co_await socket.sendto("back", mapped);
                auto back = co_await four.recvfrom(buffer);
                EXPECT_EQ(back.size, 4U);
            }
        }
    });
}

TEST_P(udp, a_port_that_is_taken_cannot_be_bound) {
    run([&]() -> task<> {
        auto first = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint taken = first.local_endpoint();
        const std::size_t descriptors = count_descriptors();
        const std::string text = co_await failure_of(udp_socket::bind(taken));
        EXPECT_EQ(text, "bind " + taken.to_string() + ": Address already in use (EADDRINUSE)");
        EXPECT_EQ(count_descriptors(), descriptors);
        const std::error_code error = co_await error_of(udp_socket::bind("unix:/tmp/x"));
        EXPECT_EQ(error, code(EAFNOSUPPORT));
        co_await first.close();
        auto again = co_await udp_socket::bind(taken);
        EXPECT_EQ(again.local_endpoint(), taken);
    });
}

TEST_P(udp, sockets_with_reuse_port_share_a_port) {
    run([&]() -> task<> {
        udp_options shared;
        shared.reuse_port = true;
        auto first = co_await udp_socket::bind("127.0.0.1:0", shared);
        auto second = co_await udp_socket::bind(first.local_endpoint(), shared);
        EXPECT_EQ(first.local_endpoint(), second.local_endpoint());
    });
}

TEST_P(udp, close_ends_a_waiting_recvfrom_with_ECANCELED) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        std::array<char, 64> buffer;
        buffer.fill('.');
        std::error_code error;
        const auto take = [&](udp_socket& from) -> task<> {
            error = co_await error_of(from.recvfrom(buffer));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(socket));
            co_await let_others_wait();
            co_await socket.close();
        });
        EXPECT_EQ(error, code(ECANCELED));
        auto reused = co_await udp_socket::bind(self);
        co_await reused.sendto("late", self);
        co_await let_others_wait();
        EXPECT_EQ(std::count(buffer.begin(), buffer.end(), '.'), 64);
        const std::error_code closed = co_await error_of(socket.recvfrom(buffer));
        EXPECT_EQ(closed, code(EBADF));
        const std::error_code sending = co_await error_of(socket.sendto("x", self));
        EXPECT_EQ(sending, code(EBADF));
    });
}

TEST_P(udp, one_task_receives_while_another_sends) {
    run([&]() -> task<> {
        auto a = co_await udp_socket::bind("127.0.0.1:0");
        auto b = co_await udp_socket::bind("127.0.0.1:0");
        constexpr int count = 500;
        // Each waits for an answer before it sends more, so that no buffer overflows.
        const auto echo = [&](udp_socket& socket) -> task<> {
            std::array<char, 64> buffer{};
            for (int i = 0; i < count; ++i) {
                auto datagram = co_await socket.recvfrom(buffer);
                const auto bytes = std::string_view(buffer.data(), datagram.size);
                co_await socket.sendto(bytes, datagram.from);
            }
        };
        int answers = 0;
        const auto gather = [&](udp_socket& socket) -> task<> {
            std::array<char, 64> buffer{};
            for (; answers < count; ++answers) {
                auto datagram = co_await socket.recvfrom(buffer);
                EXPECT_EQ(std::string_view(buffer.data(), datagram.size), std::to_string(answers));
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(echo, std::ref(b));
            group.spawn(gather, std::ref(a));
            for (int i = 0; i < count; ++i) {
                co_await a.sendto(std::to_string(i), b.local_endpoint());
                while (answers + 20 < i) co_await next_turn();
            }
        });
        EXPECT_EQ(answers, count);
    });
}

// --- several tasks on one socket ----------------------------------------------------------------

// More than a turn's share each, so that one finds the socket busy with the other's datagram.
task<> send_many(udp_socket& socket, endpoint to, int& sent) {
    for (int i = 0; i < 3000; ++i) {
        auto done = co_await as_result(socket.sendto("datagram", to));
        sent += static_cast<bool>(done);
    }
}

TEST_P(udp, several_tasks_may_send_on_one_socket) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        auto deaf = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint to = deaf.local_endpoint();
        int sent = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 3; ++i) {
                group.spawn(send_many, std::ref(socket), to, std::ref(sent));
            }
            co_return;
        });
        EXPECT_EQ(sent, 9000);
    });
}

TEST_P(udp, who_waits_for_a_turn_to_send_can_be_cancelled_or_told_of_a_close) {
    run([&]() -> task<> {
        auto deaf = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint to = deaf.local_endpoint();
        for (const bool closes : {false, true}) {
            auto socket = co_await udp_socket::bind("127.0.0.1:0");
            int ended = 0;
            const auto send_until_it_fails = [&]() -> task<> {
                for (bool good = true; good;) {
                    auto done = co_await as_result(socket.sendto("datagram", to));
                    good = static_cast<bool>(done);
                }
                ended += 1;
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 3; ++i) group.spawn(send_until_it_fails);
                co_await let_others_wait();
                if (closes) co_await socket.close();
                else group.cancel();
            });
            EXPECT_EQ(ended, closes ? 3 : 0);
        }
    });
}

TEST_P(udp, what_strangers_sent_before_connect_is_received_with_their_name) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        auto stranger = co_await udp_socket::bind("127.0.0.1:0");
        auto peer = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 16> buffer{};
        co_await stranger.sendto("before", socket.local_endpoint());
        co_await socket.connect(peer.local_endpoint());
        co_await stranger.sendto("after", socket.local_endpoint());
        co_await peer.sendto("true", socket.local_endpoint());
        auto first = co_await socket.recvfrom(buffer);
        EXPECT_EQ(first.from, stranger.local_endpoint());
        auto second = co_await socket.recvfrom(buffer);
        EXPECT_EQ(second.from, peer.local_endpoint());
        EXPECT_EQ(std::string_view(buffer.data(), second.size), "true");
    });
}

#ifdef IP_RECVERR  // Linux has it
class udp_on_kernel : public udp {};
ANEL_OVER_KERNELS(udp_on_kernel);

// The error stays in the queue of errors, which no receive empties: poll(2) tells of it every time.
TEST_P(udp_on_kernel, an_error_queue_that_nobody_reads_does_not_make_a_receive_spin) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const int on = 1;
        const int set =
            ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
        EXPECT_EQ(set, 0);
        auto gone = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint dead = gone.local_endpoint();
        gone.close_now();
        co_await socket.sendto("x", dead);
        std::array<char, 16> buffer{};
        const std::error_code told = co_await error_of(socket.recvfrom(buffer));
        EXPECT_EQ(told, code(ECONNREFUSED)) << "once";
        datagram_batch batch(16);
        for (const bool in_batch : {false, true}) {
            std::size_t received = 0;
            const auto take = [&]() -> task<> {
                if (in_batch) {
                    received = co_await socket.recv_batch(batch);
                } else {
                    auto one = co_await socket.recvfrom(buffer);
                    received = one.size > 0;
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(take);
                const backend_counters before = co_await current_counters();
                co_await sleep_for(200ms);
                const backend_counters after = co_await current_counters();
                EXPECT_LE(after.waits - before.waits, 500U) << "it spins";
                EXPECT_EQ(received, 0U);
                auto other = co_await udp_socket::bind("127.0.0.1:0");
                co_await other.sendto("y", socket.local_endpoint());
            });
            EXPECT_EQ(received, 1U);
        }
    });
}
#endif

}  // namespace
}  // namespace anel::test
