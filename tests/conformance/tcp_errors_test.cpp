// tcp_errors_test.cpp: resets, closed peers, refused connections: each error once, with its text.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <fstream>

#ifdef __linux__
#include <net/if.h>
#include <sched.h>
#endif

namespace anel::test {
namespace {

class tcp_errors : public over_backends {};
ANEL_OVER_BACKENDS(tcp_errors);
class tcp_errors_on_kernel : public tcp_errors {};
ANEL_OVER_KERNELS(tcp_errors_on_kernel);

TEST_P(tcp_errors, a_reset_ends_recv_with_ECONNRESET_once) {
    run([&]() -> task<> {
        for (const bool parked : {false, true}) {
            auto pair = co_await connected_to_raw();
            std::array<char, 64> buffer{};
            std::string text;
            const auto take = [&](tcp_stream& from) -> task<> {
                text = co_await failure_of(from.recv(buffer));
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (parked) {
                    group.spawn(take, std::ref(pair.stream));
                    co_await let_others_wait();
                }
                pair.peer.reset();
                if (!parked) co_await take(pair.stream);
            });
            EXPECT_EQ(text, "recv " + pair.stream.peer_endpoint().to_string() +
                                ": Connection reset by peer (ECONNRESET)");
            // The error was told; what follows is the end, and no hang.
            auto after = co_await as_result(pair.stream.recv(buffer));
            EXPECT_TRUE(after && *after == 0) << after.error();
            const std::error_code sending = co_await error_of(pair.stream.send("x"));
            EXPECT_EQ(sending, code(EPIPE));
        }
    });
}

TEST_P(tcp_errors, a_reset_after_data_is_reported_and_never_taken_for_an_end) {
    run([&]() -> task<> {
        for (int round = 0; round < 20; ++round) {
            auto pair = co_await connected_to_raw();
            std::string received;
            std::error_code error;
            const auto take = [&](tcp_stream& from) -> task<> {
                std::array<char, 64> buffer{};
                for (;;) {
                    auto n = co_await as_result(from.recv(buffer));
                    if (!n) error = n.error();
                    if (!n || *n == 0) break;
                    received.append(buffer.data(), *n);
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (round % 2 == 0) {
                    group.spawn(take, std::ref(pair.stream));
                    co_await let_others_wait();
                }
                pair.peer.write("data");
                if (round % 4 < 2) co_await let_others_wait();
                pair.peer.reset();
                if (round % 2 != 0) co_await take(pair.stream);
            });
            EXPECT_EQ(error, code(ECONNRESET));
            EXPECT_TRUE(received == "data" || received.empty()) << received;
        }
    });
}

TEST_P(tcp_errors, a_reset_ends_a_waiting_send) {
    run([&]() -> task<> {
        for (const bool in_parts : {false, true}) {
            auto pair = co_await connected_to_raw();
            const std::string large(16 << 20, 'x');
            std::error_code error;
            const auto send = [&](tcp_stream& to) -> task<> {
                if (in_parts) error = co_await error_of(to.send("head", large));
                else error = co_await error_of(to.send(large));
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(send, std::ref(pair.stream));
                co_await let_others_wait();
                pair.peer.reset();
            });
            EXPECT_TRUE(error == code(ECONNRESET) || error == code(EPIPE)) << error;
        }
    });
}

TEST_P(tcp_errors, reset_on_close_resets_the_peer) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::array<char, 64> buffer{};
        pair.client.reset_on_close();
        co_await pair.client.close();
        const std::error_code error = co_await error_of(pair.server.recv(buffer));
        EXPECT_EQ(error, code(ECONNRESET));
    });
}

// With the disposition that SIGPIPE has in a program that does not care: it ends the process.
TEST_P(tcp_errors, a_send_to_a_closed_peer_fails_and_the_process_lives) {
    struct sigaction before{};
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGPIPE, &standard, &before);
    run([&]() -> task<> {
        for (int form = 0; form < 3; ++form) {
            auto pair = co_await connected_to_raw();
            pair.peer.close();
            std::error_code error;
            // The first bytes are sent; the answer to them is a reset.
            for (int i = 0; i < 100 && !error; ++i) {
                if (form == 0) error = co_await error_of(pair.stream.send("x"));
                else if (form == 1) error = co_await error_of(pair.stream.send("x", "y"));
                else error = co_await error_of(pair.stream.send_some("x"));
            }
            EXPECT_TRUE(error == code(ECONNRESET) || error == code(EPIPE)) << error;
            error = co_await error_of(pair.stream.send("x"));
            EXPECT_EQ(error, code(EPIPE));
        }
        auto pair = co_await connected_pair();
        co_await pair.client.shutdown_send();
        const std::string text = co_await failure_of(pair.client.send("x"));
        EXPECT_EQ(text,
                  "send " + pair.client.peer_endpoint().to_string() + ": Broken pipe (EPIPE)");
    });
    ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_P(tcp_errors, shutdown_send_of_a_reset_connection_fails_with_ENOTCONN) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        pair.peer.reset();
        std::array<char, 8> buffer{};
        const std::error_code reset = co_await error_of(pair.stream.recv(buffer));
        EXPECT_EQ(reset, code(ECONNRESET));
        const std::string text = co_await failure_of(pair.stream.shutdown_send());
        EXPECT_EQ(text, "shutdown " + pair.stream.peer_endpoint().to_string() +
                            ": Transport endpoint is not connected (ENOTCONN)");
    });
}

TEST_P(tcp_errors, a_connection_reset_before_accept_fails_at_its_first_recv) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        raw_socket early = raw_socket::connected_to(listener.local_endpoint());
        early.reset();
        raw_socket second = raw_socket::connected_to(listener.local_endpoint());
        auto reset = co_await listener.accept();
        std::array<char, 8> buffer{};
        const std::error_code error = co_await error_of(reset.recv(buffer));
        EXPECT_EQ(error, code(ECONNRESET));
        auto alive = co_await listener.accept();
        second.write("x");
        const std::string byte = co_await receive(alive, 1);
        EXPECT_EQ(byte, "x");
    });
}

// --- connecting ---------------------------------------------------------------------------------

TEST_P(tcp_errors, connect_to_a_port_where_nobody_listens_is_refused) {
    run([&]() -> task<> {
        std::vector<endpoint> addresses{endpoint("127.0.0.1:0")};
        if (has_ipv6()) addresses.emplace_back("[::1]:0");
        for (const endpoint& local : addresses) {
            const raw_socket holds_the_port = raw_socket::bound_to(local);
            const endpoint target = holds_the_port.local_endpoint();
            const std::size_t descriptors = count_descriptors();
            const std::string text = co_await failure_of(connect(target));
            EXPECT_EQ(text,
                      "connect " + target.to_string() + ": Connection refused (ECONNREFUSED)");
            EXPECT_EQ(count_descriptors(), descriptors);
        }
    });
}

TEST_P(tcp_errors, connect_by_name_tries_each_address) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto client = co_await connect("localhost", listener.local_endpoint().port());
        auto server = co_await listener.accept();
        EXPECT_EQ(server.peer_endpoint(), client.local_endpoint());
        const raw_socket nobody = raw_socket::bound_to("127.0.0.1:0");
        const std::error_code error =
            co_await error_of(connect("localhost", nobody.local_endpoint().port()));
        EXPECT_EQ(error, code(ECONNREFUSED));
        const std::error_code bad = co_await error_of(connect("no such name", 1));
        EXPECT_EQ(bad, code(EINVAL));
    });
}

TEST_P(tcp_errors, connect_to_a_full_backlog_can_be_given_up) {
    run([&]() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        auto listener = co_await tcp_listener::bind("127.0.0.1:0", tiny);
        const endpoint target = listener.local_endpoint();
        const auto waiting = fill_backlog(target);
        const std::size_t descriptors = count_descriptors();
        for (int i = 0; i < 10; ++i) {
            const std::string text = co_await failure_of(with_timeout(3ms, connect(target)));
            EXPECT_EQ(text, "timeout of 0.003 s: Connection timed out (ETIMEDOUT)");
            EXPECT_EQ(count_descriptors(), descriptors) << "the descriptor is closed";
        }
        const std::error_code by_name =
            co_await error_of(with_timeout(3ms, connect("127.0.0.1", target.port())));
        EXPECT_EQ(by_name, code(ETIMEDOUT));
    });
}

#ifdef __linux__
// With one local port to choose from, a connect to that port gets it, and TCP connects the socket
// to itself. A thread has a network of its own for this.
TEST_P(tcp_errors_on_kernel, a_stream_connected_to_itself_is_refused) {
    bool possible = false;
    std::thread apart([&] {
        if (::unshare(CLONE_NEWNET) != 0) return;
        const raw_socket any(::socket(AF_INET, SOCK_DGRAM | close_on_exec, 0));
        ifreq loopback{};
        std::memcpy(loopback.ifr_name, "lo", 3);
        loopback.ifr_flags = IFF_UP;
        if (::ioctl(any.fd(), SIOCSIFFLAGS, &loopback) != 0) return;
        std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
        possible = static_cast<bool>(range << "40001 40001" << std::flush);
        if (!possible) return;
        run([&]() -> task<> {
            const std::string text = co_await failure_of(connect("127.0.0.1:40001"));
            EXPECT_EQ(text, "connect 127.0.0.1:40001: Connection refused (ECONNREFUSED)");
        });
    });
    apart.join();
    if (!possible) GTEST_SKIP() << "this process cannot have a network of its own";
}
#endif

TEST_P(tcp_errors, lack_of_descriptors_is_an_error_that_passes) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint target = listener.local_endpoint();
        co_await sleep_for(0s);
        {
            const no_descriptors_left none;
            const std::string connecting = co_await failure_of(connect(target));
            EXPECT_EQ(connecting,
                      "socket " + target.to_string() + ": Too many open files (EMFILE)");
            const std::string binding = co_await failure_of(tcp_listener::bind("127.0.0.1:0"));
            EXPECT_EQ(binding, "socket 127.0.0.1:0: Too many open files (EMFILE)");
            const std::error_code datagrams = co_await error_of(udp_socket::bind("127.0.0.1:0"));
            EXPECT_EQ(datagrams, code(EMFILE));
        }
        auto client = co_await connect(target);
        auto server = co_await listener.accept();
        EXPECT_TRUE(server.is_open());
    });
}

TEST_P(tcp_errors, as_result_returns_the_error_instead_of_throwing_it) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        pair.peer.close();
        std::array<char, 8> buffer{};
        auto at_end = co_await as_result(pair.stream.recv(buffer));
        EXPECT_TRUE(at_end);
        auto early = co_await as_result(pair.stream.recv_exact(buffer));
        EXPECT_EQ(early.error(), errc::unexpected_eof);
        co_await pair.stream.shutdown_send();
        auto broken = co_await as_result(pair.stream.send("x"));
        EXPECT_EQ(broken.error(), code(EPIPE));
        EXPECT_THROW(broken.value(), std::system_error);
        auto in_parts = co_await as_result(pair.stream.send("x", "y"));
        EXPECT_EQ(in_parts.error(), code(EPIPE));
    });
}

TEST_P(tcp_errors, two_receives_at_once_on_one_stream_abort) {
    GTEST_FLAG_SET(death_test_style, death_style());
    const auto receive_twice = [&] {
        run([&]() -> task<> {
            auto pair = co_await connected_pair();
            const auto take = [](tcp_stream& from) -> task<> {
                std::array<char, 8> buffer{};
                const std::size_t n = co_await from.recv(buffer);
                static_cast<void>(n);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(take, std::ref(pair.client));
                group.spawn(take, std::ref(pair.client));
                co_return;
            });
        });
    };
    EXPECT_DEATH(receive_twice(), "two tasks receive on one socket.*\n"
                                  "  here: tcp_errors_test.cpp:[0-9]+\n"
                                  "  the other task: tcp_errors_test.cpp:[0-9]+\n");
}

}  // namespace
}  // namespace anel::test
