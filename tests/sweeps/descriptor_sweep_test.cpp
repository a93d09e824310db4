// descriptor_sweep_test.cpp: waits for descriptors of others, and sockets that come from outside.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

namespace anel::test {
namespace {

struct polling : scenario {
    using scenario::scenario;
    static constexpr int count = 4;
    task<> set_up() {
        pair.first.set_blocking(false);
        pair.second.set_blocking(false);
        received.reserve(100);
        co_return;
    }
    task<> beside() {
        for (; sent < count; ++sent) {
            for (int turns = sent % 3; turns > 0; --turns) co_await next_turn();
            const char digit = static_cast<char>('0' + sent);
            pair.second.write(std::string_view(&digit, 1));
        }
        for (;;) {  // makes room
            co_await next_turn();
            drained += take(pair.second.fd(), nullptr);
        }
    }
    task<> body() {
        auto held = co_await descriptor::borrow(pair.first.fd());
        while (received.size() < count) {
            co_await held.readable();
            take(held.native_handle(), &received);
        }
        while (fill()) {}
        co_await held.writable();
        wrote_again = fill();
        held.release();
        copy = raw_socket(::dup(pair.first.fd()));
        auto owned = co_await descriptor::adopt(copy.fd());
        copy.release();
        co_await owned.writable();
    }
    task<> check(const report& said) {
        take(pair.first.fd(), &received);
        EXPECT_EQ(received, std::string("0123").substr(0, static_cast<std::size_t>(sent)));
        drained += take(pair.second.fd(), nullptr);
        EXPECT_EQ(drained, filled);
        EXPECT_TRUE(!said.completed || wrote_again);
        co_return;
    }

    /// Returns how many bytes there were.
    static std::size_t take(int from, std::string* into) {
        char bytes[4096];
        std::size_t all = 0;
        for (;;) {
            const ssize_t got = ::recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
            if (got <= 0) return all;
            all += static_cast<std::size_t>(got);
            if (into) into->append(bytes, static_cast<std::size_t>(got));
        }
    }
    bool fill() {
        static constexpr char bytes[4096]{};
        const ssize_t put = ::send(pair.first.fd(), bytes, sizeof bytes, MSG_DONTWAIT);
        filled += put > 0 ? static_cast<std::size_t>(put) : 0;
        return put > 0;
    }

    raw_pair pair;
    raw_socket copy;
    std::string received;
    std::size_t filled = 0;
    std::size_t drained = 0;
    int sent = 0;
    bool wrote_again = false;
};
ANEL_SWEEP(polling);

struct adopting : scenario {
    using scenario::scenario;
    task<> set_up() {
        listening = raw_socket::bound_to("127.0.0.1:0");
        EXPECT_EQ(::listen(listening.fd(), 8), 0);
        connected = raw_socket::connected_to(listening.local_endpoint());
        datagrams = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        co_return;
    }
    task<> body() {
        auto listener = co_await tcp_listener::adopt(listening.fd());
        listening.release();
        auto server = co_await listener.accept();
        auto client = co_await tcp_stream::adopt(connected.fd());
        connected.release();
        co_await server.send("x");
        std::array<char, 1> got{};
        co_await client.recv_exact(got);
        auto udp = co_await udp_socket::adopt(datagrams.fd());
        datagrams.release();
        const endpoint self = udp.local_endpoint();
        co_await udp.sendto("y", self);
        auto from = co_await udp.recvfrom(got);
        ended = from.size == 1;
        connected = raw_socket(client.release());
        datagrams = raw_socket(udp.release());
        listening = raw_socket(listener.release());
    }
    task<> check(const report& said) {
        EXPECT_TRUE(!said.completed || (ended && listening.fd() >= 0 && datagrams.fd() >= 0));
        co_return;
    }
    raw_socket listening;
    raw_socket connected;
    raw_socket datagrams;
    bool ended = false;
};
ANEL_SWEEP(adopting);

}  // namespace
}  // namespace anel::test
