// unix_test.cpp: stream sockets with a path: the same streams, and the care of the file.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <fstream>

#include <sys/stat.h>

namespace anel::test {
namespace {

class unix_sockets : public over_backends {
protected:
    void SetUp() override {
        over_backends::SetUp();
        ASSERT_NE(::mkdtemp(directory_), nullptr);
    }
    void TearDown() override {
        for (const std::string& name : entries(directory_)) {
            ADD_FAILURE() << name << " was left behind";
            ::unlink((std::string(directory_) + "/" + name).c_str());
        }
        ::rmdir(directory_);
        over_backends::TearDown();
    }
    std::string path(std::string_view name = "s") const {
        return std::string(directory_) + "/" + std::string(name);
    }
    endpoint at(std::string_view name = "s") const { return "unix:" + path(name); }
    bool exists(std::string_view name = "s") const {
        if (simulated) return simulated->host().files.count(path(name)) > 0;
        struct stat status{};
        return ::lstat(path(name).c_str(), &status) == 0;
    }

private:
    char directory_[32] = "/tmp/anel_test_XXXXXX";
};
ANEL_OVER_BACKENDS(unix_sockets);
class unix_sockets_on_kernel : public unix_sockets {};
ANEL_OVER_KERNELS(unix_sockets_on_kernel);

TEST_P(unix_sockets, a_stream_over_a_path_is_a_stream) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(at());
        const std::string bytes = pattern(1 << 20);
        std::string received;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_finish, std::ref(pair.client), std::string_view(bytes));
            received = co_await receive_all(pair.server, 10'007);
        });
        EXPECT_TRUE(received == bytes);
        co_await pair.server.send("back", "wards");
        const std::string back = co_await receive(pair.client, 9);
        EXPECT_EQ(back, "backwards");
        EXPECT_TRUE(pair.server.peer_endpoint().is_unix());
        EXPECT_EQ(pair.server.local_endpoint(), at());
    });
}

TEST_P(unix_sockets, set_no_delay_changes_nothing_and_is_no_error) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair(at());
        for (const bool on : {true, false}) {
            pair.client.set_no_delay(on);
            pair.server.set_no_delay(on);
        }
        co_await pair.client.send("still there");
        const std::string text = co_await receive(pair.server, 11);
        EXPECT_EQ(text, "still there");
        pair.client.close_now();
        EXPECT_THROW(pair.client.set_no_delay(true), io_error) << "it is closed";
    });
}

TEST_P(unix_sockets, an_abstract_name_has_no_file) {
    const endpoint name = "unix:@anel-test-" + std::to_string(::getpid());
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind(name);
        EXPECT_EQ(listener.local_endpoint(), name);
        auto client = co_await connect(name);
        auto server = co_await listener.accept();
        co_await client.send("x");
        const std::string byte = co_await receive(server, 1);
        EXPECT_EQ(byte, "x");
        const std::error_code taken = co_await error_of(tcp_listener::bind(name));
        EXPECT_EQ(taken, code(EADDRINUSE));
    });
}

TEST_P(unix_sockets, the_file_goes_with_its_listener) {
    run([&]() -> task<> {
        {
            auto listener = co_await tcp_listener::bind(at());
            EXPECT_TRUE(exists());
        }
        EXPECT_FALSE(exists()) << "the destructor removes it";
        auto stopped = co_await tcp_listener::bind(at());
        stopped.stop();
        EXPECT_FALSE(exists()) << "stop() removes it";
        auto first = co_await tcp_listener::bind(at("first"));
        auto second = co_await tcp_listener::bind(at("second"));
        first = std::move(second);
        EXPECT_FALSE(exists("first")) << "an assignment removes it";
        EXPECT_TRUE(exists("second"));
    });
}

TEST_P(unix_sockets, close_removes_the_file) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind(at());
        co_await listener.close();
        EXPECT_FALSE(exists());
    });
    ::unlink(path().c_str());
}

TEST_P(unix_sockets_on_kernel, the_file_of_a_listener_that_is_gone_is_replaced) {
    { const raw_socket gone = raw_socket::bound_to(at()); }
    ASSERT_TRUE(exists());
    run([&]() -> task<> {
        listen_options without;
        without.reuse_address = false;
        const std::error_code refused = co_await error_of(tcp_listener::bind(at(), without));
        EXPECT_EQ(refused, code(EADDRINUSE));
        EXPECT_TRUE(exists());
        const std::error_code nobody = co_await error_of(connect(at()));
        EXPECT_EQ(nobody, code(ECONNREFUSED));
        auto listener = co_await tcp_listener::bind(at());
        auto client = co_await connect(at());
        auto server = co_await listener.accept();
        EXPECT_TRUE(server.is_open());
    });
}

TEST_P(unix_sockets, the_file_of_a_living_listener_is_not_taken_away) {
    run([&]() -> task<> {
        auto first = co_await tcp_listener::bind(at());
        const std::string text = co_await failure_of(tcp_listener::bind(at()));
        EXPECT_EQ(text, "bind " + at().to_string() + ": Address already in use (EADDRINUSE)");
        EXPECT_TRUE(exists());
        auto client = co_await connect(at());
        EXPECT_TRUE(client.is_open());
    });
}

TEST_P(unix_sockets_on_kernel, a_file_that_is_no_socket_is_not_removed) {
    std::ofstream(path()) << "precious";
    run([&]() -> task<> {
        const std::error_code error = co_await error_of(tcp_listener::bind(at()));
        EXPECT_EQ(error, code(EADDRINUSE));
    });
    EXPECT_TRUE(exists());
    ::unlink(path().c_str());
}

TEST_P(unix_sockets, errors_name_the_path) {
    run([&]() -> task<> {
        const std::string missing = co_await failure_of(connect(at()));
        EXPECT_EQ(missing, "connect " + at().to_string() + ": No such file or directory (ENOENT)");
    });
}

TEST_P(unix_sockets_on_kernel, a_path_in_a_directory_that_is_not_there_cannot_be_bound) {
    run([&]() -> task<> {
        const std::string nowhere = co_await failure_of(tcp_listener::bind(at("no/where")));
        EXPECT_EQ(nowhere,
                  "bind " + at("no/where").to_string() + ": No such file or directory (ENOENT)");
    });
}

TEST_P(unix_sockets, the_longest_path_works) {
    run([&]() -> task<> {
        const std::string name(endpoint::path_size_max - path("").size(), 'x');
        auto listener = co_await tcp_listener::bind(at(name));
        EXPECT_TRUE(exists(name));
        EXPECT_EQ(listener.local_endpoint(), at(name));
        auto client = co_await connect(at(name));
        EXPECT_TRUE(client.is_open());
    });
}

TEST_P(unix_sockets, the_end_and_a_closed_peer_are_seen) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw(at());
        pair.peer.write("bye");
        pair.peer.close();
        const std::string text = co_await receive_all(pair.stream);
        EXPECT_EQ(text, "bye");
        const std::error_code error = co_await error_of(pair.stream.send("x"));
        EXPECT_EQ(error, code(EPIPE));
    });
}

// --- peers that use what only unix sockets have -------------------------------------------------

// Sends `bytes` and a descriptor with them.
void send_with_descriptor(const raw_socket& peer, std::string_view bytes) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = peer.fd();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    EXPECT_EQ(::sendmsg(peer.fd(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// A read stops behind bytes that came with a descriptor, though more has arrived.
TEST_P(unix_sockets_on_kernel,
       a_peer_that_sends_descriptors_neither_stalls_a_stream_nor_leaks_them) {
    run([&]() -> task<> {
        for (const bool parked : {false, true}) {
            auto pair = co_await connected_to_raw(at());
            const std::size_t descriptors = count_descriptors();
            std::string received;
            const auto gather = [&](tcp_stream& from) -> task<> {
                received = co_await receive(from, 12);
                std::array<char, 64> buffer{};
                while (received.size() < 24) {
                    const std::size_t n = co_await from.recv(buffer);
                    received.append(buffer.data(), n);
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (parked) group.spawn(gather, std::ref(pair.stream));
                co_await let_others_wait();
                for (int i = 0; i < 2; ++i) {
                    send_with_descriptor(pair.peer, "abc");
                    pair.peer.write("def");
                    send_with_descriptor(pair.peer, "ghi");
                    pair.peer.write("jkl");
                    co_await let_others_wait();
                }
                if (!parked) co_await gather(pair.stream);
            });
            EXPECT_EQ(received, "abcdefghijklabcdefghijkl");
            EXPECT_EQ(count_descriptors(), descriptors);
        }
    });
}

// --- a full backlog -----------------------------------------------------------------------------

TEST_P(unix_sockets, connect_to_a_full_backlog_waits_for_its_turn) {
    run([&]() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        auto listener = co_await tcp_listener::bind(at(), tiny);
        auto waiting = fill_backlog(at());
        std::string text = "still waiting";
        const auto connect_late = [&](endpoint address) -> task<> {
            text = co_await failure_of(connect(address));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(connect_late, at());
            co_await let_others_wait();
            for (std::size_t i = 0; i <= waiting.size(); ++i) {
                auto next = co_await as_result(with_timeout(patience, listener.accept()));
                EXPECT_TRUE(next) << next.error();
                if (!next) break;
            }
        });
        EXPECT_EQ(text, "no error");
    });
}

TEST_P(unix_sockets, connect_to_a_full_backlog_can_be_given_up) {
    run([&]() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        auto listener = co_await tcp_listener::bind(at(), tiny);
        const auto waiting = fill_backlog(at());
        const std::error_code error = co_await error_of(with_timeout(5ms, connect(at())));
        EXPECT_EQ(error, code(ETIMEDOUT));
    });
}

TEST_P(unix_sockets, bind_to_the_path_of_a_busy_listener_does_not_wait_for_it) {
    run([&]() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        auto listener = co_await tcp_listener::bind(at(), tiny);
        const auto waiting = fill_backlog(at());
        const time_point start = co_await current_time();
        const std::error_code error =
            co_await error_of(with_timeout(10s, tcp_listener::bind(at())));
        const time_point end = co_await current_time();
        EXPECT_EQ(error, code(EADDRINUSE));
        EXPECT_LT(end - start, 5s) << "it waits for room in the backlog";
        EXPECT_TRUE(exists());
    });
}

// A program between its bind() and its listen() refuses connections as one does that is gone.
TEST_P(unix_sockets_on_kernel, the_file_of_a_listener_that_is_about_to_listen_is_left_to_it) {
    run([&]() -> task<> {
        const raw_socket other = raw_socket::bound_to(at());
        const auto listens_soon = [&]() -> task<> {
            co_await next_turn();
            EXPECT_EQ(::listen(other.fd(), 5), 0);
        };
        std::error_code refused;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(listens_soon);
            refused = co_await error_of(tcp_listener::bind(at()));
        });
        EXPECT_EQ(refused, code(EADDRINUSE));
        auto client = co_await connect(at());
        EXPECT_TRUE(client.is_open());
        ::unlink(std::string(at().path()).c_str());
    });
}

// Two programs find a file that was left behind: the second must not take that of the first.
TEST_P(unix_sockets_on_kernel, a_file_that_was_taken_over_meanwhile_is_not_taken_again) {
    run([&]() -> task<> {
        { const raw_socket gone = raw_socket::bound_to(at()); }
        int bound = 0;
        const auto serve_there = [&]() -> task<> {
            auto listener = co_await as_result(tcp_listener::bind(at()));
            if (!listener) co_return;
            bound += 1;
            for (;;) auto next = co_await listener->accept();  // the other one asks too
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(serve_there);
            group.spawn(serve_there);
            while (bound == 0) co_await sleep_for(1ms);
            co_await sleep_for(60ms);
            auto client = co_await connect(at());
            EXPECT_TRUE(client.is_open());
            group.cancel();
        });
        EXPECT_EQ(bound, 1);
    });
}

}  // namespace
}  // namespace anel::test
