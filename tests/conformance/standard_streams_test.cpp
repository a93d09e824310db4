// standard_streams_test.cpp: standard input, output and error, whatever they are.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/standard_streams.hpp>

#include <cstdlib>

namespace anel::test {
namespace {

class standard_streams : public over_backends {};
ANEL_OVER_KERNELS(standard_streams);

/// Puts `fd` in the place of standard stream `which`, until it goes.
class replaced {
public:
    replaced(int which, int fd) : which_(which), before_(::dup(which)) { ::dup2(fd, which); }
    replaced(const replaced&) = delete;
    replaced& operator=(const replaced&) = delete;
    ~replaced() {
        ::dup2(before_, which_);
        ::close(before_);
    }

private:
    int which_;
    int before_;
};

int open_temporary_file() {
    char path[] = "/tmp/anel-test-XXXXXX";
    const int fd = ::mkstemp(path);
    ::unlink(path);
    return fd;
}

task<std::string> read_all_input() {
    auto input = co_await open_standard_input();
    std::string all;
    std::array<char, 5000> buffer{};
    while (auto n = co_await input.recv(buffer)) all.append(buffer.data(), n);
    co_return all;
}

TEST_P(standard_streams, are_pipes_whose_flags_stay) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const std::string bytes = pattern(300'000);
    {
        const replaced input(0, ends[0]);
        const replaced output(1, ends[1]);
        run([&]() -> task<> {
            const auto write = [&]() -> task<> {
                auto out = co_await open_standard_output();
                co_await out.send(bytes);
                co_await out.close();
                EXPECT_EQ(::fcntl(1, F_GETFL) & O_NONBLOCK, 0);
                EXPECT_TRUE(is_descriptor(1));
            };
            const auto read = [&]() -> task<> {
                auto in = co_await open_standard_input();
                std::string all;
                std::array<char, 5000> buffer{};
                while (all.size() < bytes.size()) {
                    auto n = co_await in.recv(buffer);
                    all.append(buffer.data(), n);
                }
                EXPECT_TRUE(all == bytes);
                EXPECT_EQ(::fcntl(0, F_GETFL) & O_NONBLOCK, 0);
            };
            co_await when_all(write(), read());
        });
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_P(standard_streams, are_regular_files) {
    const int file = open_temporary_file();
    const std::string bytes = pattern(300'000);
    {
        const replaced errors(2, file);
        run([&]() -> task<> {
            auto out = co_await open_standard_error();
            co_await out.send(bytes);
            std::array<char, 4> buffer{};
            auto wrong = co_await as_result(out.recv(buffer));
            EXPECT_EQ(wrong.error(), code(EBADF));
            co_await out.close();
            auto closed = co_await as_result(out.send("x"));
            EXPECT_EQ(closed.error(), code(EBADF));
        });
    }
    ::lseek(file, 0, SEEK_SET);
    const replaced input(0, file);
    std::string all;
    run([&]() -> task<> { all = co_await read_all_input(); });
    EXPECT_TRUE(all == bytes) << all.size();
    ::close(file);
}

TEST_P(standard_streams, are_sockets_and_dev_null) {
    raw_pair pair;
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    {
        const replaced output(1, pair.first.fd());
        const replaced input(0, null);
        run([&]() -> task<> {
            auto out = co_await open_standard_output();
            co_await out.send("hello");
            EXPECT_EQ(pair.second.read(5), "hello");
            const std::string all = co_await read_all_input();
            EXPECT_EQ(all, "");
            pair.second.close();
            try {
                co_await out.send("nobody");
                ADD_FAILURE();
            } catch (const io_error& error) {
                EXPECT_STREQ(error.what(), "write standard output: Broken pipe (EPIPE)");
            }
        });
    }
    ::close(null);
}

TEST_P(standard_streams, that_are_full_or_empty_are_waited_for_until_a_cancel) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const std::string bytes(1 << 20, 'x');
    {
        const replaced input(0, ends[0]);
        const replaced output(1, ends[1]);
        run([&]() -> task<> {
            auto in = co_await open_standard_input();
            std::array<char, 4> buffer{};
            auto empty = co_await as_result(with_timeout(5ms, in.recv(buffer)));
            EXPECT_EQ(empty.error(), std::errc::timed_out);
            auto out = co_await open_standard_output();
            auto full = co_await as_result(with_timeout(5ms, out.send(bytes)));
            EXPECT_EQ(full.error(), std::errc::timed_out);
        });
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

// A terminal that has room for a byte makes a longer write wait: here nobody reads what is shown.
TEST_P(standard_streams, that_are_a_stopped_terminal_are_waited_for_until_a_cancel) {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) GTEST_SKIP() << "needs a pseudo-terminal";
    ::grantpt(master);
    ::unlockpt(master);
    const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(terminal, 0);
    const std::string bytes(1 << 20, 'x');
    {
        const replaced output(1, terminal);
        run([&]() -> task<> {
            auto out = co_await open_standard_output();
            auto full = co_await as_result(with_timeout(5ms, out.send(bytes)));
            EXPECT_EQ(full.error(), std::errc::timed_out);
            EXPECT_EQ(::fcntl(1, F_GETFL) & O_NONBLOCK, 0);
        });
        std::array<char, 5> shown{};
        EXPECT_EQ(::read(master, shown.data(), shown.size()), 5);
        EXPECT_EQ(std::string_view(shown.data(), 5), "xxxxx");
    }
    ::close(terminal);
    ::close(master);
}

TEST_P(standard_streams, that_are_closed_are_named) {
    const int before = ::dup(0);
    run([]() -> task<> {
        ::close(0);  // not before: the loop's own descriptor would have the number
        try {
            auto in = co_await open_standard_input();
            ADD_FAILURE();
        } catch (const io_error& error) {
            EXPECT_STREQ(error.what(), "open standard input: Bad file descriptor (EBADF)");
        }
    });
    ::dup2(before, 0);
    ::close(before);
}

}  // namespace
}  // namespace anel::test
