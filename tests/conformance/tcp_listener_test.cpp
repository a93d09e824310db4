// tcp_listener_test.cpp: listening and accepting: the backlog, addresses, errors, given up accepts.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class listening : public over_backends {};
ANEL_OVER_BACKENDS(listening);
class listening_on_kernel : public listening {};
ANEL_OVER_KERNELS(listening_on_kernel);

TEST_P(listening, connections_wait_in_the_backlog_until_they_are_accepted) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        std::vector<raw_socket> early;
        for (int i = 0; i < 50; ++i) {
            early.push_back(raw_socket::connected_to(listener.local_endpoint()));
            early.back().write("number " + std::to_string(i));
            early.back().shutdown_write();
        }
        co_await let_others_wait();
        for (std::size_t i = 0; i < early.size(); ++i) {
            auto stream = co_await listener.accept();
            EXPECT_EQ(stream.peer_endpoint(), early[i].local_endpoint());
            const std::string text = co_await receive_all(stream);
            EXPECT_EQ(text, "number " + std::to_string(i));
        }
    });
}

TEST_P(listening, accept_waits_for_a_connection) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        for (int i = 0; i < 20; ++i) {
            raw_socket late;
            const auto connect_later = [&](endpoint address) -> task<> {
                co_await let_others_wait();
                late = raw_socket::connected_to(address);
            };
            tcp_stream accepted;
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(connect_later, listener.local_endpoint());
                accepted = co_await listener.accept();
            });
            EXPECT_EQ(accepted.peer_endpoint(), late.local_endpoint());
        }
    });
}

TEST_P(listening, port_zero_picks_a_free_port) {
    run([&]() -> task<> {
        auto first = co_await tcp_listener::bind("127.0.0.1:0");
        auto second = co_await tcp_listener::bind("127.0.0.1:0");
        EXPECT_NE(first.local_endpoint().port(), 0);
        EXPECT_NE(first.local_endpoint(), second.local_endpoint());
    });
}

TEST_P(listening, a_port_that_is_taken_cannot_be_bound) {
    run([&]() -> task<> {
        auto first = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint taken = first.local_endpoint();
        const std::size_t descriptors = count_descriptors();
        const std::string text = co_await failure_of(tcp_listener::bind(taken));
        EXPECT_EQ(text, "bind " + taken.to_string() + ": Address already in use (EADDRINUSE)");
        EXPECT_EQ(count_descriptors(), descriptors);
        first.stop();
        auto second = co_await tcp_listener::bind(taken);
        EXPECT_EQ(second.local_endpoint(), taken);
    });
}

TEST_P(listening, an_address_of_another_machine_cannot_be_bound) {
    run([&]() -> task<> {
        const std::string text = co_await failure_of(tcp_listener::bind("192.0.2.77:0"));
        EXPECT_EQ(text, "bind 192.0.2.77:0: Cannot assign requested address (EADDRNOTAVAIL)");
    });
}

TEST_P(listening, reuse_address_binds_beside_old_connections) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        auto client = co_await connect(address);
        auto server = co_await listener.accept();
        listener.stop();
        co_await server.close();  // first, so that its end of the connection lingers
        std::array<char, 8> buffer{};
        const std::size_t at_end = co_await client.recv(buffer);
        EXPECT_EQ(at_end, 0U);
        co_await client.close();

        listen_options without;
        without.reuse_address = false;
        const std::error_code refused = co_await error_of(tcp_listener::bind(address, without));
        EXPECT_EQ(refused, code(EADDRINUSE));
        auto again = co_await tcp_listener::bind(address);
        EXPECT_TRUE(again.is_open());
    });
}

TEST_P(listening, listeners_with_reuse_port_share_the_connections) {
    run([&]() -> task<> {
        listen_options shared;
        shared.reuse_port = true;
        auto first = co_await tcp_listener::bind("127.0.0.1:0", shared);
        const endpoint address = first.local_endpoint();
        auto second = co_await tcp_listener::bind(address, shared);
        const std::error_code stranger = co_await error_of(tcp_listener::bind(address));
        EXPECT_EQ(stranger, code(EADDRINUSE));
        constexpr int count = 100;
        std::vector<raw_socket> clients;
        for (int i = 0; i < count; ++i) clients.push_back(raw_socket::connected_to(address));
        int accepted[2] = {};
        const auto accept_all = [&](tcp_listener& from, int& counter) -> task<> {
            for (;;) {
                auto stream = co_await from.accept();
                counter += 1;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(accept_all, std::ref(first), std::ref(accepted[0]));
            group.spawn(accept_all, std::ref(second), std::ref(accepted[1]));
            while (accepted[0] + accepted[1] < count) co_await next_turn();
            group.cancel();
        });
        EXPECT_GT(accepted[0], 0);
        EXPECT_GT(accepted[1], 0);
    });
}

TEST_P(listening, an_ipv6_listener_takes_ipv4_connections) {
    if (!has_ipv6()) GTEST_SKIP() << "no ::1 here";
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("[::]:0");
        const std::uint16_t port = listener.local_endpoint().port();
        auto six = co_await connect(endpoint::loopback_ipv6(port));
        auto from_six = co_await listener.accept();
        EXPECT_EQ(from_six.peer_endpoint(), six.local_endpoint());
        auto four = co_await connect(endpoint::loopback_ipv4(port));
        auto from_four = co_await listener.accept();
        const endpoint mapped("::ffff:127.0.0.1", four.local_endpoint().port());
        EXPECT_EQ(from_four.peer_endpoint(), mapped);
        EXPECT_TRUE(from_four.peer_endpoint().is_loopback());
    });
}

TEST_P(listening, an_ipv6_listener_leaves_ipv4_alone_when_told_to) {
    if (!has_ipv6()) GTEST_SKIP() << "no ::1 here";
    run([&]() -> task<> {
        listen_options options;
        options.v6_only = true;
        for (int tries = 20; tries > 0; --tries) {
            auto listener = co_await tcp_listener::bind("[::]:0", options);
            const std::uint16_t port = listener.local_endpoint().port();
            auto beside = co_await as_result(tcp_listener::bind(endpoint::any_ipv4(port)));
            // Somebody else may use this port of IPv4.
            if (!beside && beside.error() == std::errc::address_in_use && tries > 1) continue;
            EXPECT_TRUE(beside);
            if (beside) beside->close_now();
            const std::error_code error = co_await error_of(connect(endpoint::loopback_ipv4(port)));
            EXPECT_EQ(error, code(ECONNREFUSED));
            auto six = co_await connect(endpoint::loopback_ipv6(port));
            auto from_six = co_await listener.accept();
            EXPECT_EQ(from_six.peer_endpoint(), six.local_endpoint());
            co_return;
        }
    });
}

TEST_P(listening, accept_without_a_free_descriptor_fails_and_the_connection_waits) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        raw_socket first = raw_socket::connected_to(address);
        {
            const no_descriptors_left none;
            for (int i = 0; i < 3; ++i) {
                const std::string text = co_await failure_of(listener.accept());
                EXPECT_EQ(text, "accept " + address.to_string() + ": Too many open files (EMFILE)");
            }
        }
        auto stream = co_await listener.accept();
        EXPECT_EQ(stream.peer_endpoint(), first.local_endpoint());
        first.write("x");
        const std::string byte = co_await receive(stream, 1);
        EXPECT_EQ(byte, "x");
    });
}

// accept4(2) takes a descriptor before it looks for a connection, and says EMFILE either way.
TEST_P(listening, accept_waits_without_a_free_descriptor_while_nobody_connects) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        std::string told = "nothing";
        const auto accept = [&]() -> task<> {
            auto accepted = co_await as_result(listener.accept());
            told = accepted ? "a connection" : accepted.error().message();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            {
                const no_descriptors_left none;
                group.spawn(accept);
                for (int i = 0; i < 3; ++i) co_await let_others_wait();
                EXPECT_EQ(told, "nothing");
            }
            const raw_socket caller = raw_socket::connected_to(listener.local_endpoint());
            co_await group.join();
            EXPECT_EQ(told, "a connection");
        });
    });
}

TEST_P(listening, close_ends_a_waiting_accept_with_ECANCELED) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        std::string text;
        const auto accept = [&](tcp_listener& from) -> task<> {
            text = co_await failure_of(from.accept());
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(accept, std::ref(listener));
            co_await let_others_wait();
            co_await listener.close();
        });
        EXPECT_EQ(text, "accept (the listener is closed): Operation canceled (ECANCELED)");
        const std::error_code refused = co_await error_of(connect(address));
        EXPECT_EQ(refused, code(ECONNREFUSED));
        const std::error_code closed = co_await error_of(listener.accept());
        EXPECT_EQ(closed, code(EBADF));
        auto again = co_await tcp_listener::bind(address);
        EXPECT_TRUE(again.is_open());
    });
}

TEST_P(listening, stop_resets_what_waits_in_the_backlog) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto waiting = co_await connect(listener.local_endpoint());
        listener.stop();
        EXPECT_FALSE(listener.is_open());
        std::array<char, 8> buffer{};
        const std::error_code error = co_await error_of(waiting.recv(buffer));
        EXPECT_EQ(error, code(ECONNRESET));
        listener.stop();
    });
}

TEST_P(listening, a_moved_listener_goes_on) {
    run([&]() -> task<> {
        auto first = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = first.local_endpoint();
        tcp_listener moved(std::move(first));
        EXPECT_FALSE(first.is_open());
        auto client = co_await connect(address);
        auto other = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint replaced = other.local_endpoint();
        other = std::move(moved);
        auto server = co_await other.accept();
        EXPECT_EQ(server.peer_endpoint(), client.local_endpoint());
        const std::error_code gone = co_await error_of(connect(replaced));
        EXPECT_EQ(gone, code(ECONNREFUSED));
    });
}

// A cancelled accept can still have taken a connection: it is handed over or closed, never lost.
TEST_P(listening_on_kernel, cancelled_accepts_lose_no_connection_and_no_descriptor) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        const std::size_t descriptors = count_descriptors();
        const int accepts = rounds(10'000);
        const int connects = accepts / 4;
        std::atomic<int> tried{0};
        std::thread clients([&] {
            for (int i = 0; i < connects; ++i) {
                while (tried.load() < i * 3) std::this_thread::yield();
                raw_socket::connected_to(address).reset();
            }
        });
        int accepted = 0;
        int cancelled = 0;
        for (int i = 1; i <= accepts; ++i) {
            // poll(2) rounds up to milliseconds: mostly the accept is cancelled in the next turn.
            const auto wait = std::chrono::microseconds(i % 16 == 0 ? 5 : 0);
            auto stream = co_await as_result(with_timeout(wait, listener.accept()));
            if (stream) {
                accepted += 1;
            } else {
                EXPECT_EQ(stream.error(), std::errc::timed_out);
                cancelled += 1;
            }
            tried.store(i);
        }
        tried.store(connects * 3);
        while (accepted < connects) {
            auto stream = co_await listener.accept();
            accepted += 1;
        }
        clients.join();
        EXPECT_EQ(accepted, connects);
        EXPECT_GT(cancelled, 0);
        EXPECT_EQ(count_descriptors(), descriptors);
        auto nothing = co_await as_result(with_timeout(1ms, listener.accept()));
        EXPECT_FALSE(nothing);
    });
}

}  // namespace
}  // namespace anel::test
