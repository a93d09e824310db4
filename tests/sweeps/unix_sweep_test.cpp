// unix_sweep_test.cpp: messages over unix sockets, each there once or not at all, and their
// descriptors.
// SPDX-License-Identifier: MIT
#include "tests/support/unix_place.hpp"
#include "tests/sweeps/sweep.hpp"

#include <anel/unix.hpp>

#include <filesystem>

namespace anel::test {
namespace {

endpoint path_of_test() { return "unix:/tmp/anel_sweep_" + std::to_string(::getpid()); }
void remove_path_of_test() { ::unlink(std::string(path_of_test().path()).c_str()); }

// Each message brings two descriptors where there is room for one.
struct recv_passed : scenario {
    using scenario::scenario;
    static constexpr int count = 4;
    task<> set_up() {
        socket = co_await unix_datagram_socket::adopt(pair.second.release());
        received.reserve(100);
    }
    task<> beside() {
        for (; sent < count; ++sent) {
            for (int turns = sent % 3; turns > 0; --turns) co_await next_turn();
            const char digit = static_cast<char>('0' + sent);
            send_with(pair.first.fd(), std::string_view(&digit, 1), std::array{0, 0});
        }
    }
    task<> body() {
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> given;
        while (received.size() < count) {
            const unix_message next = co_await socket.recvfrom(buffer, given);
            received.append(buffer.data(), next.size);
            descriptors += next.descriptors;
        }
    }
    task<> check(const report&) {
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> given;
        for (bool more = true; more;) {
            auto next = co_await as_result(with_timeout(0s, socket.recvfrom(buffer, given)));
            more = static_cast<bool>(next);
            if (!more) break;
            received.append(buffer.data(), next->size);
            descriptors += next->descriptors;
        }
        EXPECT_EQ(received, std::string("0123").substr(0, static_cast<std::size_t>(sent)));
        EXPECT_EQ(descriptors, received.size());
    }
    raw_unix_pair pair{SOCK_DGRAM};
    unix_datagram_socket socket;
    std::string received;
    std::size_t descriptors = 0;
    int sent = 0;
};
ANEL_SWEEP(recv_passed);

// To a receiver that somebody else has filled: who names it looks again, who is connected is told.
struct send_passed : scenario {
    using scenario::scenario;
    task<> set_up() {
        remove_path_of_test();
        receiver = raw_socket::bound_to(path_of_test(), SOCK_DGRAM);
        receiver.set_blocking(false);
        other = raw_socket::connected_to(path_of_test(), SOCK_DGRAM);
        socket = co_await unix_datagram_socket::open();
        arrived.reserve(100);
        fill();
    }
    task<> beside() {
        for (;;) {
            co_await sleep_for(1ms);  // as long as who names it waits
            take();
        }
    }
    task<> body() {
        const std::array given{0};
        co_await socket.sendto("0", path_of_test(), given);
        sent = 1;
        co_await socket.connect(path_of_test());
        fill();
        co_await socket.send("1", given);
        sent = 2;
    }
    task<> check(const report& said) {
        take();
        EXPECT_EQ(arrived, std::string("01").substr(0, sent));
        EXPECT_TRUE(!said.completed || sent == 2);
        remove_path_of_test();
        co_return;
    }
    void fill() {
        while (send_with(other.fd(), "full", {})) {}
    }
    void take() {
        char bytes[8];
        for (;;) {
            const ssize_t got = ::recv(receiver.fd(), bytes, sizeof bytes, 0);
            if (got < 0) return;
            if (got == 1) arrived.append(bytes, 1);
        }
    }
    raw_socket receiver;
    raw_socket other;
    unix_datagram_socket socket;
    std::string arrived;
    std::size_t sent = 0;
};
ANEL_SWEEP(send_passed);

// Over a stream the descriptors go with the first byte.
struct passing_over_stream : scenario {
    using scenario::scenario;
    task<> set_up() {
        left = co_await tcp_stream::adopt(pair.first.release());
        bytes = pattern(600'000);
        received.reserve(bytes.size());
        buffer.resize(100'000);
    }
    task<> beside() {
        while (received.size() < bytes.size()) {
            co_await next_turn();
            take();
        }
    }
    task<> body() {
        const std::array given{0};
        co_await send_descriptors(left, bytes, given);
        sent = true;
    }
    task<> check(const report& said) {
        while (take()) {}
        EXPECT_TRUE(bytes.starts_with(received));
        EXPECT_EQ(descriptors, received.empty() ? 0U : 1U);
        EXPECT_TRUE(!said.completed || (sent && received.size() == bytes.size()));
        co_return;
    }
    bool take() {
        std::size_t passed = 0;
        const ssize_t got = receive_with(pair.second.fd(), buffer.data(), buffer.size(), passed);
        if (got <= 0) return false;
        received.append(buffer.data(), static_cast<std::size_t>(got));
        descriptors += passed;
        return true;
    }
    raw_unix_pair pair{SOCK_STREAM};
    tcp_stream left;
    std::string bytes;
    std::string received;
    std::vector<char> buffer;
    std::size_t descriptors = 0;
    bool sent = false;
};
ANEL_SWEEP(passing_over_stream);

#ifndef __APPLE__
struct through_seqpacket : scenario {
    using scenario::scenario;
    task<> set_up() {
        remove_path_of_test();
        co_return;
    }
    task<> body() {
        auto listener = co_await unix_seqpacket_listener::bind(path_of_test());
        auto client = co_await connect_seqpacket(path_of_test());
        auto server = co_await listener.accept();
        const std::array given{0};
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> room;
        for (; rounds < 2; ++rounds) {
            co_await client.send("ping", given);
            const unix_message got = co_await server.recv(buffer, room);
            complete += got.size == 4 && got.descriptors == 1;
        }
        co_await client.close();
        co_await listener.close();
    }
    static bool handles(opcode failed, int) {
        return failed == opcode::identify_path || failed == opcode::remove_path;
    }
    task<> check(const report& said) {
        EXPECT_LE(rounds, complete);
        EXPECT_TRUE(!said.completed || rounds == 2);
        const bool file_call =
            said.failed == opcode::identify_path || said.failed == opcode::remove_path;
        EXPECT_TRUE(file_call || !std::filesystem::exists(path_of_test().path()));
        remove_path_of_test();
        co_return;
    }
    int rounds = 0;
    int complete = 0;
};
ANEL_SWEEP(through_seqpacket);
#endif

// A file is in the way that nobody answers at.
struct bind_unix_messages : scenario {
    using scenario::scenario;
    task<> set_up() {
        remove_path_of_test();
        const raw_socket gone = raw_socket::bound_to(path_of_test(), SOCK_DGRAM);
        co_return;
    }
    task<> body() { socket = co_await unix_datagram_socket::bind(path_of_test()); }
    static bool handles(opcode failed, int error) {
        return failed == opcode::identify_path || failed == opcode::remove_path ||
               failed == opcode::connect || failed == opcode::open_socket ||
               (failed == opcode::bind && error == EADDRINUSE);
    }
    static bool tells_lack_of_memory(std::error_code error) {
        return scenario::tells_lack_of_memory(error) || error == code(EADDRINUSE);  // the probe's
    }
    task<> check(const report& said) {
        EXPECT_TRUE(!said.completed || socket.is_open());
        socket.stop();
        // Whatever happened, nobody has it now, and the path can be had.
        auto again = co_await unix_datagram_socket::bind(path_of_test());
        again.stop();
        EXPECT_FALSE(std::filesystem::exists(path_of_test().path()));
        remove_path_of_test();
    }
    unix_datagram_socket socket;
};
ANEL_SWEEP(bind_unix_messages);

}  // namespace
}  // namespace anel::test
