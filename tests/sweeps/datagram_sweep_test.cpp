// datagram_sweep_test.cpp: datagrams, each there once or not at all.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

namespace anel::test {
namespace {

struct recvfrom : scenario {
    using scenario::scenario;
    static constexpr int count = 5;
    task<> set_up() {
        socket = co_await udp_socket::bind("127.0.0.1:0");
        peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        received.reserve(100);
    }
    task<> beside() {
        for (; sent < count; ++sent) {
            for (int turns = sent % 3; turns > 0; --turns) co_await next_turn();
            const char digit = static_cast<char>('0' + sent);
            peer.write(std::string_view(&digit, 1));
        }
    }
    task<> body() {
        std::array<char, 8> buffer{};
        while (received.size() < count) {
            const datagram next = co_await socket.recvfrom(buffer);
            received.append(buffer.data(), next.size);
        }
    }
    task<> check(const report&) {
        std::array<char, 8> buffer{};
        for (bool more = true; more;) {
            auto next = co_await as_result(with_timeout(0s, socket.recvfrom(buffer)));
            more = static_cast<bool>(next);
            if (more) received.append(buffer.data(), next->size);
        }
        EXPECT_EQ(received, std::string("01234").substr(0, static_cast<std::size_t>(sent)));
    }
    udp_socket socket;
    raw_socket peer;
    std::string received;
    int sent = 0;
};
ANEL_SWEEP(recvfrom);

struct recvmsg : recvfrom {
    using recvfrom::recvfrom;
    task<> body() {
        std::array<char, 8> buffer{};
        while (received.size() < count) {
            const datagram_message next = co_await socket.recvmsg(buffer);
            received.append(buffer.data(), next.size);
        }
    }
};
ANEL_SWEEP(recvmsg);

struct sendto : scenario {
    using scenario::scenario;
    task<> set_up() {
        socket = co_await udp_socket::bind("127.0.0.1:0");
        peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        peer.set_blocking(false);
        address = peer.local_endpoint();
    }
    task<> body() {
        co_await socket.sendto("0", address);
        sent = 1;
        co_await socket.sendto("1", address);
        sent = 2;
        co_await socket.connect(address);
        co_await socket.send("2");
        sent = 3;
    }
    task<> check(const report& said) {
        std::string arrived;
        std::array<char, 8> buffer{};
        for (;;) {
            const ssize_t n = ::recv(peer.fd(), buffer.data(), buffer.size(), 0);
            if (n < 0) break;
            arrived.append(buffer.data(), static_cast<std::size_t>(n));
        }
        // Cancelled while it waited it was not sent; nothing else waits here.
        EXPECT_EQ(arrived, std::string("012").substr(0, sent));
        if (said.completed) {
            EXPECT_EQ(sent, 3U);
        }
        co_return;
    }
    udp_socket socket;
    raw_socket peer;
    endpoint address;
    std::size_t sent = 0;
};
ANEL_SWEEP(sendto);

struct sendmsg : sendto {
    using sendto::sendto;
    task<> body() {
        while (sent < 3) {
            const char digit = static_cast<char>('0' + sent);
            const std::string_view bytes(&digit, 1);
            co_await socket.sendmsg(bytes, address, "127.0.0.1:0");
            sent += 1;
        }
    }
};
ANEL_SWEEP(sendmsg);

struct recv_batch : scenario {
    using scenario::scenario;
    static constexpr int count = 5;
    task<> set_up() {
        socket = co_await udp_socket::bind("127.0.0.1:0");
        peer = raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
        received.reserve(100);
    }
    task<> beside() {
        for (; sent < count; ++sent) {
            for (int turns = sent % 3; turns > 0; --turns) co_await next_turn();
            const char digit = static_cast<char>('0' + sent);
            peer.write(std::string_view(&digit, 1));
        }
    }
    task<> body() {
        datagram_batch batch(8);
        while (received.size() < count) {
            co_await socket.recv_batch(batch);
            for (const auto each : batch) received.append(each.text());
        }
    }
    task<> check(const report&) {
        datagram_batch batch(8);
        for (bool more = true; more;) {
            const auto next = co_await as_result(with_timeout(0s, socket.recv_batch(batch)));
            more = static_cast<bool>(next);
            for (const auto each : batch) received.append(each.text());
        }
        EXPECT_EQ(received, std::string("01234").substr(0, static_cast<std::size_t>(sent)));
    }
    udp_socket socket;
    raw_socket peer;
    std::string received;
    int sent = 0;
};
ANEL_SWEEP(recv_batch);

struct send_batch : scenario {
    using scenario::scenario;
    task<> set_up() {
        socket = co_await udp_socket::bind("127.0.0.1:0");
        peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        peer.set_blocking(false);
        address = peer.local_endpoint();
    }
    task<> body() {
        for (const char* text : {"0", "1", "2"}) static_cast<void>(batch.push(text, address));
        co_await socket.send_batch(batch);
        co_await socket.connect(address);
        batch.clear();
        for (const char* text : {"3", "4"}) static_cast<void>(batch.push(text));
        first_is_through = true;
        co_await socket.send_batch(batch);
    }
    task<> check(const report& said) {
        // Those of the last batch that it calls sent have arrived, and all of the one before.
        std::string expected = first_is_through ? "012" : "";
        for (const auto each : batch) {
            if (!each.error()) expected.append(each.text());
        }
        std::string arrived;
        std::array<char, 8> buffer{};
        for (;;) {
            const ssize_t n = ::recv(peer.fd(), buffer.data(), buffer.size(), 0);
            if (n < 0) break;
            arrived.append(buffer.data(), static_cast<std::size_t>(n));
        }
        EXPECT_EQ(arrived, expected);
        if (said.completed) {
            EXPECT_EQ(arrived, "01234");
        }
        co_return;
    }
    udp_socket socket;
    raw_socket peer;
    endpoint address;
    datagram_batch batch{8};
    bool first_is_through = false;
};
ANEL_SWEEP(send_batch);

}  // namespace
}  // namespace anel::test
