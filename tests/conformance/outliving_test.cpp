// outliving_test.cpp: sockets that are returned from run(): closed well, and refused in another.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace anel::test {
namespace {

class outliving : public over_backends {
protected:
    template <class T>
    T result_of(task<T> work) {
        run_options how;
        how.backend.kind = GetParam();
        how.signals = false;
        return anel::run(std::move(work), how);
    }
};
ANEL_OVER_KERNELS(outliving);

struct ends {
    tcp_listener listener;
    tcp_stream client;
    tcp_stream server;
    udp_socket datagrams;

    ends() = default;
};

/// One socket of each kind. All have waited for something, and bytes lie unread in lent memory.
task<ends> make_ends() {
    ends made;
    made.listener = co_await tcp_listener::bind("127.0.0.1:0");
    made.client = co_await connect(made.listener.local_endpoint());
    made.server = co_await made.listener.accept();
    made.datagrams = co_await udp_socket::bind("127.0.0.1:0");
    std::array<char, 8> room{};
    auto none = co_await as_result(with_timeout(1ms, made.datagrams.recvfrom(room)));
    EXPECT_FALSE(none);
    auto nothing = co_await as_result(with_timeout(1ms, made.client.recv()));
    EXPECT_FALSE(nothing);
    co_await made.server.send("unread");
    co_await next_turn();
    co_return made;
}

TEST_P(outliving, every_socket_closes_its_descriptor_when_it_goes_after_its_run) {
    int fds[4] = {};
    {
        const ends kept = result_of(make_ends());
        fds[0] = kept.listener.native_handle();
        fds[1] = kept.client.native_handle();
        fds[2] = kept.server.native_handle();
        fds[3] = kept.datagrams.native_handle();
        for (const int fd : fds) EXPECT_TRUE(is_descriptor(fd));
    }
    for (const int fd : fds) EXPECT_FALSE(is_descriptor(fd));
}

TEST_P(outliving, every_operation_in_another_run_fails_and_says_why) {
    ends kept = result_of(make_ends());
    const auto use = [&]() -> task<> {
        const std::string why = ": the run() that made it has ended";
        const std::string peer = kept.client.peer_endpoint().to_string();
        const std::string listener = " descriptor " + std::to_string(kept.listener.native_handle());
        const std::string udp = " descriptor " + std::to_string(kept.datagrams.native_handle());
        std::array<char, 8> room{};
        datagram_batch batch(16);
        std::string text = co_await failure_of(kept.listener.accept());
        EXPECT_EQ(text, "accept" + listener + why);
        text = co_await failure_of(kept.client.recv(room));
        EXPECT_EQ(text, "recv " + peer + why);
        text = co_await failure_of(kept.client.recv());
        EXPECT_EQ(text, "recv " + peer + why);
        text = co_await failure_of(kept.client.send("x"));
        EXPECT_EQ(text, "send " + peer + why);
        text = co_await failure_of(kept.client.send("x", "y"));
        EXPECT_EQ(text, "send " + peer + why);
        text = co_await failure_of(kept.client.shutdown_send());
        EXPECT_EQ(text, "shutdown " + peer + why);
        text = co_await failure_of(kept.datagrams.recvfrom(room));
        EXPECT_EQ(text, "recvfrom" + udp + why);
        text = co_await failure_of(kept.datagrams.sendto("x", "127.0.0.1:9"));
        EXPECT_EQ(text, "sendto 127.0.0.1:9" + why);
        text = co_await failure_of(kept.datagrams.recv_batch(batch));
        EXPECT_EQ(text, "recv_batch" + udp + why);
        text = co_await failure_of(kept.client.send_file("/proc/self/exe"));
        EXPECT_NE(text.find(why), text.npos) << text;
        auto accepted = co_await as_result(kept.listener.accept());
        EXPECT_EQ(accepted.error(), errc::run_has_ended);
        EXPECT_EQ(accepted.error(), std::errc::bad_file_descriptor);  // for who asks for that
        EXPECT_THROW(static_cast<void>(kept.listener.local_endpoint()), io_error);
        EXPECT_THROW(kept.client.set_no_delay(true), io_error);
        co_await kept.client.close();
        EXPECT_FALSE(kept.client.is_open());
        const auto session = [](tcp_stream) -> task<> { co_return; };
        text = co_await failure_of(serve(std::move(kept.listener), session));
        EXPECT_NE(text.find(why), text.npos) << text;
    };
    run(use);
}

TEST_P(outliving, a_stream_that_is_detached_goes_on_in_another_run) {
    stream_pair kept = result_of(connected_pair());
    const auto use = [&]() -> task<> {
        auto client = co_await attach(detach(std::move(kept.client)));
        auto server = co_await attach(detach(std::move(kept.server)));
        co_await client.send("hello");
        std::array<char, 5> room{};
        co_await server.recv_exact(room);
        EXPECT_EQ(std::string_view(room.data(), room.size()), "hello");
    };
    run(use);
}

TEST_P(outliving, a_unix_listener_still_removes_its_file) {
    const std::string path = testing::TempDir() + "anel_outlived_" + std::to_string(::getpid());
    {
        const auto kept = result_of(tcp_listener::bind("unix:" + path));
        struct stat status{};
        EXPECT_EQ(::stat(path.c_str(), &status), 0);
    }
    struct stat status{};
    EXPECT_NE(::stat(path.c_str(), &status), 0);
}

// The numbers of a simulated host's descriptors are those of somebody else's here.
TEST(outliving_sim, a_socket_of_a_simulated_host_closes_nothing_of_the_systems) {
    std::vector<int> open;
    for (int i = 0; i < 16; ++i) open.push_back(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    {
        std::optional<tcp_listener> kept;
        sim::world world(1);
        world.client("one", "10.0.0.1",
                     [&]() -> task<> { kept = co_await tcp_listener::bind("10.0.0.1:80"); });
        EXPECT_THROW(world.run(1min), sim::failure);  // it was left open
        kept.reset();
    }
    std::optional<tcp_listener> kept;
    {
        sim::world world(1);
        world.client("one", "10.0.0.1",
                     [&]() -> task<> { kept = co_await tcp_listener::bind("10.0.0.1:80"); });
        EXPECT_THROW(world.run(1min), sim::failure);
    }
    kept.reset();
    for (const int fd : open) {
        EXPECT_TRUE(is_descriptor(fd)) << fd;
        ::close(fd);
    }
}

}  // namespace
}  // namespace anel::test
