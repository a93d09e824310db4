// passed_descriptors_test.cpp: descriptors over unix sockets: each has an owner, or is closed.
// SPDX-License-Identifier: MIT
#include "tests/support/unix_place.hpp"

#include <anel/unix.hpp>

#include <sys/resource.h>

namespace anel::test {
namespace {

class passed_descriptors : public over_unix_sockets {};
ANEL_OVER_KERNELS(passed_descriptors);

/// A file that is open, and is like no other.
struct known_file {
    unique_fd file;
    known_file() {
        char name[] = "/tmp/anel_passed_XXXXXX";
        file = unique_fd(::mkstemp(name));
        ::unlink(name);
    }
    [[nodiscard]] int number() const { return file.native_handle(); }
};

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

TEST_P(passed_descriptors, a_stream_passes_descriptors_with_its_bytes) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(at());
        const known_file one;
        const known_file two;
        const std::array sent{one.number(), two.number()};
        co_await pair.client.send("before");
        co_await send_descriptors(pair.client, "with", sent);
        co_await pair.client.send("after");
        std::array<char, 64> buffer{};
        std::array<unique_fd, 4> given;
        std::string all;
        std::size_t count = 0;
        while (all.size() < 15) {
            auto got = co_await recv_descriptors(pair.server, buffer, given);
            all.append(buffer.data(), got.size);
            EXPECT_FALSE(got.control_truncated);
            if (got.descriptors == 0) continue;
            count += got.descriptors;
            EXPECT_TRUE(same_file(given[0].native_handle(), one.number()));
            EXPECT_TRUE(same_file(given[1].native_handle(), two.number()));
            EXPECT_TRUE(closes_on_exec(given[0].native_handle()));
            EXPECT_FALSE(given[2].is_open());
            EXPECT_TRUE(all.starts_with("beforewith"));
        }
        EXPECT_EQ(all, "beforewithafter");
        EXPECT_EQ(count, 2U);
        co_await pair.client.shutdown_send();
        auto end = co_await recv_descriptors(pair.server, buffer, given);
        EXPECT_EQ(end.size, 0U);
        EXPECT_EQ(end.descriptors, 0U);
        EXPECT_TRUE(given[0].is_open()) << "what stands there stays until another comes";
    });
}

TEST_P(passed_descriptors, a_long_send_over_a_stream_passes_them_once) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(at());
        const known_file file;
        const std::array sent{file.number()};
        const std::string bytes = pattern(3'000'000);
        std::string all;
        std::size_t count = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto send = [&]() -> task<> {
                co_await send_descriptors(pair.client, bytes, sent);
                co_await pair.client.shutdown_send();
            };
            group.spawn(send);
            std::vector<char> buffer(100'000);
            std::array<unique_fd, 2> given;
            for (bool more = true; more;) {
                auto got = co_await recv_descriptors(pair.server, buffer, given);
                all.append(buffer.data(), got.size);
                count += got.descriptors;
                more = got.size > 0;
            }
        });
        EXPECT_TRUE(all == bytes);
        EXPECT_EQ(count, 1U);
    });
}

TEST_P(passed_descriptors, a_connection_is_handed_over_and_goes_on) {
    run([&]() -> task<> {
        auto to_worker = co_await connected_pair(at());
        auto conn = co_await connected_pair();
        const std::array sent{conn.server.native_handle()};
        co_await send_descriptors(to_worker.client, "take it", sent);
        conn.server.close_now();
        std::array<char, 64> buffer{};
        std::array<unique_fd, 1> given;
        auto got = co_await recv_descriptors(to_worker.server, buffer, given);
        EXPECT_EQ(got.descriptors, 1U);
        auto taken = co_await tcp_stream::adopt(given[0].release());
        EXPECT_EQ(taken.peer_endpoint(), conn.client.local_endpoint());
        co_await send_and_finish(conn.client, "request");
        const std::string request = co_await receive_all(taken);
        EXPECT_EQ(request, "request");
    });
}

TEST_P(passed_descriptors, datagrams_and_connections_for_messages_pass_them_too) {
    run([&]() -> task<> {
        auto receiver = co_await unix_datagram_socket::bind(at());
        auto sender = co_await unix_datagram_socket::open();
        const known_file file;
        const std::array sent{file.number(), file.number()};
        std::array<char, 8> buffer{};
        std::array<unique_fd, 3> given;
        co_await sender.sendto("one", at(), sent);
        auto one = co_await receiver.recvfrom(buffer, given);
        EXPECT_EQ(one.size, 3U);
        EXPECT_EQ(one.descriptors, 2U);
        EXPECT_TRUE(same_file(given[1].native_handle(), file.number()));
        co_await sender.connect(at());
        co_await sender.send("longer than the buffer", sent);
        auto two = co_await receiver.recvfrom(buffer, given);
        EXPECT_EQ(two.size, 8U);
        EXPECT_TRUE(two.truncated);
        EXPECT_EQ(two.descriptors, 2U) << "they do not depend on the bytes";
        co_await sender.send("", std::span(sent).first(1));
        auto empty = co_await receiver.recvfrom(buffer, given);
        EXPECT_EQ(empty.size, 0U);
        EXPECT_EQ(empty.descriptors, 1U);
#ifndef __APPLE__
        auto listener = co_await unix_seqpacket_listener::bind(at("seqpacket"));
        auto client = co_await connect_seqpacket(at("seqpacket"));
        auto server = co_await listener.accept();
        co_await client.send("three", sent);
        auto three = co_await server.recv(buffer, given);
        EXPECT_EQ(three.size, 5U);
        EXPECT_EQ(three.descriptors, 2U);
        EXPECT_FALSE(three.control_truncated);
#endif
    });
}

/// What a hostile peer sends over each kind of socket, and who gets it.
struct hostile_case {
    int type;
    std::size_t sent;
    std::size_t room;
};
constexpr hostile_case hostile_cases[] = {
    {SOCK_STREAM, 3, 1},    {SOCK_STREAM, 253, 1},    {SOCK_STREAM, 2, 0},
    {SOCK_DGRAM, 3, 1},     {SOCK_DGRAM, 253, 20},    {SOCK_DGRAM, 253, 0},
    {SOCK_SEQPACKET, 3, 2}, {SOCK_SEQPACKET, 253, 3}, {SOCK_SEQPACKET, 1, 0},
};

template <class Socket>
task<unix_message> receive_at(Socket& socket, mutable_buffer into, std::span<unique_fd> room) {
    if constexpr (std::is_same_v<Socket, tcp_stream>) {
        auto got = co_await recv_descriptors(socket, into, room);
        co_return got;
    } else if constexpr (std::is_same_v<Socket, unix_datagram_socket>) {
        auto got = co_await socket.recvfrom(into, room);
        co_return got;
    } else {
        auto got = co_await socket.recv(into, room);
        co_return got;
    }
}

template <class Socket>
task<> endure(const hostile_case& what) {
    raw_unix_pair pair(what.type);
    auto socket = co_await Socket::adopt(pair.second.release());
    const known_file file;
    const std::vector<int> sent(what.sent, file.number());
    std::vector<unique_fd> room(what.room);
    std::array<char, 8> buffer{};
    const std::size_t before = count_descriptors();
    for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(send_with(pair.first.fd(), "evil", sent));
        EXPECT_TRUE(send_with(pair.first.fd(), "good", {}));
        auto evil = co_await receive_at(socket, buffer, room);
        EXPECT_EQ(std::string_view(buffer.data(), evil.size), "evil");
        EXPECT_EQ(evil.descriptors, what.room);
        EXPECT_TRUE(evil.control_truncated);
        EXPECT_EQ(count_descriptors(), before + what.room);
        auto good = co_await receive_at(socket, buffer, room);
        EXPECT_EQ(std::string_view(buffer.data(), good.size), "good");
        EXPECT_EQ(good.descriptors, 0U);
        EXPECT_FALSE(good.control_truncated);
        for (unique_fd& one : room) {
            EXPECT_TRUE(same_file(one.native_handle(), file.number()));
            if (round == 1) one.close_now();
        }
    }
    room.clear();
    EXPECT_EQ(count_descriptors(), before);
}

TEST_P(passed_descriptors, more_than_there_is_room_for_are_closed_and_told) {
    run([&]() -> task<> {
        for (const hostile_case& what : hostile_cases) {
            SCOPED_TRACE(std::to_string(what.type) + ": " + std::to_string(what.sent));
            if (what.type == SOCK_STREAM) co_await endure<tcp_stream>(what);
            if (what.type == SOCK_DGRAM) co_await endure<unix_datagram_socket>(what);
#ifndef __APPLE__
            if (what.type == SOCK_SEQPACKET) co_await endure<unix_seqpacket_socket>(what);
#endif
        }
    });
}

// recv() in all its forms, a reader, and a socket that nobody reads.
TEST_P(passed_descriptors, a_receiver_that_does_not_know_of_them_leaks_none) {
    run([&]() -> task<> {
        const known_file file;
        const std::vector<int> sent(5, file.number());
        const std::size_t before = count_descriptors();
        {
            raw_unix_pair pair(SOCK_STREAM);
            auto stream = co_await tcp_stream::adopt(pair.second.release());
            for (int i = 0; i < 5; ++i) EXPECT_TRUE(send_with(pair.first.fd(), "line\n", sent));
            std::array<char, 5> buffer{};
            std::size_t got = co_await stream.recv(buffer);
            EXPECT_EQ(got, 5U);
            co_await stream.recv_exact(buffer);
            const std::size_t in_a_pair = count_descriptors();
            EXPECT_EQ(in_a_pair, before + 2);
            {
                auto lent = co_await stream.recv();
                EXPECT_EQ(lent.size(), 5U);
            }
            buffered_reader reader(stream);
            auto line = co_await reader.read_line(100);
            EXPECT_EQ(line, "line");
            EXPECT_EQ(count_descriptors(), in_a_pair);
        }
        {
            raw_unix_pair pair(SOCK_DGRAM);
            EXPECT_TRUE(send_with(pair.first.fd(), "unread", sent));
            auto socket = co_await unix_datagram_socket::adopt(pair.second.release());
        }
        EXPECT_EQ(count_descriptors(), before);
    });
}

TEST_P(passed_descriptors, what_this_process_may_not_open_is_told) {
    run([&]() -> task<> {
        raw_unix_pair pair(SOCK_DGRAM);
        auto socket = co_await unix_datagram_socket::adopt(pair.second.release());
        const known_file file;
        const std::array sent{file.number(), file.number()};
        std::array<char, 8> buffer{};
        std::array<unique_fd, 2> given;
        EXPECT_TRUE(send_with(pair.first.fd(), "one", sent));
        EXPECT_TRUE(send_with(pair.first.fd(), "two", sent));
        no_descriptors_left full;
        auto none = co_await socket.recvfrom(buffer, given);
        full.end();
        EXPECT_EQ(none.size, 3U);
        EXPECT_EQ(none.descriptors, 0U);
        EXPECT_TRUE(none.control_truncated);
        auto all = co_await socket.recvfrom(buffer, given);
        EXPECT_EQ(all.descriptors, 2U);
        EXPECT_FALSE(all.control_truncated);
    });
}

TEST_P(passed_descriptors, a_cancelled_receive_takes_neither_message_nor_descriptor) {
    run([&]() -> task<> {
        raw_unix_pair pair(SOCK_DGRAM);
        auto socket = co_await unix_datagram_socket::adopt(pair.second.release());
        const known_file file;
        const std::array sent{file.number()};
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> given;
        auto none = co_await as_result(with_timeout(1ms, socket.recvfrom(buffer, given)));
        EXPECT_EQ(none.error(), std::errc::timed_out);
        EXPECT_FALSE(given[0].is_open());
        EXPECT_TRUE(send_with(pair.first.fd(), "still there", sent));
        auto got = co_await socket.recvfrom(buffer, given);
        EXPECT_EQ(got.descriptors, 1U);
        EXPECT_TRUE(same_file(given[0].native_handle(), file.number()));
    });
}

TEST_P(passed_descriptors, bad_ones_are_refused_with_their_numbers) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(at());
        auto datagrams = co_await unix_datagram_socket::open();
        auto receiver = co_await unix_datagram_socket::bind(at("d"));
        const std::string to = at("d").to_string();
        const std::array bad{0, 9999};
        std::string text = co_await failure_of(datagrams.sendto("x", at("d"), bad));
        EXPECT_EQ(text, "sendmsg " + to + " with descriptors 0, 9999: Bad file descriptor (EBADF)");
        text = co_await failure_of(send_descriptors(pair.server, "x", std::span(bad).last(1)));
        EXPECT_EQ(text, "sendmsg " + at().to_string() +
                            " with descriptor 9999: Bad file descriptor (EBADF)");
        const std::vector<int> many(passed_descriptors_max + 1, 0);
        text = co_await failure_of(datagrams.sendto("x", at("d"), many));
        EXPECT_EQ(text, "sendmsg " + to +
                            " with descriptors 0, 0, 0, 0, 0, 0, 0, 0 … "
                            "(254 of them): Invalid argument (EINVAL)");
        text = co_await failure_of(send_descriptors(pair.client, "", std::span(bad).first(1)));
        EXPECT_EQ(text, "sendmsg descriptors without a byte: Invalid argument (EINVAL)");
        std::array<unique_fd, 1> room;
        EXPECT_THROW((void)recv_descriptors(pair.client, std::span<char>(), room), io_error);
        // All of them at once are as many as there can be.
        co_await datagrams.sendto("x", at("d"), std::span(many).first(passed_descriptors_max));
        std::vector<unique_fd> given(300);
        std::array<char, 8> buffer{};
        auto all = co_await receiver.recvfrom(buffer, given);
        EXPECT_EQ(all.descriptors, passed_descriptors_max);
        EXPECT_FALSE(all.control_truncated);
    });
}

#ifdef __linux__
// A pidfd comes where nobody asked for a descriptor (Linux 6.5), and credentials before them.
TEST_P(passed_descriptors, options_of_the_program_leave_room_for_them_and_leak_none) {
    run([&]() -> task<> {
        raw_unix_pair pair(SOCK_DGRAM);
        auto socket = co_await unix_datagram_socket::adopt(pair.second.release());
        constexpr int pass_pidfd = 76;  // SO_PASSPIDFD
        const int on = 1;
        const int fd = socket.native_handle();
        EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
        (void)::setsockopt(fd, SOL_SOCKET, pass_pidfd, &on, sizeof on);
        const known_file file;
        const std::array sent{file.number(), file.number()};
        std::array<char, 8> buffer{};
        std::array<unique_fd, 2> given;
        const std::size_t before = count_descriptors();
        for (int round = 0; round < 2; ++round) {
            EXPECT_TRUE(send_with(pair.first.fd(), "x", sent));
            auto got = co_await socket.recvfrom(buffer, given);
            EXPECT_EQ(got.descriptors, 2U);
            EXPECT_FALSE(got.control_truncated);
            EXPECT_EQ(count_descriptors(), before + 2);
        }
        EXPECT_TRUE(send_with(pair.first.fd(), "x", sent));
        auto got = co_await socket.recvfrom(buffer);
        EXPECT_TRUE(got.control_truncated);
        EXPECT_EQ(count_descriptors(), before + 2);
    });
}
#endif

class passed_descriptors_refused : public over_backends {};
ANEL_OVER_BACKENDS(passed_descriptors_refused);

TEST_P(passed_descriptors_refused, a_tcp_stream_passes_none) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string peer = pair.client.peer_text() + " (no unix stream): ";
        const std::array sent{0};
        std::string text = co_await failure_of(send_descriptors(pair.client, "x", sent));
        EXPECT_EQ(text, "sendmsg " + peer + "Operation not supported (EOPNOTSUPP)");
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> room;
        EXPECT_THROW((void)recv_descriptors(pair.client, buffer, room), io_error);
    });
}

TEST_P(passed_descriptors_refused, the_simulated_network_passes_none) {
    run([&]() -> task<> {
        if (!simulated) co_return;
        auto pair = co_await connected_pair("unix:@here");
        const std::array sent{0};
        std::string text = co_await failure_of(send_descriptors(pair.server, "x", sent));
        EXPECT_EQ(text,
                  "sendmsg unix:@here with descriptor 0: Operation not supported (EOPNOTSUPP)");
        std::array<char, 8> buffer{};
        std::array<unique_fd, 1> room;
        text = co_await failure_of(recv_descriptors(pair.server, buffer, room));
        EXPECT_EQ(text, "recvmsg unix:@here: Operation not supported (EOPNOTSUPP)");
        text = co_await failure_of(unix_datagram_socket::bind("unix:/run/x"));
        EXPECT_EQ(text, "socket unix:/run/x: Operation not supported (EOPNOTSUPP)");
        text = co_await failure_of(connect_seqpacket("unix:/run/x"));
        EXPECT_EQ(text, "socket unix:/run/x: Operation not supported (EOPNOTSUPP)");
    });
}

}  // namespace
}  // namespace anel::test
