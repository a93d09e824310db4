// descriptor_test.cpp: waiting for descriptors that somebody else works on.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <thread>

#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
#include <sched.h>
#include <sys/mount.h>
#endif

namespace anel::test {
namespace {

class descriptors : public over_backends {};
ANEL_OVER_KERNELS(descriptors);
class descriptor_refused : public over_backends {};
ANEL_OVER_BACKENDS(descriptor_refused);

/// Writes until the socket takes no more.
void fill(int fd) {
    const std::string bytes(65536, 'x');
    while (::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {}
}

std::string take(int fd) {
    std::string bytes(65536, '\0');
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

TEST_P(descriptors, tells_of_bytes_and_of_room_to_two_tasks) {
    raw_pair pair;
    fill(pair.first.fd());
    run([&]() -> task<> {
        auto held = co_await descriptor::borrow(pair.first.fd());
        std::string order;
        const auto read = [&]() -> task<> {
            co_await held.readable();
            order += 'r' + take(held.native_handle());
        };
        const auto write = [&]() -> task<> {
            co_await held.writable();
            order += 'w';
        };
        const auto peer = [&]() -> task<> {
            co_await let_others_wait();
            EXPECT_EQ(order, "");
            pair.second.write("hi");
            while (order.empty()) co_await next_turn();
            co_await let_others_wait();
            EXPECT_EQ(order, "rhi");
            while (!take(pair.second.fd()).empty()) {}
        };
        co_await when_all(read(), write(), peer());
        EXPECT_EQ(order, "rhiw");
        co_await held.writable();  // still so, and at once
    });
}

TEST_P(descriptors, a_cancelled_wait_leaves_what_is_there) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    run([&]() -> task<> {
        auto reading = co_await descriptor::adopt(ends[0]);
        auto writing = co_await descriptor::adopt(ends[1]);
        auto nothing = co_await as_result(with_timeout(1ms, reading.readable()));
        EXPECT_EQ(nothing.error(), std::errc::timed_out);
        EXPECT_EQ(::write(ends[1], "x", 1), 1);
        co_await reading.readable();
        co_await reading.readable();
        char byte = 0;
        EXPECT_EQ(::read(ends[0], &byte, 1), 1);
        auto no_more = co_await as_result(with_timeout(1ms, reading.readable()));
        EXPECT_EQ(no_more.error(), std::errc::timed_out);
        co_await writing.writable();
    });
    EXPECT_FALSE(is_descriptor(ends[0]));
}

TEST_P(descriptors, a_hang_up_counts_as_ready_for_everything) {
    run([]() -> task<> {
        raw_pair pair;
        fill(pair.first.fd());
        auto held = co_await descriptor::borrow(pair.first.fd());
        const auto hang_up = [&]() -> task<> {
            co_await let_others_wait();
            pair.second.close();
        };
        co_await when_all(held.readable(), held.writable(), held.priority(), hang_up());
    });
}

TEST_P(descriptors, urgent_data_is_a_priority_and_an_end_of_input_is_none) {
    run([]() -> task<> {
        auto pair = co_await connected_to_raw();
        const raw_socket other(pair.stream.release());
        auto held = co_await descriptor::borrow(other.fd());
        const auto urge = [&]() -> task<> {
            co_await let_others_wait();
            pair.peer.write("!", MSG_OOB);
        };
        co_await when_all(held.priority(), urge());
        char byte = 0;
        EXPECT_EQ(::recv(other.fd(), &byte, 1, MSG_OOB), 1);
        pair.peer.shutdown_write();
        co_await held.readable();
        auto none = co_await as_result(with_timeout(30ms, held.priority()));
        EXPECT_EQ(none.error(), std::errc::timed_out);
    });
}

// A ring's poll ends when the peer sends no more, whatever it was asked for.
TEST_P(descriptors, bytes_are_no_priority) {
    run([]() -> task<> {
        auto pair = co_await connected_to_raw();
        auto held = co_await descriptor::borrow(pair.stream.native_handle());
        const auto write = [&]() -> task<> {
            co_await let_others_wait();
            pair.peer.write("x");
        };
        const auto wait = [&]() -> task<> {
            auto none = co_await as_result(with_timeout(30ms, held.priority()));
            EXPECT_EQ(none.error(), std::errc::timed_out);
        };
        co_await when_all(wait(), write());
        held.release();
    });
}

#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
// The file tells of a change once, to whoever asks first. In a thread of its own, whose mounts
// nobody else sees.
TEST_P(descriptors, a_change_that_is_told_once_is_told) {
    bool allowed = false;
    std::thread([&] {
        allowed = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
                  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        if (!allowed) return;
        run([]() -> task<> {
            const int fd = ::open("/proc/thread-self/mounts", O_RDONLY | O_CLOEXEC);
            auto held = co_await descriptor::adopt(fd);
            const auto mount = [&]() -> task<> {
                co_await let_others_wait();
                EXPECT_EQ(::mount("none", "/mnt", "tmpfs", 0, nullptr), 0) << strerror(errno);
            };
            co_await with_timeout(10s, when_all(held.priority(), mount()));
        });
    }).join();
    if (!allowed) GTEST_SKIP() << "needs root, for a mount";
}
#endif

TEST_P(descriptors, the_end_of_input_makes_no_room) {
    run([]() -> task<> {
        auto pair = co_await connected_to_raw();
        const raw_socket other(pair.stream.release());
        fill(other.fd());
        auto held = co_await descriptor::borrow(other.fd());
        bool room = false;
        const auto write = [&]() -> task<> {
            co_await held.writable();
            room = true;
        };
        const auto peer = [&]() -> task<> {
            co_await let_others_wait();
            pair.peer.shutdown_write();
            co_await sleep_for(30ms);
            EXPECT_FALSE(room);
            while (!room) {
                take(pair.peer.fd());
                co_await next_turn();
            }
        };
        co_await when_all(write(), peer());
    });
}

TEST_P(descriptors, a_release_ends_waits_and_the_number_may_be_used_again) {
    run([]() -> task<> {
        for (int round = 0; round < 3; ++round) {
            int ends[2];
            EXPECT_EQ(::pipe(ends), 0);
            auto held = co_await descriptor::borrow(ends[0]);
            const auto wait = [&]() -> task<> {
                auto ended = co_await as_result(held.readable());
                EXPECT_EQ(ended.error(), code(ECANCELED));
                auto closed = co_await as_result(held.readable());
                EXPECT_EQ(closed.error(), code(EBADF));
            };
            const auto give_back = [&]() -> task<> {
                co_await let_others_wait();
                EXPECT_EQ(held.release(), ends[0]);
                EXPECT_EQ(held.release(), -1);
                ::close(ends[0]);
                ::close(ends[1]);
                EXPECT_EQ(::pipe(ends), 0);  // the same numbers
                auto next = co_await descriptor::borrow(ends[0]);
                const auto write = [&]() -> task<> {
                    co_await let_others_wait();
                    EXPECT_EQ(::write(ends[1], "x", 1), 1);
                };
                co_await when_all(next.readable(), write());
                next.release();
                ::close(ends[0]);
                ::close(ends[1]);
            };
            co_await when_all(wait(), give_back());
        }
    });
}

// Its owner closed it without a word, and the library gets the number.
TEST_P(descriptors, a_number_that_was_borrowed_serves_a_new_socket) {
    run([]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const raw_socket far = raw_socket::connected_to(listener.local_endpoint());
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        auto held = co_await descriptor::borrow(ends[0]);
        auto nothing = co_await as_result(with_timeout(1ms, held.readable()));
        EXPECT_FALSE(nothing);
        ::close(ends[0]);
        auto conn = co_await listener.accept();
        EXPECT_EQ(conn.native_handle(), ends[0]);
        const auto write = [&]() -> task<> {
            co_await let_others_wait();
            far.write("x");
        };
        std::array<char, 1> byte{};
        co_await when_all(conn.recv_exact(byte), write());
        ::close(ends[1]);
        held.release();
    });
}

TEST_P(descriptor_refused, where_it_is_given_with_number_and_reason) {
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const int folder = ::open("/", O_RDONLY | O_CLOEXEC);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const bool simulates = GetParam() == backend_kind::sim;
    run([&]() -> task<> {
        const auto refused = [&](int fd, int error, const char* reason) -> task<> {
            try {
                auto held = co_await descriptor::borrow(fd);
                ADD_FAILURE() << "descriptor " << fd;
            } catch (const io_error& said) {
                EXPECT_EQ(said.code(), code(simulates ? EOPNOTSUPP : error)) << said.what();
                if (simulates) reason = " (the simulated network has none of the system's)";
                const std::string text = "borrow descriptor " + std::to_string(fd) + reason + ": ";
                EXPECT_TRUE(std::string_view(said.what()).starts_with(text)) << said.what();
            }
        };
        co_await refused(-1, EBADF, "");
        co_await refused(9999, EBADF, "");
        co_await refused(file, EPERM, " (a regular file, which is always ready)");
        co_await refused(folder, EPERM, " (a directory, which is always ready)");
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
        co_await refused(null, EPERM, " (which cannot be polled)");
#endif
    });
    ::close(file);
    ::close(folder);
    ::close(null);
}

using descriptor_death = descriptors;
TEST_P(descriptor_death, two_tasks_wait_for_the_same) {
    GTEST_FLAG_SET(death_test_style, death_style());
    const auto wait_twice = [&] {
        run([]() -> task<> {
            raw_pair pair;
            auto held = co_await descriptor::borrow(pair.first.fd());
            co_await when_all(held.readable(), held.readable());
        });
    };
    EXPECT_DEATH(wait_twice(), "two tasks wait for the same of one descriptor");
}
ANEL_OVER_KERNELS(descriptor_death);

}  // namespace
}  // namespace anel::test
