// unix_message_test.cpp: datagrams and connections for messages over unix sockets.
// SPDX-License-Identifier: MIT
#include "tests/support/unix_place.hpp"

#include <anel/unix.hpp>

namespace anel::test {
namespace {

class unix_messages : public over_unix_sockets {};
ANEL_OVER_KERNELS(unix_messages);

TEST_P(unix_messages, datagrams_come_whole_and_in_order_with_their_sender) {
    run([&]() -> task<> {
        auto receiver = co_await unix_datagram_socket::bind(at("receiver"));
        auto sender = co_await unix_datagram_socket::bind(at("sender"));
        auto nameless = co_await unix_datagram_socket::open();
        EXPECT_EQ(receiver.local_endpoint(), at("receiver"));
        co_await sender.sendto("one", at("receiver"));
        co_await sender.sendto("", at("receiver"));
        co_await nameless.sendto("three times", at("receiver"));
        std::array<char, 8> buffer{};
        auto one = co_await receiver.recvfrom(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), one.size), "one");
        EXPECT_EQ(one.from, at("sender"));
        EXPECT_FALSE(one.truncated);
        auto empty = co_await receiver.recvfrom(buffer);
        EXPECT_EQ(empty.size, 0U);
        EXPECT_EQ(empty.from, at("sender"));
        auto cut = co_await receiver.recvfrom(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), cut.size), "three ti");
        EXPECT_TRUE(cut.truncated);
        EXPECT_EQ(cut.from, endpoint::unix_unnamed());
        co_await receiver.sendto("answer", one.from);
        auto answer = co_await sender.recvfrom(buffer);
        EXPECT_EQ(answer.size, 6U);
        EXPECT_EQ(answer.from, at("receiver"));
    });
}

TEST_P(unix_messages, a_connected_datagram_socket_knows_its_peer) {
    run([&]() -> task<> {
        auto server = co_await unix_datagram_socket::bind(at("server"));
        auto client = co_await unix_datagram_socket::bind(at("client"));
        std::string text = co_await failure_of(client.send("nobody"));
        EXPECT_TRUE(text.starts_with("sendmsg " + at("client").to_string())) << text;
        EXPECT_TRUE(text.ends_with("(ENOTCONN)") || text.ends_with("(EDESTADDRREQ)")) << text;
        co_await client.connect(at("server"));
        co_await client.send("hello");
        std::array<char, 8> buffer{};
        auto got = co_await server.recvfrom(buffer);
        EXPECT_EQ(got.size, 5U);
        server.stop();
        EXPECT_FALSE(exists("server"));
        text = co_await failure_of(client.send("still there?"));
        EXPECT_EQ(text,
                  "sendmsg " + at("client").to_string() + ": Connection refused (ECONNREFUSED)");
        text = co_await failure_of(client.sendto("x", at("server")));
        EXPECT_EQ(text,
                  "sendmsg " + at("server").to_string() + ": No such file or directory (ENOENT)");
    });
}

/// Sends without waiting until the receiver takes no more. Returns how many it took.
std::size_t fill(const endpoint& receiver) {
    const raw_socket other = raw_socket::connected_to(receiver, SOCK_DGRAM);
    std::size_t count = 0;
    while (send_with(other.fd(), "full", {})) count += 1;
    return count;
}

// What fills it is somebody else's: nothing of the sender's own is ever taken out.
TEST_P(unix_messages, who_sends_to_a_receiver_that_is_full_waits) {
    run([&]() -> task<> {
        auto receiver = co_await unix_datagram_socket::bind(at());
        auto connected = co_await unix_datagram_socket::open();
        co_await connected.connect(at());
        auto naming = co_await unix_datagram_socket::open();
        const std::size_t others = fill(at());
        EXPECT_GT(others, 0U);
        int ended = 0;
        std::string all;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto send = [&]() -> task<> {
                co_await connected.send("A");
                ended += 1;
            };
            const auto send_to = [&]() -> task<> {
                co_await naming.sendto("B", at());
                ended += 1;
            };
            const auto lose = [&]() -> task<> {
                auto sent = co_await as_result(with_timeout(1ms, naming.sendto("C", at())));
                EXPECT_EQ(sent.error(), std::errc::timed_out);
                auto again = co_await as_result(with_timeout(1ms, connected.send("D")));
                EXPECT_EQ(again.error(), std::errc::timed_out);
            };
            co_await lose();
            group.spawn(send);
            group.spawn(send_to);
            co_await let_others_wait();
            const backend_counters before = co_await current_counters();
            co_await sleep_for(50ms);
            const backend_counters after = co_await current_counters();
            EXPECT_LT(after.waits - before.waits, 100U) << "it does not try all the time";
            EXPECT_EQ(ended, 0);
            std::array<char, 8> buffer{};
            for (std::size_t left = others + 2; left > 0; --left) {
                auto got = co_await receiver.recvfrom(buffer);
                if (got.size == 1) all.append(buffer.data(), got.size);
            }
        });
        EXPECT_EQ(ended, 2);
        EXPECT_TRUE(all == "AB" || all == "BA") << all;
        std::array<char, 8> buffer{};
        auto more = co_await as_result(with_timeout(0s, receiver.recvfrom(buffer)));
        EXPECT_EQ(more.error(), std::errc::timed_out) << "a cancelled send has sent nothing";
    });
}

TEST_P(unix_messages, who_waits_for_a_receiver_that_goes_is_told) {
    run([&]() -> task<> {
        auto receiver = co_await unix_datagram_socket::bind(at());
        auto connected = co_await unix_datagram_socket::open();
        co_await connected.connect(at());
        auto naming = co_await unix_datagram_socket::open();
        EXPECT_GT(fill(at()), 0U);
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto send = [&]() -> task<> {
                auto sent = co_await as_result(connected.send("A"));
                EXPECT_EQ(sent.error(), code(ECONNREFUSED));
            };
            const auto send_to = [&]() -> task<> {
                auto sent = co_await as_result(naming.sendto("B", at()));
                EXPECT_EQ(sent.error(), code(ENOENT));
            };
            group.spawn(send);
            group.spawn(send_to);
            co_await let_others_wait();
            receiver.stop();
        });
    });
}

TEST_P(unix_messages, several_tasks_send_on_one_socket) {
    run([&]() -> task<> {
        auto receiver = co_await unix_datagram_socket::bind(at());
        auto sender = co_await unix_datagram_socket::open();
        co_await sender.connect(at());
        constexpr std::size_t count = 40;  // more than the receiver holds
        std::string all;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto send = [&](char which) -> task<> {
                const std::string_view byte(&which, 1);
                co_await sender.send(byte);
            };
            for (std::size_t i = 0; i < count; ++i) {
                group.spawn(send, static_cast<char>('0' + i));
            }
            co_await let_others_wait();
            std::array<char, 8> buffer{};
            while (all.size() < count) {
                auto got = co_await receiver.recvfrom(buffer);
                all.append(buffer.data(), got.size);
            }
        });
        EXPECT_TRUE(std::is_sorted(all.begin(), all.end())) << "first come, first served";
    });
}

TEST_P(unix_messages, close_ends_a_receive_and_removes_the_file) {
    run([&]() -> task<> {
        auto socket = co_await unix_datagram_socket::bind(at());
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto wait = [&]() -> task<> {
                std::array<char, 8> buffer{};
                auto got = co_await as_result(socket.recvfrom(buffer));
                EXPECT_EQ(got.error(), code(ECANCELED));
            };
            group.spawn(wait);
            co_await let_others_wait();
            co_await socket.close();
        });
        EXPECT_FALSE(exists());
        std::array<char, 8> buffer{};
        auto closed = co_await as_result(socket.recvfrom(buffer));
        EXPECT_EQ(closed.error(), code(EBADF));
    });
}

TEST_P(unix_messages, a_file_is_taken_over_only_from_who_is_gone) {
    { const raw_socket gone = raw_socket::bound_to(at(), SOCK_DGRAM); }
    run([&]() -> task<> {
        unix_options options;
        options.reuse_address = false;
        std::string text = co_await failure_of(unix_datagram_socket::bind(at(), options));
        EXPECT_EQ(text, "bind " + at().to_string() + ": Address already in use (EADDRINUSE)");
        auto first = co_await unix_datagram_socket::bind(at());
        text = co_await failure_of(unix_datagram_socket::bind(at()));
        EXPECT_EQ(text, "bind " + at().to_string() + ": Address already in use (EADDRINUSE)");
        text = co_await failure_of(tcp_listener::bind(at()));
        EXPECT_EQ(text, "bind " + at().to_string() + ": Address already in use (EADDRINUSE)");
        EXPECT_TRUE(exists());
        const int fd = first.release();
        EXPECT_TRUE(exists()) << "it belongs to whoever has the descriptor";
        {
            auto again = co_await unix_datagram_socket::adopt(fd);
            EXPECT_EQ(again.local_endpoint(), at());
        }
        auto second = co_await unix_datagram_socket::bind(at());
    });
}

TEST_P(unix_messages, what_is_no_such_socket_is_refused) {
    run([&]() -> task<> {
        std::string text = co_await failure_of(unix_datagram_socket::bind("127.0.0.1:0"));
        EXPECT_TRUE(text.starts_with("bind 127.0.0.1:0: ")) << text;
        auto socket = co_await unix_datagram_socket::open();
        text = co_await failure_of(socket.sendto("x", "127.0.0.1:9"));
        EXPECT_TRUE(text.starts_with("sendmsg 127.0.0.1:9: ")) << text;
        auto listener = co_await tcp_listener::bind(at());
        text = co_await failure_of(socket.connect(at()));
        EXPECT_TRUE(text.ends_with("(EPROTOTYPE)")) << text;
        auto udp = co_await udp_socket::bind("127.0.0.1:0");
        text = co_await failure_of(unix_datagram_socket::adopt(udp.native_handle()));
        EXPECT_TRUE(text.starts_with("adopt descriptor ")) << text;
        EXPECT_TRUE(text.find(" as a unix datagram socket (no unix socket): ") != text.npos);
        text = co_await failure_of(udp_socket::adopt(socket.native_handle()));
        EXPECT_TRUE(text.find(" as a datagram socket (a unix socket): ") != text.npos) << text;
        text = co_await failure_of(unix_seqpacket_socket::adopt(socket.native_handle()));
        EXPECT_TRUE(text.find(" (no seqpacket socket): ") != text.npos) << text;
    });
}

#ifdef __linux__
TEST_P(unix_messages, abstract_names_have_no_file_and_the_system_can_choose_one) {
    const endpoint name = "unix:@anel-test-" + std::to_string(::getpid());
    run([&]() -> task<> {
        auto named = co_await unix_datagram_socket::bind(name);
        EXPECT_EQ(named.local_endpoint(), name);
        std::string text = co_await failure_of(unix_datagram_socket::bind(name));
        EXPECT_TRUE(text.ends_with("(EADDRINUSE)")) << text;
        auto chosen = co_await unix_datagram_socket::bind(endpoint::unix_unnamed());
        EXPECT_TRUE(chosen.local_endpoint().path().starts_with('@'));
        co_await chosen.sendto("ping", name);
        std::array<char, 8> buffer{};
        auto got = co_await named.recvfrom(buffer);
        EXPECT_EQ(got.from, chosen.local_endpoint());
        co_await named.sendto("pong", got.from);
        auto answer = co_await chosen.recvfrom(buffer);
        EXPECT_EQ(answer.from, name);
    });
}
#endif

#ifndef __APPLE__
TEST_P(unix_messages, a_connection_keeps_messages_apart) {
    run([&]() -> task<> {
        auto listener = co_await unix_seqpacket_listener::bind(at());
        EXPECT_EQ(listener.local_endpoint(), at());
        auto client = co_await connect_seqpacket(at());
        auto server = co_await listener.accept();
        co_await client.send("one");
        co_await client.send("and two");
        std::array<char, 4> buffer{};
        auto one = co_await server.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), one.size), "one");
        auto two = co_await server.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), two.size), "and ");
        EXPECT_TRUE(two.truncated);
#if defined(__linux__) && defined(ANEL_POSIX_ONLY)
        EXPECT_THROW((void)client.credentials(), io_error) << "a system that does not tell";
#else
        EXPECT_EQ(client.credentials().process, ::getpid());
        EXPECT_EQ(server.credentials().user, ::geteuid());
#endif
        EXPECT_THROW((void)client.send(""), io_error);
        client.close_now();
        auto end = co_await server.recv(buffer);
        EXPECT_EQ(end.size, 0U);
        std::string text = co_await failure_of(server.send("x"));
        EXPECT_EQ(text, "sendmsg " + at().to_string() + ": Broken pipe (EPIPE)");
        listener.stop();
        EXPECT_FALSE(exists());
        text = co_await failure_of(connect_seqpacket(at()));
        EXPECT_EQ(text, "connect " + at().to_string() + ": No such file or directory (ENOENT)");
    });
}

TEST_P(unix_messages, a_connection_whose_peer_does_not_read_waits_and_loses_nothing) {
    run([&]() -> task<> {
        auto listener = co_await unix_seqpacket_listener::bind(at());
        auto client = co_await connect_seqpacket(at());
        auto server = co_await listener.accept();
        constexpr std::size_t count = 500;
        const std::string bytes = pattern(4'000);
        std::size_t sent = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto send = [&]() -> task<> {
                for (; sent < count; ++sent) co_await client.send(bytes);
                client.close_now();
            };
            group.spawn(send);
            co_await let_others_wait();
            EXPECT_LT(sent, count);
            std::vector<char> buffer(5'000);
            std::size_t received = 0;
            for (bool more = true; more;) {
                auto got = co_await server.recv(buffer);
                more = got.size > 0;
                received += more;
                EXPECT_TRUE(!more || std::string_view(buffer.data(), got.size) == bytes);
            }
            EXPECT_EQ(received, count);
        });
    });
}

TEST_P(unix_messages, a_listener_is_released_and_adopted_and_so_is_a_connection) {
    run([&]() -> task<> {
        auto bound = co_await unix_seqpacket_listener::bind(at());
        auto listener = co_await unix_seqpacket_listener::adopt(bound.release());
        auto client = co_await connect_seqpacket(at());
        auto accepted = co_await listener.accept();
        auto server = co_await unix_seqpacket_socket::adopt(accepted.release());
        co_await server.send("x");
        std::array<char, 4> buffer{};
        auto got = co_await client.recv(buffer);
        EXPECT_EQ(got.size, 1U);
        std::string text =
            co_await failure_of(unix_seqpacket_socket::adopt(listener.native_handle()));
        EXPECT_TRUE(text.find("(it is a listener)") != text.npos) << text;
        text = co_await failure_of(unix_seqpacket_listener::adopt(client.native_handle()));
        EXPECT_TRUE(text.find("(it does not listen)") != text.npos) << text;
    });
    EXPECT_TRUE(exists());
    ::unlink(path("s").c_str());
}
#endif

}  // namespace
}  // namespace anel::test
