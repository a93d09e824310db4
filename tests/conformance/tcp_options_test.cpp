// tcp_options_test.cpp: what is asked of a TCP socket reaches the system, or is refused by name.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace anel::test {
namespace {

using std::chrono::seconds;

class tcp_options : public over_backends {};
ANEL_OVER_BACKENDS(tcp_options);

task<std::string> refusal(endpoint peer, connect_options options) {
    auto attempt = connect(peer, options);
    std::string text = co_await failure_of(std::move(attempt));
    co_return text;
}

#ifdef __linux__
class tcp_options_on_kernel : public over_backends {};
ANEL_OVER_KERNELS(tcp_options_on_kernel);

TEST_P(tcp_options_on_kernel, what_is_asked_of_a_connection_reaches_the_system) {
    run([&]() -> task<> {
        std::vector<endpoint> addresses{endpoint("127.0.0.1:0")};
        if (has_ipv6()) addresses.emplace_back("[::1]:0");
        for (const endpoint& address : addresses) {
            auto listener = co_await tcp_listener::bind(address);
            connect_options options;
            options.local = address;
            options.no_delay = false;
            options.keep_alive = keep_alive_times{seconds(11), seconds(12), 13};
            options.user_timeout = std::chrono::milliseconds(14'000);
            options.quick_ack = true;
            options.traffic_class = 0x48;
            options.interface = "lo";
            options.free_bind = true;
            options.fast_open = true;
            options.send_buffer = 40'000;
            options.receive_buffer = 50'000;
            auto attempt = connect(listener.local_endpoint(), options);
            auto stream = co_await attempt;
            const bool six = address.family() == address_family::ipv6;
            EXPECT_EQ(option_of(stream.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 1);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE), 11);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL), 12);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_KEEPCNT), 13);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT), 14'000);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_NODELAY), 0);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT), 1);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_IP, IP_FREEBIND), 1);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_IP, IP_TOS), 0x48);
            const int tclass =
                six ? option_of(stream.native_handle(), IPPROTO_IPV6, IPV6_TCLASS) : 0x48;
            EXPECT_EQ(tclass, 0x48);
            EXPECT_EQ(option_of(stream.native_handle(), SOL_SOCKET, SO_SNDBUF), 80'000);
            EXPECT_EQ(option_of(stream.native_handle(), SOL_SOCKET, SO_RCVBUF), 100'000);
            char name[16]{};
            socklen_t size = sizeof name;
            ::getsockopt(stream.native_handle(), SOL_SOCKET, SO_BINDTODEVICE, name, &size);
            EXPECT_STREQ(name, "lo");

            stream.set_keep_alive({});
            EXPECT_EQ(option_of(stream.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 0);
            stream.set_user_timeout(std::chrono::milliseconds(2'000));
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT), 2'000);
            stream.set_traffic_class(0x10);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_IP, IP_TOS), 0x10);
            stream.set_quick_ack(false);
            EXPECT_EQ(option_of(stream.native_handle(), IPPROTO_TCP, TCP_QUICKACK), 0);
        }
    });
}

TEST_P(tcp_options_on_kernel, accepted_streams_inherit_what_their_listener_was_asked) {
    run([&]() -> task<> {
        listen_options options;
        options.keep_alive = keep_alive_times{seconds(21), seconds(22), 23};
        options.user_timeout = std::chrono::milliseconds(24'000);
        options.traffic_class = 0x48;
        options.interface = "lo";
        options.free_bind = true;
        options.fast_open_queue = 25;
        auto listener = co_await tcp_listener::bind("127.0.0.1:0", options);
        EXPECT_EQ(option_of(listener.native_handle(), IPPROTO_TCP, TCP_FASTOPEN), 25);
        EXPECT_EQ(option_of(listener.native_handle(), IPPROTO_IP, IP_FREEBIND), 1);
        auto client = co_await connect(listener.local_endpoint());
        auto server = co_await listener.accept();
        EXPECT_EQ(option_of(server.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 1);
        EXPECT_EQ(option_of(server.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE), 21);
        EXPECT_EQ(option_of(server.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL), 22);
        EXPECT_EQ(option_of(server.native_handle(), IPPROTO_TCP, TCP_KEEPCNT), 23);
        EXPECT_EQ(option_of(server.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT), 24'000);
        EXPECT_EQ(option_of(server.native_handle(), IPPROTO_IP, IP_TOS), 0x48);
    });
}

TEST_P(tcp_options_on_kernel, a_deferred_connection_is_accepted_with_its_first_bytes) {
    run([&]() -> task<> {
        listen_options options;
        options.defer_accept = seconds(30);
        auto listener = co_await tcp_listener::bind("127.0.0.1:0", options);
        EXPECT_GE(option_of(listener.native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 30);
        auto silent = co_await connect(listener.local_endpoint());
        auto client = co_await connect(listener.local_endpoint());
        co_await client.send("first");
        auto server = co_await listener.accept();
        EXPECT_EQ(server.peer_endpoint(), client.local_endpoint());
        const std::string text = co_await receive(server, 5);
        EXPECT_EQ(text, "first");
    });
}

#ifndef ANEL_POSIX_ONLY
TEST_P(tcp_options_on_kernel, the_system_tells_what_it_knows_of_a_connection) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string bytes = pattern(100'000);
        std::string received;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_finish, std::ref(pair.client), std::string_view(bytes));
            received = co_await receive_all(pair.server, 10'007);
        });
        const stream_info sender = pair.client.info();
        const stream_info receiver = pair.server.info();
        EXPECT_GE(receiver.received, 100'000U);  // and a FIN
        EXPECT_LE(receiver.received, 100'001U);
        EXPECT_LE(sender.acknowledged, 100'002U);
        EXPECT_GT(sender.acknowledged, 0U);
        EXPECT_EQ(sender.unsent, 0U);
        EXPECT_GT(sender.round_trip.count(), 0);
        EXPECT_LT(sender.round_trip, seconds(60));
        EXPECT_GT(sender.retransmit_after.count(), 0);
        EXPECT_GT(sender.segment_size, 500U);
        EXPECT_GE(sender.path_mtu, sender.segment_size);
        EXPECT_GT(sender.congestion_window, 0U);
        pair.client.close_now();
        EXPECT_THROW((void)pair.client.info(), io_error);
    });
}
#endif

TEST_P(tcp_options_on_kernel, an_interface_that_is_none_is_refused_by_name) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint there = listener.local_endpoint();
        connect_options options;
        options.interface = "no_such_one";
        std::string text = co_await refusal(there, options);
        EXPECT_EQ(text, "connect " + there.to_string() +
                            ": interface no_such_one: No such device (ENODEV)");
        listen_options more;
        more.interface = "no_such_one";
        text = co_await failure_of(tcp_listener::bind("127.0.0.1:0", more));
        EXPECT_EQ(text, "bind 127.0.0.1:0: interface no_such_one: No such device (ENODEV)");
    });
}
#endif

TEST_P(tcp_options, a_connection_comes_from_the_address_that_was_asked_for) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint there = listener.local_endpoint();
        connect_options options;
        options.local = "127.0.0.1:0";
        auto first = co_await connect(there, options);
        auto first_accepted = co_await listener.accept();
        EXPECT_EQ(first_accepted.peer_endpoint(), first.local_endpoint());
        // A port of our choice, and the same one to another peer.
        auto other = co_await tcp_listener::bind("127.0.0.1:0");
        auto holder = co_await tcp_listener::bind("127.0.0.1:0");
        options.local = holder.local_endpoint();
        holder.stop();
        auto second = co_await connect(there, options);
        EXPECT_EQ(second.local_endpoint(), *options.local);
        auto third = co_await connect(other.local_endpoint(), options);
        EXPECT_EQ(third.local_endpoint(), *options.local);
    });
}

TEST_P(tcp_options, what_is_out_of_range_is_refused_with_its_name_and_value) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint there = listener.local_endpoint();
        const std::string before = "connect " + there.to_string() + ": ";
        const std::string why = ": Invalid argument (EINVAL)";
        std::vector<std::pair<connect_options, std::string>> bad;
        const auto add = [&](std::string says, auto change) {
            connect_options options;
            change(options);
            bad.emplace_back(options, before + says + why);
        };
        add("keep-alive idle 0 s", [](auto& o) { o.keep_alive = keep_alive_times{seconds(0)}; });
        add("keep-alive idle 32768 s",
            [](auto& o) { o.keep_alive = keep_alive_times{seconds(32'768)}; });
        add("user timeout -1 ms", [](auto& o) { o.user_timeout = std::chrono::milliseconds(-1); });
        add("traffic class 256", [](auto& o) { o.traffic_class = 256; });
        add("traffic class -1", [](auto& o) { o.traffic_class = -1; });
        add("send buffer -5 bytes", [](auto& o) { o.send_buffer = -5; });
        for (const auto& [options, expected] : bad) {
            const std::string text = co_await refusal(there, options);
            EXPECT_EQ(text, expected);
        }
        listen_options options;
        options.fast_open_queue = -1;
        std::string text = co_await failure_of(tcp_listener::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: fast-open queue -1" + why);
        options.fast_open_queue = 0;
        options.defer_accept = seconds(-2);
        text = co_await failure_of(tcp_listener::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: defer-accept -2 s" + why);
        options.defer_accept = seconds(0);
        options.send_buffer = -5;
        text = co_await failure_of(tcp_listener::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: send buffer -5 bytes" + why);
        options.send_buffer = 0;
        options.receive_buffer = -6;
        text = co_await failure_of(tcp_listener::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: receive buffer -6 bytes" + why);
    });
}

TEST_P(tcp_options, a_local_address_that_does_not_fit_is_refused_by_name) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint there = listener.local_endpoint();
        const std::string before = "connect " + there.to_string() + ": local address ";
        connect_options options;
        options.local = "192.0.2.77:0";
        std::string text = co_await refusal(there, options);
        EXPECT_EQ(text, before + "192.0.2.77:0: Cannot assign requested address (EADDRNOTAVAIL)");
        options.local = "[::1]:0";
        text = co_await refusal(there, options);
        EXPECT_EQ(text, before + "[::1]:0: " +
                            "Address family not supported by protocol "
                            "(EAFNOSUPPORT)");
        options.local = "unix:@nobody";
        text = co_await refusal(there, options);
        EXPECT_EQ(text, before + "unix:@nobody: Operation not supported (EOPNOTSUPP)");
    });
}

#ifdef __linux__  // abstract names
TEST_P(tcp_options, a_unix_stream_has_none_of_them) {
    const endpoint name = "unix:@anel-options-" + std::to_string(::getpid());
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind(name);
        const std::string before = "connect " + name.to_string() + ": ";
        connect_options options;
        options.traffic_class = 8;
        std::string text = co_await refusal(name, options);
        EXPECT_EQ(text, before + "traffic class 8: Operation not supported (EOPNOTSUPP)");
        options = {};
        options.interface = "lo";
        text = co_await refusal(name, options);
        EXPECT_EQ(text, before + "interface lo: Operation not supported (EOPNOTSUPP)");
        options = {};
        options.send_buffer = 40'000;
        auto stream = co_await connect(name, options);
        EXPECT_THROW(stream.set_quick_ack(true), io_error);
        EXPECT_THROW((void)stream.info(), io_error);
    });
}

TEST_P(tcp_options, a_unix_stream_tells_who_is_at_its_other_end) {
    const endpoint name = "unix:@anel-credentials-" + std::to_string(::getpid());
    run([&]() -> task<> {
        auto pair = co_await connected_pair(name);
        auto internet = co_await connected_pair();
        EXPECT_THROW((void)internet.client.credentials(), io_error);
#if defined(__linux__) && defined(ANEL_POSIX_ONLY)
        const bool told = false;
#else
        const bool told = !simulated;
#endif
        for (const tcp_stream* end : {&pair.client, &pair.server}) {
            if (told) {
                const peer_credentials who = end->credentials();
                EXPECT_EQ(who.user, ::geteuid());
                EXPECT_EQ(who.group, ::getegid());
#ifdef __linux__
                EXPECT_EQ(who.process, ::getpid());
#endif
            } else {
                EXPECT_THROW((void)end->credentials(), io_error);
            }
        }
    });
}
#endif

TEST_P(tcp_options, a_host_is_tried_with_the_options_and_the_family_of_the_local_address) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        connect_options options;
        options.local = "127.0.0.1:0";
        options.traffic_class = 8;
        auto stream = co_await connect("127.0.0.1", listener.local_endpoint().port(), options);
        EXPECT_EQ(stream.peer_endpoint(), listener.local_endpoint());
        options.traffic_class = 999;
        auto attempt = connect("127.0.0.1", listener.local_endpoint().port(), options);
        const std::string text = co_await failure_of(std::move(attempt));
        EXPECT_EQ(text, "connect " + listener.local_endpoint().to_string() +
                            ": traffic class 999: Invalid argument (EINVAL)");
    });
}

TEST_P(tcp_options, the_simulated_network_refuses_what_it_would_not_do) {
    run([&]() -> task<> {
        if (!simulated) co_return;
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint there = listener.local_endpoint();
        const std::string why = ": Operation not supported (EOPNOTSUPP)";
        connect_options options;
        options.keep_alive = keep_alive_times{};
        std::string text = co_await refusal(there, options);
        EXPECT_EQ(text, "connect " + there.to_string() + ": keep-alive idle 60 s" + why);
        options = {};
        options.user_timeout = std::chrono::milliseconds(1'000);
        text = co_await refusal(there, options);
        EXPECT_EQ(text, "connect " + there.to_string() + ": user timeout 1000 ms" + why);
        options = {};
        options.quick_ack = true;
        options.fast_open = true;
        options.traffic_class = 8;
        auto stream = co_await connect(there, options);
        EXPECT_THROW((void)stream.info(), io_error);
    });
}

TEST(interface_name, keeps_a_name_and_refuses_what_is_none) {
    constexpr interface_name name = "eth0";
    EXPECT_EQ(name.text(), "eth0");
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(interface_name().empty());
    EXPECT_EQ(interface_name("123456789012345").text(), "123456789012345");
    EXPECT_THROW(interface_name("1234567890123456"), std::invalid_argument);
    EXPECT_THROW(interface_name("a/b"), std::invalid_argument);
}

}  // namespace
}  // namespace anel::test
