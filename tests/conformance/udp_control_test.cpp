// udp_control_test.cpp: what a datagram tells besides its bytes, what is chosen for it, groups.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#ifdef __linux__
#include <linux/net_tstamp.h>
#endif
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anel::test {
namespace {

class udp_control : public over_backends {};
ANEL_OVER_BACKENDS(udp_control);

#ifdef __linux__  // 127.0.0.2 and its like are addresses of this machine
udp_options telling() {
    udp_options options;
    options.tell_local_address = true;
    return options;
}

TEST_P(udp_control, a_server_with_two_addresses_answers_from_the_right_one) {
    run([&]() -> task<> {
        auto server = co_await udp_socket::bind("0.0.0.0:0", telling());
        const std::uint16_t port = server.local_endpoint().port();
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 64> buffer{};
        const endpoint addresses[] = {"127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"};
        for (const endpoint& address : addresses) {
            co_await client.sendto("ping", address.with_port(port));
            auto request = co_await server.recvmsg(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), request.size), "ping");
            EXPECT_EQ(request.from, client.local_endpoint());
            EXPECT_EQ(request.local, address);
            EXPECT_EQ(request.interface_index, 1U);  // lo
            EXPECT_FALSE(request.truncated);
            co_await server.sendmsg("pong!", request.from, request.local);
            auto reply = co_await client.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), reply.size), "pong!");
            EXPECT_EQ(reply.from, address.with_port(port));
        }
    });
}

TEST_P(udp_control, a_batch_is_answered_from_where_its_datagrams_came_to) {
    run([&]() -> task<> {
        auto server = co_await udp_socket::bind("0.0.0.0:0", telling());
        const std::uint16_t port = server.local_endpoint().port();
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        auto batch = datagram_batch::with_control(100);
        std::array<char, 64> buffer{};
        for (int round = 0; round < 3; ++round) {
            const endpoint second = endpoint("127.0.0.2:0").with_port(port);
            const endpoint third = endpoint("127.0.0.3:0").with_port(port);
            co_await client.sendto("left out", second);
            co_await client.sendto("two", second);
            co_await client.sendto("three", third);
            std::size_t count = 0;
            while (count < 3) {
                count += co_await server.recv_batch(batch);
                batch.erase_if([](batched_datagram one) { return one.text() == "left out"; });
                co_await server.send_batch(batch);
            }
            auto first = co_await client.recvfrom(buffer);
            EXPECT_EQ(first.from, second);
            auto next = co_await client.recvfrom(buffer);
            EXPECT_EQ(next.from, third);
        }
        // Chosen by hand, and then left to the system again.
        batch.clear();
        EXPECT_TRUE(batch.push("by hand", client.local_endpoint()));
        EXPECT_EQ(batch[0].local(), endpoint());
        batch[0].set_local("127.0.0.9:0");
        EXPECT_TRUE(batch.push("by itself", client.local_endpoint()));
        co_await server.send_batch(batch);
        auto chosen = co_await client.recvfrom(buffer);
        EXPECT_EQ(chosen.from, endpoint("127.0.0.9:0").with_port(port));
        auto left = co_await client.recvfrom(buffer);
        EXPECT_EQ(left.from, endpoint("127.0.0.1:0").with_port(port));
    });
}
TEST_P(udp_control, ipv6_tells_local_addresses_too_and_ipv4_peers_as_mapped) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        auto server = co_await udp_socket::bind("[::]:0", telling());
        const std::uint16_t port = server.local_endpoint().port();
        std::array<char, 64> buffer{};
        const std::pair<endpoint, endpoint> ways[] = {{"[::1]:0", "[::1]:0"},
                                                      {"127.0.0.1:0", "[::ffff:127.0.0.1]:0"}};
        for (const auto& [address, local] : ways) {
            auto client = co_await udp_socket::bind(address);
            co_await client.sendto("ping", address.with_port(port));
            auto request = co_await server.recvmsg(buffer);
            EXPECT_EQ(request.local, local);
            co_await server.sendmsg("pong", request.from, request.local);
            auto reply = co_await client.recvfrom(buffer);
            EXPECT_EQ(reply.from, address.with_port(port));
        }
    });
}

#endif

TEST_P(udp_control, without_being_asked_nothing_is_told_and_the_system_chooses) {
    run([&]() -> task<> {
        auto server = co_await udp_socket::bind("127.0.0.1:0");
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 4> buffer{};
        co_await client.sendto("longer", server.local_endpoint());
        auto request = co_await server.recvmsg(buffer);
        EXPECT_EQ(request.size, 4U);
        EXPECT_TRUE(request.truncated);
        EXPECT_EQ(request.local, endpoint());
        EXPECT_EQ(request.interface_index, 0U);
        EXPECT_EQ(request.segment_size, 0U);
        EXPECT_FALSE(request.control_truncated);
        co_await server.sendmsg("back", request.from, request.local);
        auto reply = co_await client.recvfrom(buffer);
        EXPECT_EQ(reply.from, server.local_endpoint());
    });
}

TEST_P(udp_control, an_address_that_is_not_ours_or_of_another_family_is_refused) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("0.0.0.0:0");
        const endpoint to = endpoint("127.0.0.1:0").with_port(socket.local_endpoint().port());
        const endpoint stranger = "192.0.2.77:0";
        const std::string text = co_await failure_of(socket.sendmsg("x", to, stranger));
        EXPECT_EQ(text.find("sendmsg " + to.to_string() + " from 192.0.2.77:0: "), 0U) << text;
        // Linux says either, by its version.
        EXPECT_TRUE(text.ends_with("(EINVAL)") || text.ends_with("(ENETUNREACH)")) << text;
        EXPECT_THROW((void)socket.sendmsg("x", to, "[::1]:0"), io_error);
    });
}

TEST_P(udp_control, a_cancelled_recvmsg_takes_no_datagram) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 64> buffer{};
        auto none = co_await as_result(with_timeout(1ms, socket.recvmsg(buffer)));
        EXPECT_EQ(none.error(), std::errc::timed_out);
        co_await socket.sendto("still there", socket.local_endpoint());
        auto datagram = co_await socket.recvmsg(buffer);
        EXPECT_EQ(datagram.size, 11U);
    });
}

TEST_P(udp_control, a_group_that_is_none_is_refused_with_its_address) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        std::string text;
        const auto try_it = [&](auto call) {
            try {
                call();
                text = "no error";
            } catch (const io_error& error) {
                text = error.what();
            }
        };
        const std::string why = " (no multicast address): Invalid argument (EINVAL)";
        try_it([&] { socket.join("192.0.2.1:0"); });
        EXPECT_EQ(text, "join 192.0.2.1:0" + why);
        try_it([&] { socket.leave("240.0.0.1:7", "lo"); });
        EXPECT_EQ(text, "leave 240.0.0.1:7 on lo" + why);
        try_it([&] { socket.join("[fe80::1]:0"); });
        EXPECT_EQ(text, "join [fe80::1]:0" + why);
        try_it([&] { socket.join("unix:@group"); });
        EXPECT_EQ(text, "join unix:@group" + why);
        if (!simulated) co_return;
        try_it([&] { socket.join("239.1.2.3:0"); });
        EXPECT_EQ(text, "join 239.1.2.3:0: Operation not supported (EOPNOTSUPP)");
    });
}

TEST_P(udp_control, options_that_are_out_of_range_are_refused_by_name) {
    run([&]() -> task<> {
        udp_options options;
        options.hop_limit = 0;
        std::string text = co_await failure_of(udp_socket::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: hop limit 0: Invalid argument (EINVAL)");
        options.hop_limit = 1;
        options.multicast_hop_limit = 256;
        text = co_await failure_of(udp_socket::bind("127.0.0.1:0", options));
        EXPECT_EQ(text, "bind 127.0.0.1:0: multicast hop limit 256: Invalid argument (EINVAL)");
        udp_options sizes;
        sizes.send_buffer = -1;
        text = co_await failure_of(udp_socket::bind("127.0.0.1:0", sizes));
        EXPECT_EQ(text, "bind 127.0.0.1:0: send buffer -1 bytes: Invalid argument (EINVAL)");
        sizes = {};
        sizes.receive_buffer = -2;
        text = co_await failure_of(udp_socket::bind("127.0.0.1:0", sizes));
        EXPECT_EQ(text, "bind 127.0.0.1:0: receive buffer -2 bytes: Invalid argument (EINVAL)");
    });
}

#ifdef __linux__
class udp_control_on_kernel : public over_backends {};
ANEL_OVER_KERNELS(udp_control_on_kernel);

TEST_P(udp_control_on_kernel, a_group_is_joined_and_left_by_interface) {
    run([&]() -> task<> {
        udp_options options = telling();
        options.multicast_hop_limit = 0;
        options.multicast_loop = true;
        options.multicast_interface = "lo";
        auto member = co_await udp_socket::bind("0.0.0.0:0", options);
        // Of this process alone: Linux also delivers what another one has joined.
        const auto own = static_cast<unsigned>(::getpid());
        const std::string name =
            "239.77." + std::to_string(own / 256 % 256) + "." + std::to_string(own % 256) + ":0";
        const endpoint group = endpoint(name).with_port(member.local_endpoint().port());
        auto sender = co_await udp_socket::bind("127.0.0.1:0", options);
        member.join(group, "lo");
        EXPECT_THROW(member.join(group, "lo"), io_error) << "it is a member already";
        std::array<char, 64> buffer{};
        co_await sender.sendto("to all", group);
        auto got = co_await member.recvmsg(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), got.size), "to all");
        EXPECT_EQ(got.interface_index, 1U);
        EXPECT_EQ(got.from, sender.local_endpoint());
        // A group is no address to answer from.
        EXPECT_EQ(got.local, endpoint("127.0.0.1:0"));
        member.leave(group, "lo");
        EXPECT_THROW(member.leave(group, "lo"), io_error);
        co_await sender.sendto("to nobody", group);
        const endpoint direct = endpoint("127.0.0.1:0").with_port(group.port());
        co_await sender.sendto("to one", direct);
        auto next = co_await member.recvmsg(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), next.size), "to one");
    });
}

/// Takes a datagram. Whether it has a time: the kernel begins to note them a little later.
bool has_time(int fd) {
    char byte = 0;
    alignas(cmsghdr) std::array<std::byte, 512> control{};
    iovec into{&byte, 1};
    msghdr header{};
    header.msg_iov = &into;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    EXPECT_EQ(::recvmsg(fd, &header, 0), 1);
    for (cmsghdr* entry = CMSG_FIRSTHDR(&header); entry; entry = CMSG_NXTHDR(&header, entry)) {
        if (entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SO_TIMESTAMPING) return true;
    }
    return false;
}

// On 64 bits four times leave no room for a whole in6_pktinfo.
TEST_P(udp_control_on_kernel, control_data_that_the_system_has_cut_tells_nothing) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        udp_options options = telling();
        options.tell_receive_time = true;
        auto socket = co_await udp_socket::bind("[::1]:0", options);
        auto batch = datagram_batch::with_control(100);
        const auto receive_two = [&]() -> task<> {
            for (int i = 0; i < 2; ++i) co_await socket.sendto("x", socket.local_endpoint());
            co_await socket.recv_batch(batch);
            EXPECT_EQ(batch.size(), 2U);
        };
        co_await receive_two();
        for (auto one : batch) {
            EXPECT_EQ(one.local(), endpoint("[::1]:0"));
            EXPECT_FALSE(one.control_truncated());
        }
        const int times = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE;
        const int fd = socket.native_handle();
        if (::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &times, sizeof times) < 0) co_return;
        bool timed = false;
        for (int i = 0; i < 10'000 && !timed; ++i) {
            co_await socket.sendto("x", socket.local_endpoint());
            timed = has_time(fd);
        }
        if (!timed || sizeof(void*) < 8) co_return;
        co_await receive_two();
        for (auto one : batch) {
            EXPECT_EQ(one.local(), endpoint());
            EXPECT_EQ(one.interface_index(), 0U);
            EXPECT_TRUE(one.control_truncated());
        }
        co_await socket.sendto("x", socket.local_endpoint());
        std::array<char, 8> buffer{};
        auto single = co_await socket.recvmsg(buffer);
        EXPECT_EQ(single.local, endpoint());
        EXPECT_TRUE(single.control_truncated);
    });
}

TEST_P(udp_control_on_kernel, groups_and_interfaces_that_do_not_fit_are_refused) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        std::string text;
        const auto join = [&](const endpoint& group, const interface_name& on) {
            try {
                socket.join(group, on);
                text = "no error";
            } catch (const io_error& error) {
                text = error.what();
            }
        };
        join("239.1.2.3:0", "no_such_one");
        EXPECT_EQ(text, "join 239.1.2.3:0 on no_such_one: No such device (ENODEV)");
        join("[ff02::77]:0", "lo");
        EXPECT_EQ(text, "join [ff02::77]:0 on lo: Address family not supported by protocol "
                        "(EAFNOSUPPORT)");
        udp_options options;
        options.multicast_interface = "no_such_one";
        text = co_await failure_of(udp_socket::bind("127.0.0.1:0", options));
        EXPECT_EQ(text,
                  "bind 127.0.0.1:0: multicast interface no_such_one: No such device (ENODEV)");
    });
}

TEST_P(udp_control_on_kernel, what_is_asked_of_a_socket_reaches_the_system) {
    run([&]() -> task<> {
        udp_options options;
        options.broadcast = true;
        options.hop_limit = 7;
        options.multicast_hop_limit = 8;
        options.multicast_loop = false;
        options.traffic_class = 0x48;
        options.free_bind = true;
        auto socket = co_await udp_socket::bind("127.0.0.1:0", options);
        EXPECT_EQ(option_of(socket.native_handle(), SOL_SOCKET, SO_BROADCAST), 1);
        EXPECT_EQ(option_of(socket.native_handle(), IPPROTO_IP, IP_TTL), 7);
        EXPECT_EQ(option_of(socket.native_handle(), IPPROTO_IP, IP_MULTICAST_TTL), 8);
        EXPECT_EQ(option_of(socket.native_handle(), IPPROTO_IP, IP_MULTICAST_LOOP), 0);
        EXPECT_EQ(option_of(socket.native_handle(), IPPROTO_IP, IP_TOS), 0x48);
        EXPECT_EQ(option_of(socket.native_handle(), IPPROTO_IP, IP_FREEBIND), 1);
        if (!has_ipv6()) co_return;
        auto six = co_await udp_socket::bind("[::1]:0", options);
        EXPECT_EQ(option_of(six.native_handle(), IPPROTO_IPV6, IPV6_UNICAST_HOPS), 7);
        EXPECT_EQ(option_of(six.native_handle(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 8);
        EXPECT_EQ(option_of(six.native_handle(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 0);
        EXPECT_EQ(option_of(six.native_handle(), IPPROTO_IPV6, IPV6_TCLASS), 0x48);
    });
}

#if defined(UDP_SEGMENT) && !defined(ANEL_POSIX_ONLY)
TEST_P(udp_control_on_kernel, one_send_is_cut_into_datagrams_and_joined_again) {
    run([&]() -> task<> {
        auto plain = co_await udp_socket::bind("127.0.0.1:0");
        udp_options options;
        options.join_datagrams = true;
        auto joining = co_await udp_socket::bind("127.0.0.1:0", options);
        auto sender = co_await udp_socket::bind("127.0.0.1:0");
        const std::string bytes = pattern(2'500);
        // Cut, in a single send and in a batch.
        auto batch = datagram_batch::with_control();
        EXPECT_TRUE(batch.push(bytes, plain.local_endpoint()));
        batch[0].set_segment_size(1'000);
        co_await sender.send_batch(batch);
        co_await sender.sendmsg(bytes, plain.local_endpoint(), endpoint(), 1'000);
        std::vector<char> buffer(65'536);
        for (int round = 0; round < 2; ++round) {
            std::string all;
            for (const std::size_t size : {1'000UL, 1'000UL, 500UL}) {
                auto part = co_await plain.recvfrom(buffer);
                EXPECT_EQ(part.size, size);
                all.append(buffer.data(), part.size);
            }
            EXPECT_TRUE(all == bytes);
        }
        // Joined or not, the size of a segment tells where each ends; an answer is cut alike.
        co_await sender.sendmsg(bytes, joining.local_endpoint(), endpoint(), 1'000);
        std::string all;
        std::size_t datagrams = 0;
        while (all.size() < bytes.size()) {
            co_await joining.recv_batch(batch);
            for (auto one : batch) {
                const std::size_t each = one.segment_size() > 0 ? one.segment_size() : 1'000;
                EXPECT_EQ(each, 1'000U);
                datagrams += (one.bytes().size() + each - 1) / each;
                all.append(one.text());
            }
            co_await joining.send_batch(batch);
        }
        EXPECT_TRUE(all == bytes);
        EXPECT_EQ(datagrams, 3U);
        std::size_t back = 0;
        for (std::size_t left = bytes.size(); left > 0; ++back) {
            auto part = co_await sender.recvfrom(buffer);
            EXPECT_LE(part.size, 1'000U);
            left -= part.size;
        }
        EXPECT_EQ(back, 3U);
        const std::string text =
            co_await failure_of(sender.sendmsg(bytes, plain.local_endpoint(), endpoint(), 1));
        EXPECT_EQ(text, "sendmsg " + plain.local_endpoint().to_string() +
                            " in segments of 1 bytes: Invalid argument (EINVAL)");
    });
}
#endif
#endif

}  // namespace
}  // namespace anel::test
