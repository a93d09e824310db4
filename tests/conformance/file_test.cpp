// file_test.cpp: a file that is opened once and sent many times, with what goes before it.
// SPDX-License-Identifier: MIT
#include "runtime/system/system.hpp"
#include "tests/support/files.hpp"
#include "tests/support/streams.hpp"

#include <sys/stat.h>

namespace anel::test {
using namespace detail;
namespace {

class sending_a_file : public over_backends {
protected:
    /// What `send` makes the other end of a connection receive.
    template <class Send>
    static task<std::string> received_of(Send send) {
        auto pair = co_await connected_pair();
        std::string received;
        const auto sends = [&]() -> task<> {
            co_await send(pair.server);
            co_await pair.server.shutdown_send();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            received = co_await receive_all(pair.client, 30'011);
        });
        co_return received;
    }
};
ANEL_OVER_BACKENDS(sending_a_file);
class sending_a_file_on_kernel : public sending_a_file {};
ANEL_OVER_KERNELS(sending_a_file_on_kernel);

TEST_P(sending_a_file, an_open_file_knows_its_size_its_time_and_its_path) {
    run([&]() -> task<> {
        const temporary_file made(12'345);
        const readable_file none;
        EXPECT_FALSE(none.is_open());
        readable_file opened = co_await readable_file::open(made.path());
        EXPECT_TRUE(opened.is_open());
        EXPECT_EQ(opened.size(), 12'345U);
        EXPECT_EQ(opened.path(), made.path());
        struct stat status{};
        EXPECT_EQ(::stat(made.path().c_str(), &status), 0);
        const auto since = opened.modified().time_since_epoch();
        EXPECT_EQ(std::chrono::floor<std::chrono::seconds>(since).count(), status.st_mtime);
        const readable_file moved = std::move(opened);
        EXPECT_TRUE(moved.is_open());
        EXPECT_FALSE(opened.is_open());  // NOLINT: moved from
        EXPECT_EQ(::fcntl(moved.native_handle(), F_GETFD), FD_CLOEXEC);
    });
}

TEST_P(sending_a_file, what_cannot_be_opened_is_named) {
    run([&]() -> task<> {
        const std::string missing =
            testing::TempDir() + "anel_missing_" + std::to_string(::getpid());
        const std::string none = co_await failure_of(readable_file::open(missing));
        EXPECT_EQ(none, "open " + missing + ": No such file or directory (ENOENT)");
        const std::string directory = co_await failure_of(readable_file::open(testing::TempDir()));
        EXPECT_EQ(directory, "open " + testing::TempDir() + ": Is a directory (EISDIR)");
        const std::string device = co_await failure_of(readable_file::open("/dev/zero"));
        EXPECT_EQ(device, "open /dev/zero, not a regular file: Invalid argument (EINVAL)");
        const std::string cut =
            co_await failure_of(readable_file::open(std::string("/etc/passwd\0x", 13)));
        EXPECT_EQ(cut, "open /etc/passwd, with a zero byte behind it: Invalid argument (EINVAL)");
    });
}

TEST_P(sending_a_file, a_head_goes_before_files_of_every_size) {
    run([&]() -> task<> {
        for (const std::size_t size : {0UL, 1UL, 1000UL, 16'383UL, 16'384UL, 16'385UL, 65'536UL,
                                       (1UL << 20) - 3, 1UL << 20, (3UL << 20) + 13}) {
            for (const std::size_t head_size : {0UL, 1UL, 200UL, 20'000UL, (1UL << 20) + 7}) {
                if (size > 1 << 20 && head_size > 200) continue;
                const temporary_file made(size);
                const readable_file opened = co_await readable_file::open(made.path());
                const std::string head(head_size, 'h');
                std::uint64_t told = 1;
                const auto sends = [&](tcp_stream& to) -> task<> {
                    told = co_await to.send_file(head, opened);
                };
                const std::string received = co_await received_of(sends);
                EXPECT_EQ(told, size);
                EXPECT_TRUE(received == head + pattern(size)) << head_size << " and " << size;
            }
        }
    });
}

TEST_P(sending_a_file, parts_of_one_file_are_sent_again_and_again) {
    run([&]() -> task<> {
        const temporary_file made(300'000);
        const readable_file opened = co_await readable_file::open(made.path());
        const auto sends = [&](tcp_stream& to) -> task<> {
            const std::uint64_t middle = co_await to.send_file(opened, 100'000, 50'000);
            EXPECT_EQ(middle, 50'000U);
            const std::uint64_t small = co_await to.send_file("[", opened, 10, 20);
            EXPECT_EQ(small, 20U);
            const std::uint64_t rest = co_await to.send_file("]", opened, 299'999);
            EXPECT_EQ(rest, 1U);
        };
        for (int i = 0; i < 3; ++i) {
            const std::string received = co_await received_of(sends);
            EXPECT_TRUE(received == pattern(50'000, 100'000) + "[" + pattern(20, 10) + "]" +
                                        pattern(1, 299'999));
        }
        auto pair = co_await connected_pair();
        const std::string longer =
            co_await failure_of(pair.server.send_file("x", opened, 1, 300'000));
        EXPECT_EQ(longer, "send_file " + made.path() + " from 1, 300000 bytes (it has 300000): " +
                              "the file ends before what was to be sent");
    });
}

TEST_P(sending_a_file, a_slow_reader_gets_all_of_head_and_file) {
    run([&]() -> task<> {
        const std::size_t size = 4 << 20;
        const temporary_file made(size);
        const readable_file opened = co_await readable_file::open(made.path());
        const std::string head = pattern(3 << 20, 17);
        auto pair = co_await connected_pair();
        std::string received;
        const auto sends = [&]() -> task<> {
            const std::uint64_t told = co_await pair.server.send_file(head, opened);
            EXPECT_EQ(told, size);
            co_await pair.server.shutdown_send();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await let_others_wait();
            received = co_await receive_all(pair.client, 70'001);
        });
        EXPECT_TRUE(received == head + pattern(size));
    });
}

// The head and a small file that is in memory are one call, and no helper has a part in it.
TEST_P(sending_a_file_on_kernel, a_small_one_with_its_head_is_one_operation_done_at_once) {
    run([&]() -> task<> {
        const temporary_file made(1000);
        made.read_until(1000);
        const readable_file opened = co_await readable_file::open(made.path());
        auto pair = co_await connected_to_raw();
        const backend_counters before = co_await current_counters();
        for (int i = 0; i < 10; ++i) co_await pair.stream.send_file("head", opened);
        const backend_counters after = co_await current_counters();
        if (in_memory(opened.native_handle(), 0, 1000)) {
            EXPECT_EQ(after.operations - before.operations, 10U);
            EXPECT_EQ(after.calls - before.calls, 10U);
        }
        EXPECT_EQ(pair.peer.read(10'040).substr(9'036), "head" + pattern(1000));
    });
}

TEST_P(sending_a_file_on_kernel, one_that_is_not_in_memory_is_read_beside_the_loop) {
    run([&]() -> task<> {
        const temporary_file made(10'000);
        const readable_file opened = co_await readable_file::open(made.path());
        auto pair = co_await connected_to_raw();
        // A quick disk may have fetched the file by the time it is asked for: once it has not.
        std::uint64_t operations = 0;
        bool dropped = false;
        for (int i = 0; i < 50 && operations != 3; ++i) {
            made.drop_from_memory();
            dropped = dropped || !made.is_in_memory();
            const backend_counters before = co_await current_counters();
            co_await pair.stream.send_file("head", opened);
            const backend_counters after = co_await current_counters();
            operations = after.operations - before.operations;
            EXPECT_TRUE(operations == 1 || operations == 3) << operations;
            EXPECT_EQ(pair.peer.read(10'004), "head" + pattern(10'000));
        }
        if (dropped) {
            EXPECT_EQ(operations, 3U);
        }
    });
}

TEST_P(sending_a_file, one_that_got_shorter_is_an_error) {
    run([&]() -> task<> {
        const temporary_file made(1000);
        const readable_file opened = co_await readable_file::open(made.path());
        made.truncate(500);
        auto pair = co_await connected_pair();
        const std::string text = co_await failure_of(pair.server.send_file("head", opened));
        EXPECT_EQ(text, "send_file " + made.path() + " to " +
                            pair.server.peer_endpoint().to_string() +
                            ": the file ends before what was to be sent");
    });
}

TEST_P(sending_a_file, a_peer_that_has_gone_is_an_error_and_no_signal) {
    run([&]() -> task<> {
        const temporary_file made(1000);
        const readable_file opened = co_await readable_file::open(made.path());
        auto pair = co_await connected_to_raw();
        pair.peer.reset();
        for (int i = 0; i < 3; ++i) {
            co_await let_others_wait();
            auto sent = co_await as_result(pair.stream.send_file("head", opened));
            if (sent) continue;  // the system took it before it heard from the peer
            EXPECT_TRUE(sent.error() == code(ECONNRESET) || sent.error() == code(EPIPE));
        }
        const std::error_code last = co_await error_of(pair.stream.send_file("head", opened));
        EXPECT_EQ(last, code(EPIPE));
    });
}

TEST_P(sending_a_file, closing_ends_it_and_a_closed_stream_is_told) {
    run([&]() -> task<> {
        const temporary_file made(32 << 20);
        const readable_file opened = co_await readable_file::open(made.path());
        auto pair = co_await connected_pair();
        std::error_code told;
        const auto sends = [&]() -> task<> {
            told = co_await error_of(pair.server.send_file("head", opened));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            std::ignore = co_await receive(pair.client, 1);  // it is under way
            co_await let_others_wait();
            co_await pair.server.close();
        });
        EXPECT_EQ(told, code(ECANCELED));
        const std::error_code closed = co_await error_of(pair.server.send_file("head", opened));
        EXPECT_EQ(closed, code(EBADF));
    });
}

TEST_P(sending_a_file, many_times_makes_no_new_frames) {
    run([&]() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        const temporary_file made(1000);
        const readable_file opened = co_await readable_file::open(made.path());
        auto pair = co_await connected_pair();
        co_await pair.server.send_file("head", opened);
        const std::uint64_t frames = owner.counters().frames_new;
        for (int i = 0; i < 20; ++i) co_await pair.server.send_file("head", opened);
        EXPECT_EQ(owner.counters().frames_new, frames);
    });
}

}  // namespace
}  // namespace anel::test
