// adopt_test.cpp: sockets from outside, and sockets that are given away.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class adopted : public over_backends {};
ANEL_OVER_BACKENDS(adopted);
class adopted_from_system : public over_backends {};
ANEL_OVER_KERNELS(adopted_from_system);

TEST_P(adopted, a_released_stream_is_adopted_with_its_bytes_and_its_peer) {
    run([]() -> task<> {
        auto pair = co_await connected_pair();
        const endpoint peer = pair.server.peer_endpoint();
        const int fd = pair.server.native_handle();
        std::array<char, 16> buffer{};
        auto nothing = co_await as_result(with_timeout(0s, pair.server.recv(buffer)));
        EXPECT_FALSE(nothing);  // waited once: a poller watches it
        EXPECT_EQ(pair.server.release(), fd);
        EXPECT_FALSE(pair.server.is_open());
        EXPECT_EQ(pair.server.release(), -1);
        co_await send_and_finish(pair.client, "between");
        auto back = co_await tcp_stream::adopt(fd);
        EXPECT_EQ(back.native_handle(), fd);
        EXPECT_EQ(back.peer_endpoint(), peer);
        const std::string all = co_await receive_all(back);
        EXPECT_EQ(all, "between");
        co_await send_and_finish(back, "answer");
        const std::string answer = co_await receive_all(pair.client);
        EXPECT_EQ(answer, "answer");
    });
}

TEST_P(adopted, listeners_and_datagram_sockets_go_on_where_they_were) {
    run([]() -> task<> {
        auto first = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = first.local_endpoint();
        auto client = co_await connect(address);
        auto second = co_await tcp_listener::adopt(first.release());
        auto server = co_await second.accept();
        EXPECT_EQ(server.peer_endpoint(), client.local_endpoint());

        auto sender = co_await udp_socket::bind("127.0.0.1:0");
        auto receiver = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint to = receiver.local_endpoint();
        co_await sender.connect(to);
        co_await sender.send("one");
        auto again = co_await udp_socket::adopt(sender.release());
        auto receiving = co_await udp_socket::adopt(receiver.release());
        co_await again.send("two");
        std::array<char, 8> buffer{};
        auto one = co_await receiving.recvfrom(buffer);
        auto two = co_await receiving.recvfrom(buffer);
        EXPECT_EQ(one.size + two.size, 6U);
        EXPECT_EQ(two.from, again.local_endpoint());
    });
}

TEST_P(adopted, a_released_unix_listener_leaves_its_file) {
    const std::string file = testing::TempDir() + "anel_adopt_" + std::to_string(::getpid());
    run([&]() -> task<> {
        const endpoint path = "unix:" + file;
        auto first = co_await tcp_listener::bind(path);
        const int fd = first.release();
        auto second = co_await tcp_listener::adopt(fd);
        auto client = co_await connect(path);
        auto server = co_await second.accept();
        co_await send_and_finish(client, "x");
        const std::string all = co_await receive_all(server);
        EXPECT_EQ(all, "x");
        second.stop();  // and so does one that was adopted
        auto gone = co_await as_result(connect(path));
        EXPECT_EQ(gone.error(), code(ECONNREFUSED));
    });
    ::unlink(file.c_str());
}

template <class Socket>
task<> expect_refused(int fd, int error, const char* text) {
    try {
        auto taken = co_await Socket::adopt(fd);
        ADD_FAILURE() << "descriptor " << fd << " as a " << text;
    } catch (const io_error& said) {
        EXPECT_EQ(said.code(), code(error)) << said.what();
        const std::string begin = "adopt descriptor " + std::to_string(fd) + " as a " + text + ": ";
        EXPECT_TRUE(std::string_view(said.what()).starts_with(begin)) << said.what();
    }
    EXPECT_TRUE(fd < 0 || fd > 9000 || is_descriptor(fd));  // it stays its owner's
}

TEST_P(adopted, what_does_not_fit_is_refused_with_number_and_reason) {
    run([]() -> task<> {
        auto pair = co_await connected_pair();
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto udp = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket loose = raw_socket::bound_to("127.0.0.1:0");
        const int stream = pair.server.native_handle();
        const int listens = listener.native_handle();
        const int datagrams = udp.native_handle();
        co_await expect_refused<tcp_stream>(-1, EBADF, "stream");
        co_await expect_refused<tcp_stream>(9999, EBADF, "stream");
        co_await expect_refused<tcp_stream>(listens, EINVAL, "stream (it is a listener)");
        co_await expect_refused<tcp_stream>(loose.fd(), ENOTCONN, "stream");
        co_await expect_refused<tcp_stream>(datagrams, EPROTOTYPE, "stream (no stream socket)");
        co_await expect_refused<tcp_listener>(stream, EINVAL, "listener (it does not listen)");
        co_await expect_refused<tcp_listener>(datagrams, EPROTOTYPE, "listener (no stream socket)");
        co_await expect_refused<udp_socket>(stream, EPROTOTYPE,
                                            "datagram socket (no datagram socket)");
    });
}

TEST_P(adopted_from_system, no_socket_is_refused_and_neither_is_one_of_another_family) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    int unix_datagrams[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, unix_datagrams), 0);
    run([&]() -> task<> {
        co_await expect_refused<tcp_stream>(ends[0], ENOTSOCK, "stream");
        co_await expect_refused<udp_socket>(ends[0], ENOTSOCK, "datagram socket");
        co_await expect_refused<udp_socket>(unix_datagrams[0], EAFNOSUPPORT,
                                            "datagram socket (a unix socket)");
    });
    for (const int fd : {ends[0], ends[1], unix_datagrams[0], unix_datagrams[1]}) ::close(fd);
}

// As a service manager does that starts another program with the same listener.
TEST_P(adopted_from_system, a_listener_that_another_makes_block_does_not_stop_the_loop) {
    const raw_socket shared = raw_socket::bound_to("127.0.0.1:0");
    ASSERT_EQ(::listen(shared.fd(), 4), 0);
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::adopt(::dup(shared.fd()));
        const endpoint address = listener.local_endpoint();
        for (int i = 0; i < 3; ++i) {
            const raw_socket caller = raw_socket::connected_to(address);
            shared.set_blocking(true);
            auto stream = co_await listener.accept();
            EXPECT_EQ(stream.peer_endpoint(), caller.local_endpoint());
            shared.set_blocking(true);
            const auto nobody = co_await as_result(with_timeout(1ms, listener.accept()));
            EXPECT_EQ(nobody.error(), std::errc::timed_out);
        }
    });
}

// Whether it was made to block or not, and whoever made it.
TEST_P(adopted_from_system, sockets_of_either_mode_work) {
    for (const bool blocks : {true, false}) {
        raw_pair pair;
        pair.first.set_blocking(blocks);
        const raw_socket listening = raw_socket::bound_to("127.0.0.1:0");
        ASSERT_EQ(::listen(listening.fd(), 4), 0);
        listening.set_blocking(blocks);
        run([&]() -> task<> {
            auto stream = co_await tcp_stream::adopt(pair.first.release());
            EXPECT_TRUE(stream.peer_endpoint().is_unix());
            auto listener = co_await tcp_listener::adopt(::dup(listening.fd()));
            const std::string bytes = pattern(1'000'000, 1);
            std::string arrived;
            const auto write = [&]() -> task<> { co_await stream.send(bytes); };
            const auto read = [&]() -> task<> {
                auto other = co_await tcp_stream::adopt(pair.second.release());
                std::string all(bytes.size(), '\0');
                co_await other.recv_exact(all);
                arrived = std::move(all);
            };
            const auto accept = [&]() -> task<> {
                auto conn = co_await listener.accept();
                EXPECT_TRUE(conn.is_open());
            };
            const auto connect_late = [&]() -> task<> {
                co_await let_others_wait();
                auto conn = co_await connect(listener.local_endpoint());
                EXPECT_TRUE(conn.is_open());
            };
            co_await when_all(write(), read(), accept(), connect_late());
            EXPECT_EQ(arrived, bytes);
        });
    }
}

}  // namespace
}  // namespace anel::test
