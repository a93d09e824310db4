// udp_batch_test.cpp: datagrams in batches: the same ones as one by one, and each its own fate.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <algorithm>

namespace anel::test {
namespace {

class udp_batch : public over_backends {};
ANEL_OVER_BACKENDS(udp_batch);

/// The datagrams of a batch, each followed by a bar.
std::string text_of(const datagram_batch& batch) {
    std::string text;
    for (const auto message : batch) text.append(message.text()).append("|");
    return text;
}

/// The errno of each datagram.
std::vector<int> errors_in(const datagram_batch& batch) {
    std::vector<int> errors;
    for (const auto message : batch) errors.push_back(message.error().value());
    return errors;
}

/// Receives until `count` have come.
task<std::string> gather(udp_socket& from, std::size_t count) {
    datagram_batch batch;
    std::string text;
    for (std::size_t received = 0; received < count;) {
        const std::size_t more = co_await from.recv_batch(batch);
        received += more;
        text += text_of(batch);
    }
    co_return text;
}

TEST_P(udp_batch, a_batch_goes_there_and_comes_back_changed) {
    run([&]() -> task<> {
        std::vector<endpoint> addresses{endpoint("127.0.0.1:0")};
        if (has_ipv6()) addresses.emplace_back("[::1]:0");
        for (const endpoint& address : addresses) {
            auto server = co_await udp_socket::bind(address);
            auto first = co_await udp_socket::bind(address);
            auto second = co_await udp_socket::bind(address);
            datagram_batch batch;
            // A busy kernel may queue the second datagram after the first was received.
            int together = 0;
            for (int round = 0; round < 100 && together < 3; ++round) {
                co_await first.sendto("one", server.local_endpoint());
                co_await second.sendto("and two", server.local_endpoint());
                const std::size_t count = co_await server.recv_batch(batch);
                if (count == 1) {
                    const std::string late = co_await gather(server, 1);
                    EXPECT_EQ(text_of(batch) + late, "one|and two|");
                    continue;
                }
                together += 1;
                EXPECT_EQ(count, 2U);
                EXPECT_EQ(text_of(batch), "one|and two|");
                EXPECT_EQ(batch[0].peer(), first.local_endpoint());
                EXPECT_EQ(batch[1].peer(), second.local_endpoint());
                EXPECT_FALSE(batch[0].truncated());
                batch[0].assign("longer than before");
                batch[1].assign(batch[1].text().substr(4));
                co_await server.send_batch(batch);
                EXPECT_EQ(errors_in(batch), std::vector<int>({0, 0}));
                const std::string to_first = co_await gather(first, 1);
                EXPECT_EQ(to_first, "longer than before|");
                const std::string to_second = co_await gather(second, 1);
                EXPECT_EQ(to_second, "two|");
            }
            EXPECT_EQ(together, 3);
        }
    });
}

TEST_P(udp_batch, recv_waits_for_the_first_datagram) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        std::string received;
        const auto take = [&](udp_socket& from) -> task<> { received = co_await gather(from, 5); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(socket));
            co_await let_others_wait();
            peer.write("0");
            co_await let_others_wait();
            for (const char* text : {"1", "2", "3"}) peer.write(text);
            co_await let_others_wait();
            peer.write("4");
        });
        EXPECT_EQ(received, "0|1|2|3|4|");
    });
}

TEST_P(udp_batch, recv_takes_64_at_most_and_the_others_with_the_next) {
    run([&]() -> task<> {
        udp_options roomy;
        roomy.receive_buffer = 1 << 20;
        auto receiver = co_await udp_socket::bind("127.0.0.1:0", roomy);
        auto sender = co_await udp_socket::bind("127.0.0.1:0");
        datagram_batch batch;
        // A busy kernel may queue some of them after others were received; mostly it does not.
        int as_expected = 0;
        for (int round = 0; round < 100 && as_expected < 3; ++round) {
            std::string sent;
            for (int i = 0; i < 150; ++i) {
                const std::string number = std::to_string(round * 1000 + i);
                sent.append(number).append("|");
                if (!batch.push(number, receiver.local_endpoint())) {
                    co_await sender.send_batch(batch);
                    batch.clear();
                    EXPECT_TRUE(batch.push(number, receiver.local_endpoint()));
                }
            }
            co_await sender.send_batch(batch);
            std::string received;
            std::vector<std::size_t> counts;
            while (received.size() < sent.size()) {
                const std::size_t count = co_await receiver.recv_batch(batch);
                counts.push_back(count);
                received += text_of(batch);
            }
            as_expected += counts == std::vector<std::size_t>({64, 64, 22});
            EXPECT_LE(*std::max_element(counts.begin(), counts.end()), 64U);
            EXPECT_EQ(received, sent);
            batch.clear();
        }
        EXPECT_EQ(as_expected, 3);
    });
}

TEST_P(udp_batch, every_size_up_to_the_largest_arrives_whole) {
    run([&]() -> task<> {
        udp_options roomy;
        roomy.receive_buffer = 1 << 20;
        auto socket = co_await udp_socket::bind("127.0.0.1:0", roomy);
        const std::size_t sizes[] = {0, 1, 1472, 65'507, 1473, 0, 9000};
        datagram_batch batch;
        for (const std::size_t size : sizes) {
            EXPECT_TRUE(batch.push(pattern(size), socket.local_endpoint()));
        }
        co_await socket.send_batch(batch);
        std::size_t seen = 0;
        while (seen < std::size(sizes)) {
            co_await socket.recv_batch(batch);
            for (const auto message : batch) {
                EXPECT_TRUE(message.text() == pattern(sizes[seen])) << sizes[seen];
                EXPECT_FALSE(message.truncated());
                seen += 1;
            }
        }
    });
}

TEST_P(udp_batch, a_datagram_longer_than_the_room_is_marked_as_truncated) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        for (const std::size_t room : {0UL, 1UL, 100UL}) {
            datagram_batch batch(room);
            for (int again = 0; again < 2; ++again) {
                std::vector<std::size_t> sizes{0, 5000, 1, 99, 100, 101};
                for (const std::size_t size : sizes) {
                    EXPECT_TRUE(peer.send_datagram(std::string(size, 'x')));
                }
                for (std::size_t seen = 0; seen < sizes.size();) {
                    co_await socket.recv_batch(batch);
                    for (const auto message : batch) {
                        EXPECT_EQ(message.bytes().size(), std::min(sizes[seen], room));
                        EXPECT_EQ(message.truncated(), sizes[seen] > room);
                        EXPECT_EQ(message.peer(), peer.local_endpoint());
                        seen += 1;
                    }
                }
            }
            EXPECT_TRUE(batch.empty() || batch[0].room().size() == room);
        }
    });
}

TEST_P(udp_batch, one_that_is_too_large_is_told_and_the_others_are_sent) {
    run([&]() -> task<> {
        auto receiver = co_await udp_socket::bind("127.0.0.1:0");
        auto sender = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint to = receiver.local_endpoint();
        const std::string large(65'508, 'x');
        for (const std::vector<int>& bad : {std::vector{2}, {0}, {4}, {0, 1}, {1, 3, 4}}) {
            datagram_batch batch;
            std::vector<int> expected;
            std::string others;
            for (int i = 0; i < 5; ++i) {
                const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
                expected.push_back(is_bad ? EMSGSIZE : 0);
                EXPECT_TRUE(batch.push(is_bad ? large : std::to_string(i), to));
                if (!is_bad) others += std::to_string(i) + "|";
            }
            const std::string text = co_await failure_of(sender.send_batch(batch));
            EXPECT_EQ(text, "send_batch " + to.to_string() + ": Message too long (EMSGSIZE)");
            EXPECT_EQ(errors_in(batch), expected);
            const std::string received = co_await gather(receiver, expected.size() - bad.size());
            EXPECT_EQ(received, others);
            // What could be sent is taken out; the error of what could not stays with it.
            batch.erase_if([](batched_datagram each) { return !each.error(); });
            EXPECT_EQ(batch.size(), bad.size());
            for (const auto message : batch) message.assign("smaller");
            const auto again = co_await as_result(sender.send_batch(batch));
            EXPECT_TRUE(again);
            EXPECT_EQ(errors_in(batch), std::vector<int>(bad.size(), 0));
            co_await gather(receiver, bad.size());
        }
    });
}

TEST_P(udp_batch, a_connected_socket_is_told_which_datagram_was_refused) {
    run([&]() -> task<> {
        raw_socket gone = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        const endpoint address = gone.local_endpoint();
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        gone.close();  // now: the next to bind might get this port
        const endpoint self = client.local_endpoint();
        datagram_batch batch;
        EXPECT_TRUE(batch.push("x"));
        const std::string text = co_await failure_of(client.send_batch(batch));
        EXPECT_EQ(text, "send_batch: Destination address required (EDESTADDRREQ)");
        co_await client.connect(address);
        for (const char* number : {"1", "2", "3"}) EXPECT_TRUE(batch.push(number));
        // That one was refused is told instead of sending the next. sendmmsg(2) would drop it.
        const std::error_code error = co_await error_of(client.send_batch(batch));
        EXPECT_EQ(error, code(ECONNREFUSED));
        EXPECT_EQ(errors_in(batch), std::vector<int>({0, ECONNREFUSED, 0, ECONNREFUSED}));
        co_await client.send("again");
        const std::string refused = co_await failure_of(client.recv_batch(batch));
        EXPECT_EQ(refused,
                  "recv_batch " + self.to_string() + ": Connection refused (ECONNREFUSED)");
        EXPECT_TRUE(batch.empty());
        // Somebody listens there now.
        auto server = co_await udp_socket::bind(address);
        for (const char* number : {"4", "5"}) EXPECT_TRUE(batch.push(number));
        co_await client.send_batch(batch);
        std::string there;
        while (there.size() < 4) {
            co_await server.recv_batch(batch);
            there += text_of(batch);
            co_await server.send_batch(batch);
        }
        EXPECT_EQ(there, "4|5|");
        const std::string back = co_await gather(client, 2);
        EXPECT_EQ(back, "4|5|");
    });
}

TEST_P(udp_batch, an_error_does_not_cost_a_datagram_that_has_arrived) {
    run([&]() -> task<> {
        raw_socket peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        const endpoint address = peer.local_endpoint();
        peer.close();
        for (const bool parked : {false, true}) {
            auto client = co_await udp_socket::bind("127.0.0.1:0");
            auto server = co_await udp_socket::bind(address);
            co_await client.connect(address);
            datagram_batch batch;
            std::vector<std::string> seen;
            const auto take = [&](udp_socket& from) -> task<> {
                for (std::size_t count = 0; count < 3;) {
                    const auto received = co_await as_result(from.recv_batch(batch));
                    if (!received) seen.emplace_back(received.error().message());
                    for (const auto message : batch) seen.emplace_back(message.text());
                    count += batch.size();
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (parked) {
                    group.spawn(take, std::ref(client));
                    co_await let_others_wait();
                }
                co_await server.sendto("a", client.local_endpoint());
                co_await server.sendto("b", client.local_endpoint());
                co_await server.close();
                co_await client.send("nobody gets it");
                auto reborn = co_await udp_socket::bind(address);
                co_await reborn.sendto("c", client.local_endpoint());
                if (!parked) co_await take(client);
            });
            const auto refused = std::find(seen.begin(), seen.end(), "Connection refused");
            EXPECT_NE(refused, seen.end());
            if (refused != seen.end()) seen.erase(refused);
            EXPECT_EQ(seen, std::vector<std::string>({"a", "b", "c"}));
        }
    });
}

TEST_P(udp_batch, receives_one_by_one_and_in_batches_mix) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        std::string received;
        const auto take = [&](udp_socket& from) -> task<> {
            std::array<char, 16> buffer{};
            datagram_batch batch;
            while (received.size() < 2 * 40) {
                co_await from.recv_batch(batch);
                received += text_of(batch);
                if (received.size() >= 2 * 40) break;
                const auto one = co_await from.recvfrom(buffer);
                received.append(buffer.data(), one.size).append("|");
            }
        };
        std::string sent;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(socket));
            for (int i = 0; i < 40; ++i) {
                for (int turns = i % 4; turns > 0; --turns) co_await next_turn();
                const char letter = static_cast<char>('A' + i);
                peer.write(std::string_view(&letter, 1));
                sent.append(1, letter).append("|");
            }
        });
        EXPECT_EQ(received, sent);
    });
}

TEST_P(udp_batch, close_ends_a_waiting_recv_with_ECANCELED) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        datagram_batch batch;
        std::error_code error;
        const auto take = [&](udp_socket& from) -> task<> {
            error = co_await error_of(from.recv_batch(batch));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(socket));
            co_await let_others_wait();
            co_await socket.close();
        });
        EXPECT_EQ(error, code(ECANCELED));
        const std::error_code closed = co_await error_of(socket.recv_batch(batch));
        EXPECT_EQ(closed, code(EBADF));
        EXPECT_TRUE(batch.push("x", self));
        EXPECT_TRUE(batch.push("y", self));
        const std::error_code sending = co_await error_of(socket.send_batch(batch));
        EXPECT_EQ(sending, code(EBADF));
        EXPECT_EQ(errors_in(batch), std::vector<int>({EBADF, EBADF}));
    });
}

TEST_P(udp_batch, a_timed_out_recv_takes_nothing) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        datagram_batch batch;
        EXPECT_TRUE(batch.push("left over", socket.local_endpoint()));
        const std::error_code error =
            co_await error_of(with_timeout(1ms, socket.recv_batch(batch)));
        EXPECT_EQ(error, std::errc::timed_out);
        EXPECT_TRUE(batch.empty());
        co_await socket.sendto("later", socket.local_endpoint());
        const std::string received = co_await gather(socket, 1);
        EXPECT_EQ(received, "later|");
    });
}

TEST_P(udp_batch, sending_an_empty_batch_sends_nothing) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        datagram_batch batch;
        co_await socket.send_batch(batch);
        EXPECT_TRUE(batch.push("", socket.local_endpoint()));  // an empty datagram is one
        co_await socket.send_batch(batch);
        const std::size_t count = co_await socket.recv_batch(batch);
        EXPECT_EQ(count, 1U);
        EXPECT_EQ(batch[0].text(), "");
    });
}

class udp_batch_turns : public over_backends {};
ANEL_OVER_KERNELS(udp_batch_turns);

TEST_P(udp_batch_turns, a_socket_that_always_has_64_leaves_the_others_their_turn) {
    run([&]() -> task<> {
        udp_options roomy;
        roomy.receive_buffer = 1 << 20;
        auto socket = co_await udp_socket::bind("127.0.0.1:0", roomy);
        int batches = 0;
        const auto spin = [&](udp_socket& own) -> task<> {
            datagram_batch batch;
            while (batch.push("round and round", own.local_endpoint())) {}
            co_await own.send_batch(batch);
            for (;;) {
                co_await own.recv_batch(batch);
                co_await own.send_batch(batch);
                batches += 1;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(spin, std::ref(socket));
            co_await let_others_wait();
            for (int i = 0; i < 100; ++i) {
                const int before = batches;
                co_await next_turn();
                EXPECT_LE(batches - before, 3);
            }
            EXPECT_GE(batches, 30);
            group.cancel();
        });
    });
}

}  // namespace
}  // namespace anel::test
