// udp_marks_test.cpp: what the network and the system note on a datagram: ECN, and when it came.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <optional>

namespace anel::test {
namespace {

class udp_marks : public over_backends {};
ANEL_OVER_BACKENDS(udp_marks);

#if defined(UDP_SEGMENT) && !defined(ANEL_POSIX_ONLY)
constexpr bool cuts = true;  // one send into several datagrams
#else
constexpr bool cuts = false;
#endif

constexpr ecn_codepoint every_codepoint[] = {ecn_codepoint::not_ect, ecn_codepoint::ect_1,
                                             ecn_codepoint::ect_0, ecn_codepoint::ce};

udp_options telling_ecn() {
    udp_options options;
    options.tell_ecn = true;
    return options;
}

struct way {
    endpoint from;   // the sender is bound to it
    endpoint bound;  // the receiver is
    endpoint to;     // the sender sends to it, with the port of the receiver
};

// Also from and to a socket for both families, whose peer has an address of the other one.
std::vector<way> every_way() {
    std::vector<way> ways{{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}};
    if (!has_ipv6()) return ways;
    ways.push_back({"[::1]:0", "[::1]:0", "[::1]:0"});
    ways.push_back({"127.0.0.1:0", "[::]:0", "127.0.0.1:0"});
    ways.push_back({"[::]:0", "127.0.0.1:0", "[::ffff:127.0.0.1]:0"});
    ways.push_back({"[::]:0", "[::]:0", "[::ffff:127.0.0.1]:0"});
    return ways;
}

TEST_P(udp_marks, every_codepoint_arrives_by_every_way) {
    run([&]() -> task<> {
        std::vector<way> ways = every_way();
        for (const way& by : ways) {
            auto sender = co_await udp_socket::bind(by.from);
            auto receiver = co_await udp_socket::bind(by.bound, telling_ecn());
            const endpoint to = by.to.with_port(receiver.local_endpoint().port());
            auto batch = datagram_batch::with_control(100);
            std::array<char, 64> buffer{};
            for (const ecn_codepoint ecn : every_codepoint) {
                co_await sender.sendmsg("alone", to, endpoint(), 0, ecn);
                auto alone = co_await receiver.recvmsg(buffer);
                EXPECT_EQ(alone.ecn, ecn) << to << static_cast<int>(ecn);
                batch.clear();
                EXPECT_TRUE(batch.push("one of two", to) && batch.push("the other", to));
                batch[0].set_ecn(ecn);
                co_await sender.send_batch(batch);
                for (std::size_t seen = 0; seen < 2; seen += batch.size()) {
                    co_await receiver.recv_batch(batch);
                    for (std::size_t i = 0; i < batch.size(); ++i) {
                        const auto wanted = seen + i == 0 ? ecn : ecn_codepoint::not_ect;
                        EXPECT_EQ(batch[i].ecn(), wanted) << to << static_cast<int>(ecn);
                    }
                }
            }
        }
    });
}

TEST_P(udp_marks, a_connected_socket_marks_what_it_sends) {
    run([&]() -> task<> {
        std::vector<way> ways = every_way();
        for (const way& by : ways) {
            auto sender = co_await udp_socket::bind(by.from);
            auto receiver = co_await udp_socket::bind(by.bound, telling_ecn());
            const endpoint to = by.to.with_port(receiver.local_endpoint().port());
            co_await sender.connect(to);
            auto batch = datagram_batch::with_control(100);
            EXPECT_TRUE(batch.push("marked"));
            batch[0].set_ecn(ecn_codepoint::ect_0);
            co_await sender.send_batch(batch);
            co_await receiver.recv_batch(batch);
            EXPECT_EQ(batch[0].ecn(), ecn_codepoint::ect_0) << to;
        }
    });
}

TEST_P(udp_marks, an_answer_does_not_repeat_the_mark_of_its_question) {
    run([&]() -> task<> {
        udp_options options = telling_ecn();
        options.traffic_class = 0xb8 | 1;  // EF, and ECT(1)
        auto server = co_await udp_socket::bind("127.0.0.1:0", options);
        auto client = co_await udp_socket::bind("127.0.0.1:0", telling_ecn());
        auto batch = datagram_batch::with_control(100);
        std::array<char, 64> buffer{};
        co_await client.sendmsg("jam ahead", server.local_endpoint(), endpoint(), 0,
                                ecn_codepoint::ce);
        co_await server.recv_batch(batch);
        EXPECT_EQ(batch[0].ecn(), ecn_codepoint::ce);
        co_await server.send_batch(batch);
        auto answer = co_await client.recvmsg(buffer);
        EXPECT_EQ(answer.ecn, ecn_codepoint::ect_1) << "the socket's own";
        batch[0].set_ecn(ecn_codepoint::ect_0);
        co_await server.send_batch(batch);
        answer = co_await client.recvmsg(buffer);
        EXPECT_EQ(answer.ecn, ecn_codepoint::ect_0);
        batch[0].set_ecn({});
        co_await server.send_batch(batch);
        answer = co_await client.recvmsg(buffer);
        EXPECT_EQ(answer.ecn, ecn_codepoint::ect_1);
        co_await server.sendto("plain", client.local_endpoint());
        auto plain = co_await client.recvmsg(buffer);
        EXPECT_EQ(plain.ecn, ecn_codepoint::ect_1);
    });
}

TEST_P(udp_marks, the_time_of_a_datagram_is_told_alone_and_in_a_batch) {
    run([&]() -> task<> {
        udp_options options;
        options.tell_receive_time = true;
        auto receiver = co_await udp_socket::bind("127.0.0.1:0", options);
        auto batch = datagram_batch::with_control(100);
        std::array<char, 64> buffer{};
        // Another program may set the clock: it is only found to be that clock, and no other.
        const auto is_now = [](std::optional<receive_time> told) {
            if (!told) return false;
            const auto now = simulated ? receive_time() : std::chrono::system_clock::now();
            return *told > now - 24h && *told < now + 24h;
        };
        co_await receiver.sendto("x", receiver.local_endpoint());
        auto alone = co_await receiver.recvmsg(buffer);
        EXPECT_TRUE(is_now(alone.received_at));
        EXPECT_EQ(alone.ecn, std::nullopt);
        co_await receiver.sendto("x", receiver.local_endpoint());
        co_await receiver.recv_batch(batch);
        EXPECT_TRUE(is_now(batch[0].received_at()));
        EXPECT_EQ(batch[0].ecn(), std::nullopt);
        // Sent on it has none.
        batch.clear();
        EXPECT_TRUE(batch.push("x", receiver.local_endpoint()));
        EXPECT_EQ(batch[0].received_at(), std::nullopt);
    });
}

TEST_P(udp_marks, nothing_is_told_to_who_did_not_ask) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        auto batch = datagram_batch::with_control(100);
        auto plain = datagram_batch(100);
        for (datagram_batch* into : {&batch, &plain}) {
            co_await socket.sendmsg("x", socket.local_endpoint(), endpoint(), 0, ecn_codepoint::ce);
            co_await socket.recv_batch(*into);
            EXPECT_EQ((*into)[0].ecn(), std::nullopt);
            EXPECT_EQ((*into)[0].received_at(), std::nullopt);
        }
    });
}

TEST_P(udp_marks, a_send_that_cannot_be_cut_is_refused_and_not_sent_whole) {
    run([&]() -> task<> {
        if (cuts && !simulated) co_return;
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint self = socket.local_endpoint();
        std::string text = co_await failure_of(socket.sendmsg("abcd", self, endpoint(), 2));
        EXPECT_EQ(text, "sendmsg " + self.to_string() +
                            " in segments of 2 bytes: Operation not supported (EOPNOTSUPP)");
        auto batch = datagram_batch::with_control(100);
        for (const char* each : {"one", "in twos", "three"}) EXPECT_TRUE(batch.push(each, self));
        batch[1].set_segment_size(2);
        text = co_await failure_of(socket.send_batch(batch));
        EXPECT_EQ(text, "send_batch " + self.to_string() +
                            " in segments of 2 bytes: Operation not supported (EOPNOTSUPP)");
        EXPECT_FALSE(batch[0].error());
        EXPECT_EQ(batch[1].error(), std::errc::operation_not_supported);
        EXPECT_FALSE(batch[2].error());
        std::array<char, 64> buffer{};
        for (const char* each : {"one", "three"}) {
            auto got = co_await socket.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), got.size), each);
        }
    });
}

class udp_marks_on_kernel : public over_backends {};
ANEL_OVER_KERNELS(udp_marks_on_kernel);

/// Takes a datagram. Returns its whole traffic class; -1: it was not told.
int take_class(int fd) {
    char byte = 0;
    alignas(cmsghdr) std::array<std::byte, 256> control{};
    iovec into{&byte, 1};
    msghdr header{};
    header.msg_iov = &into;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    EXPECT_EQ(::recvmsg(fd, &header, 0), 1);
    const cmsghdr* first = CMSG_FIRSTHDR(&header);
    if (!first) return -1;
    if (first->cmsg_level == IPPROTO_IP) return *CMSG_DATA(first);
    int value = 0;
    std::memcpy(&value, CMSG_DATA(first), sizeof value);
    return value;
}

TEST_P(udp_marks_on_kernel, a_codepoint_leaves_the_dscp_of_the_socket_alone) {
    run([&]() -> task<> {
        std::vector<way> ways = every_way();
        for (const way& by : ways) {
            udp_options options;
            options.traffic_class = 0xb8 | 3;
            auto sender = co_await udp_socket::bind(by.from, options);
            auto receiver = co_await udp_socket::bind(by.bound, telling_ecn());
            const endpoint to = by.to.with_port(receiver.local_endpoint().port());
            co_await sender.sendmsg("x", to, endpoint(), 0, ecn_codepoint::ect_0);
            EXPECT_EQ(take_class(receiver.native_handle()), 0xb8 | 2);
            auto batch = datagram_batch::with_control(100);
            EXPECT_TRUE(batch.push("x", to));
            batch[0].set_ecn(ecn_codepoint::ect_1);
            co_await sender.send_batch(batch);
            EXPECT_EQ(take_class(receiver.native_handle()), 0xb8 | 1);
            // Also when another one made it.
            auto adopted = co_await udp_socket::adopt(sender.release());
            co_await adopted.sendmsg("x", to, endpoint(), 0, ecn_codepoint::not_ect);
            EXPECT_EQ(take_class(receiver.native_handle()), 0xb8);
        }
    });
}

#ifdef __linux__
TEST_P(udp_marks_on_kernel, all_control_data_fits_at_once) {
    run([&]() -> task<> {
        udp_options options = telling_ecn();
        options.tell_receive_time = options.tell_local_address = true;
        options.join_datagrams = cuts;
        std::vector<endpoint> hosts{"127.0.0.1:0"};
        if (has_ipv6()) hosts.emplace_back("[::1]:0");
        for (const endpoint& host : hosts) {
            auto receiver = co_await udp_socket::bind(host, options);
            auto sender = co_await udp_socket::bind(host);
            const endpoint to = receiver.local_endpoint();
            const std::uint16_t size = cuts ? 100 : 0;
            const std::string bytes = pattern(200);
            std::array<char, 512> buffer{};
            co_await sender.sendmsg(bytes, to, host, size, ecn_codepoint::ect_0);
            for (std::size_t left = bytes.size(); left > 0;) {
                auto got = co_await receiver.recvmsg(buffer);
                EXPECT_EQ(got.ecn, ecn_codepoint::ect_0);
                EXPECT_EQ(got.local, host);
                EXPECT_NE(got.interface_index, 0U);
                EXPECT_TRUE(got.received_at);
                EXPECT_TRUE(got.size == 100 || got.segment_size == size);
                left -= got.size;
            }
        }
    });
}
#endif

}  // namespace
}  // namespace anel::test
