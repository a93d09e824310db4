// tcp_test.cpp: streams: what one end sends is what the other receives, however it travels.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class tcp : public over_backends {};
ANEL_OVER_BACKENDS(tcp);
class tcp_on_kernel : public tcp {};
ANEL_OVER_KERNELS(tcp_on_kernel);

TEST_P(tcp, recv_returns_zero_after_peer_shutdown) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("bye");
        co_await pair.client.shutdown_send();
        std::array<char, 64> buffer{};
        const std::size_t first = co_await pair.server.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), first), "bye");
        for (int i = 0; i < 3; ++i) {
            const std::size_t after = co_await pair.server.recv(buffer);
            EXPECT_EQ(after, 0U) << "the end stays the end";
        }
    });
}

TEST_P(tcp, recv_returns_zero_after_the_peer_closed) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.close();
        std::array<char, 64> buffer{};
        const std::size_t received = co_await pair.server.recv(buffer);
        EXPECT_EQ(received, 0U);
    });
}

TEST_P(tcp, recv_into_an_empty_buffer_returns_zero_at_once_and_means_no_end) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::span<char> nothing;
        const std::size_t before_data = co_await pair.server.recv(nothing);
        EXPECT_EQ(before_data, 0U);
        co_await pair.client.send("x");
        const std::size_t with_data = co_await pair.server.recv(nothing);
        EXPECT_EQ(with_data, 0U);
        co_await pair.server.recv_exact(nothing);
        const std::string byte = co_await receive(pair.server, 1);
        EXPECT_EQ(byte, "x");
    });
}

TEST_P(tcp, sending_nothing_is_done_at_once) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("");
        co_await pair.client.send("", "", "");
        const std::size_t sent = co_await pair.client.send_some("");
        EXPECT_EQ(sent, 0U);
        co_await pair.client.send("x");
        const std::string byte = co_await receive(pair.server, 1);
        EXPECT_EQ(byte, "x");
    });
}

TEST_P(tcp, recv_exact_gathers_pieces) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        std::string bytes(1000, '\0');
        const auto write_pieces = [&](const tcp_stream& stream) -> task<> {
            for (std::size_t at = 0; at < 1000; at += 100) {
                pair.peer.write(pattern(100, at));
                co_await until_drained(stream);
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(write_pieces, std::cref(pair.stream));
            co_await pair.stream.recv_exact(bytes);
        });
        EXPECT_EQ(bytes, pattern(1000));
    });
}

TEST_P(tcp, recv_exact_throws_unexpected_eof_when_the_stream_ends_before) {
    run([&]() -> task<> {
        for (const std::string_view part : {"", "a part"}) {
            for (const bool parked : {false, true}) {
                auto pair = co_await connected_to_raw();
                std::string bytes(100, '\0');
                std::string text;
                const auto take = [&](tcp_stream& from) -> task<> {
                    text = co_await failure_of(from.recv_exact(bytes));
                };
                const endpoint peer = pair.stream.peer_endpoint();
                co_await with_task_group([&](task_group& group) -> task<> {
                    if (parked) {
                        group.spawn(take, std::ref(pair.stream));
                        co_await let_others_wait();
                    }
                    pair.peer.write(part);
                    pair.peer.close();
                    if (!parked) co_await take(pair.stream);
                });
                EXPECT_EQ(text,
                          "recv " + peer.to_string() + ": the peer closed the connection early");
            }
        }
    });
}

// A small send buffer makes nearly every transfer come in pieces.
TEST_P(tcp, send_delivers_all_bytes_of_every_size) {
    run([&]() -> task<> {
        for (const std::size_t size : {1UL, 2UL, 4095UL, 4096UL, 4097UL, 65535UL, 65536UL, 65537UL,
                                       300'007UL, (1UL << 20) + 13, 16UL << 20}) {
            listen_options small;
            small.send_buffer = size > 1'000'000 ? 100'000 : 1;
            auto pair = co_await connected_pair("127.0.0.1:0", small);
            const std::string bytes = pattern(size);
            std::string received;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(&send_and_finish, std::ref(pair.server), std::string_view(bytes));
                // A reader of odd pieces, which is at times slower than the writer.
                received = co_await receive_all(pair.client, size > 100'000 ? 30'011 : 997);
            });
            EXPECT_EQ(received.size(), size);
            EXPECT_TRUE(received == bytes) << "of " << size << " bytes some are wrong";
        }
    });
}

TEST_P(tcp_on_kernel, send_waits_while_a_raw_peer_reads_slowly) {
    listen_options small;
    small.send_buffer = 1;
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw("127.0.0.1:0", small);
        const std::string bytes = pattern(800'000);
        std::string received;
        std::thread reader([&] {
            for (std::string part = pair.peer.read(1); !part.empty();) {
                received += part;
                part = pair.peer.read(received.size() % 7919 + 1);
            }
        });
        co_await pair.stream.send(bytes);
        co_await pair.stream.close();
        reader.join();
        EXPECT_TRUE(received == bytes);
    });
}

TEST_P(tcp, the_parts_of_a_send_arrive_in_order_wherever_it_is_split) {
    listen_options small;
    small.send_buffer = 1;
    run([&]() -> task<> {
        for (const std::size_t unit : {0UL, 1UL, 3UL, 1000UL, 4608UL, 65536UL, 100'000UL}) {
            auto pair = co_await connected_pair("127.0.0.1:0", small);
            const std::string head = pattern(unit, 1);
            const std::string body = pattern(unit * 3 + 1, 2);
            const std::string tail = pattern(unit / 2, 3);
            std::string received;
            const auto send_parts = [&](tcp_stream& to) -> task<> {
                co_await to.send(head, "", body, std::string_view(), tail, "\n");
                co_await to.send("", head);
                co_await to.shutdown_send();
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(send_parts, std::ref(pair.server));
                received = co_await receive_all(pair.client, 10'007);
            });
            EXPECT_TRUE(received == head + body + tail + "\n" + head) << unit;
        }
    });
}

TEST_P(tcp, send_takes_bytes_characters_and_arrays) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::array<std::byte, 2> array{std::byte{'a'}, std::byte{'b'}};
        std::array<std::byte, 2> writable = array;
        const std::string text = "cd";
        co_await pair.client.send(array);
        co_await pair.client.send(std::span(writable).first(1));
        co_await pair.client.send(text);
        co_await pair.client.send(std::string_view("ef"), std::span<const std::byte>(array));
        const std::string received = co_await receive(pair.server, 9);
        EXPECT_EQ(received, "abacdefab");
    });
}

TEST_P(tcp, send_some_sends_what_fits_and_says_how_much) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(40 << 20);
        const std::size_t sent = co_await pair.client.send_some(bytes);
        EXPECT_GT(sent, 0U);
        EXPECT_LT(sent, bytes.size());
        std::string received;
        co_await with_task_group([&](task_group& group) -> task<> {
            const std::string_view rest = std::string_view(bytes).substr(sent, 100);
            group.spawn(&send_and_finish, std::ref(pair.client), rest);
            received = co_await receive_all(pair.server);
        });
        EXPECT_TRUE(received == bytes.substr(0, sent + 100));
    });
}

TEST_P(tcp, each_direction_ends_by_itself) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.shutdown_send();
        std::array<char, 64> buffer{};
        std::size_t received = co_await pair.server.recv(buffer);
        EXPECT_EQ(received, 0U);
        co_await pair.server.send("still here");
        const std::string text = co_await receive(pair.client, 10);
        EXPECT_EQ(text, "still here");
        co_await pair.server.shutdown_send();
        received = co_await pair.client.recv(buffer);
        EXPECT_EQ(received, 0U);
    });
}

TEST_P(tcp, what_was_sent_before_a_close_arrives) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(100'000);
        std::string received;
        co_await pair.client.send(bytes);
        pair.client = tcp_stream();
        received = co_await receive_all(pair.server);
        EXPECT_TRUE(received == bytes);
    });
}

TEST_P(tcp, plays_ping_pong_with_many_messages) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const auto echo = [&](tcp_stream& stream) -> task<> {
            std::array<std::byte, 4096> buffer;
            while (auto n = co_await stream.recv(buffer)) {
                co_await stream.send(std::span(buffer).first(n));
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(echo, std::ref(pair.server));
            const std::string bytes = pattern(512 + 5000);
            for (std::size_t i = 0; i < 5000; ++i) {
                const std::string_view message = std::string_view(bytes).substr(i, 512);
                co_await pair.client.send(message);
                const std::string answer = co_await receive(pair.client, 512);
                EXPECT_EQ(answer, message);
                if (answer != message) break;
            }
            co_await pair.client.shutdown_send();
        });
    });
}

TEST_P(tcp_on_kernel, receives_a_message_that_dribbles_in_byte_by_byte) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const std::string bytes = pattern(3000);
        std::thread writer([&] {
            for (const char& byte : bytes) pair.peer.write(std::string_view(&byte, 1));
            pair.peer.shutdown_write();
        });
        std::string received = co_await receive(pair.stream, 1000);
        const std::string by_ones = co_await receive_all(pair.stream, 1);
        writer.join();
        EXPECT_EQ(received + by_ones, bytes);
    });
}

TEST_P(tcp, both_directions_of_one_stream_are_used_at_once) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string to_server = pattern(4 << 20, 7);
        const std::string to_client = pattern(4 << 20, 99);
        std::string at_server;
        std::string at_client;
        const auto gather = [](tcp_stream& from, std::string& into) -> task<> {
            into = co_await receive_all(from);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_finish, std::ref(pair.client), std::string_view(to_server));
            group.spawn(&send_and_finish, std::ref(pair.server), std::string_view(to_client));
            group.spawn(gather, std::ref(pair.client), std::ref(at_client));
            group.spawn(gather, std::ref(pair.server), std::ref(at_server));
            co_return;
        });
        EXPECT_TRUE(at_server == to_server);
        EXPECT_TRUE(at_client == to_client);
    });
}

TEST_P(tcp, works_over_ipv6) {
    if (!has_ipv6()) GTEST_SKIP() << "no ::1 here";
    run([&]() -> task<> {
        auto pair = co_await connected_pair("[::1]:0");
        EXPECT_EQ(pair.client.peer_endpoint().address_bytes(),
                  endpoint::loopback_ipv6(0).address_bytes());
        EXPECT_EQ(pair.client.local_endpoint(), pair.server.peer_endpoint());
        EXPECT_EQ(pair.server.local_endpoint(), pair.client.peer_endpoint());
        co_await pair.client.send("six");
        const std::string text = co_await receive(pair.server, 3);
        EXPECT_EQ(text, "six");
    });
}

TEST_P(tcp, both_ends_agree_on_their_addresses) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair("127.0.0.1:0");
        EXPECT_EQ(pair.client.peer_endpoint().with_port(0), endpoint("127.0.0.1:0"));
        EXPECT_EQ(pair.client.local_endpoint(), pair.server.peer_endpoint());
        EXPECT_EQ(pair.server.local_endpoint(), pair.client.peer_endpoint());
        EXPECT_NE(pair.client.local_endpoint(), pair.server.local_endpoint());
        const endpoint peer = pair.server.peer_endpoint();
        co_await pair.client.close();
        co_await pair.server.close();
        EXPECT_EQ(pair.server.peer_endpoint(), peer) << "known after the connection too";
    });
}

TEST_P(tcp, a_moved_stream_goes_on) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("abcdef");
        std::string text = co_await receive(pair.server, 2);
        tcp_stream moved(std::move(pair.server));
        EXPECT_FALSE(pair.server.is_open());
        EXPECT_EQ(pair.server.native_handle(), -1);
        text += co_await receive(moved, 2);
        tcp_stream assigned;
        assigned = std::move(moved);
        text += co_await receive(assigned, 2);
        EXPECT_EQ(text, "abcdef");

        auto other = co_await connected_pair();
        assigned = std::move(other.server);  // closes what it was
        std::array<char, 8> buffer{};
        const std::size_t at_end = co_await pair.client.recv(buffer);
        EXPECT_EQ(at_end, 0U);
        co_await other.client.send("new");
        text = co_await receive(assigned, 3);
        EXPECT_EQ(text, "new");
    });
}

TEST_P(tcp, connected_and_accepted_streams_do_not_delay_small_pieces) {
    const auto delayed = [](const anel::socket_handle& stream) {
        return option_of(stream.native_handle(), IPPROTO_TCP, TCP_NODELAY) == 0;
    };
    listen_options nagle;
    nagle.no_delay = false;
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        EXPECT_FALSE(delayed(pair.client));
        EXPECT_FALSE(delayed(pair.server));
        pair.server.set_no_delay(false);
        EXPECT_TRUE(delayed(pair.server));
        pair.server.set_no_delay(true);
        EXPECT_FALSE(delayed(pair.server));
        auto other = co_await connected_pair("127.0.0.1:0", nagle);
        EXPECT_TRUE(delayed(other.server));
    });
}

TEST_P(tcp_on_kernel, no_descriptor_is_inherited_by_another_program) {
    const std::vector<std::string> before = entries("/proc/self/fd");
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto datagrams = co_await udp_socket::bind("127.0.0.1:0");
        auto client = co_await connect(listener.local_endpoint());
        auto server = co_await listener.accept();
        int opened = 0;
        for (const std::string& name : entries("/proc/self/fd")) {
            const int flags = ::fcntl(std::stoi(name), F_GETFD);
            if (flags < 0 || std::count(before.begin(), before.end(), name) > 0) continue;
            EXPECT_EQ(flags & FD_CLOEXEC, FD_CLOEXEC) << "descriptor " << name;
            opened += 1;
        }
        EXPECT_GE(opened, 4);
    });
}

TEST_P(tcp_on_kernel, zero_is_a_descriptor_like_any_other) {
    const raw_socket kept(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    if (kept.fd() >= 0) ::close(0);
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto client = co_await connect(listener.local_endpoint());
        auto server = co_await listener.accept();
        co_await server.send("zero");
        std::string text = co_await receive(client, 4);
        EXPECT_EQ(text, "zero");
    });
    run([&]() -> task<> {
        // The backend's own descriptors are open by now; the first free number is for a stream.
        raw_socket zero(::fcntl(kept.fd() >= 0 ? kept.fd() : 1, F_DUPFD_CLOEXEC, 0));
        auto pair = co_await connected_pair();
        if (zero.fd() == 0) {
            zero.close();
            auto other = co_await connected_pair();
            EXPECT_TRUE(other.client.native_handle() == 0 || other.server.native_handle() == 0);
            co_await other.server.send("zero");
            std::string text = co_await receive(other.client, 4);
            EXPECT_EQ(text, "zero");
        }
    });
    if (kept.fd() >= 0) ::dup2(kept.fd(), 0);
}

// Data that nobody asks for must not keep the loop awake.
TEST_P(tcp, unread_data_and_ends_do_not_make_an_idle_loop_spin) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        auto half = co_await connected_to_raw();
        std::array<char, 4> buffer{};
        pair.peer.write("1234567890");
        half.peer.write("1");
        const std::size_t received = co_await pair.stream.recv(buffer);
        const std::size_t from_half = co_await half.stream.recv(buffer);
        EXPECT_EQ(received, 4U);
        EXPECT_EQ(from_half, 1U);
        half.peer.close();
        const backend_counters before = co_await current_counters();
        co_await sleep_for(50ms);
        pair.peer.write("more");
        co_await sleep_for(50ms);
        const backend_counters after = co_await current_counters();
        EXPECT_LE(after.waits - before.waits, 200U);  // a spin makes tens of thousands
    });
}

}  // namespace
}  // namespace anel::test
