// send_file_test.cpp: a file arrives as it is on the disk, and holds up nobody.
// SPDX-License-Identifier: MIT
#include "runtime/system/system.hpp"
#include "tests/support/files.hpp"
#include "tests/support/streams.hpp"

#include <anel/offload.hpp>

#include <fstream>

#include <sys/stat.h>

namespace anel::test {
using namespace detail;
namespace {

class send_file : public over_backends {
protected:
    /// Sends with `send` and receives; the stream has ended afterwards.
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
    static task<std::string> failure(std::string path, std::uint64_t offset = 0,
                                     std::optional<std::uint64_t> length = {}) {
        auto pair = co_await connected_pair();
        const std::string text = co_await failure_of(pair.server.send_file(path, offset, length));
        co_await pair.server.shutdown_send();
        const std::string received = co_await receive_all(pair.client);
        EXPECT_EQ(received, "") << "nothing is sent of what cannot be sent whole";
        co_return text;
    }
    /// Pages of memory that are this process's own.
    static long resident_pages() {
        std::ifstream file("/proc/self/statm");
        long all = 0;
        long resident = 0;
        long shared = 0;
        file >> all >> resident >> shared;
        return resident - shared;
    }
};
ANEL_OVER_BACKENDS(send_file);
class send_file_on_kernel : public send_file {};
ANEL_OVER_KERNELS(send_file_on_kernel);

TEST_P(send_file, files_of_every_size_arrive_as_they_are) {
    run([&]() -> task<> {
        for (const std::size_t size :
             {0UL, 1UL, 4095UL, 4096UL, 65'537UL, (1UL << 20) - 1, 1UL << 20, (3UL << 20) + 13}) {
            const temporary_file file(size);
            std::uint64_t told = 0;
            const auto sends = [&](tcp_stream& to) -> task<> {
                told = co_await to.send_file(file.path());
            };
            const std::string received = co_await received_of(sends);
            EXPECT_EQ(told, size);
            EXPECT_TRUE(received == pattern(size)) << size;
        }
    });
}

TEST_P(send_file, parts_follow_each_other_and_other_sends) {
    run([&]() -> task<> {
        const temporary_file file(300'000);
        std::uint64_t told = 0;
        const auto sends = [&](tcp_stream& to) -> task<> {
            co_await to.send("head");
            told = co_await to.send_file(file.path(), 100'000, 50'000);
            const std::uint64_t rest = co_await to.send_file(file.path(), 299'999);
            const std::uint64_t at_end = co_await to.send_file(file.path(), 300'000);
            const std::uint64_t nothing = co_await to.send_file(file.path(), 7, 0);
            EXPECT_EQ(rest, 1U);
            EXPECT_EQ(at_end + nothing, 0U);
            co_await to.send("tail");
        };
        const std::string received = co_await received_of(sends);
        EXPECT_EQ(told, 50'000U);
        EXPECT_TRUE(received == "head" + pattern(50'000, 100'000) + pattern(1, 299'999) + "tail");
    });
}

TEST_P(send_file, a_large_file_reaches_a_slow_reader_and_takes_no_memory) {
    run([&]() -> task<> {
        const std::size_t size = slow_build ? 8 << 20 : 64 << 20;
        const temporary_file file(size);
        auto pair = co_await connected_pair();
        std::size_t received = 0;
        long most = 0;
        const long before = resident_pages();
        const auto sends = [&]() -> task<> {
            const std::uint64_t told = co_await pair.server.send_file(file.path());
            EXPECT_EQ(told, size);
            co_await pair.server.shutdown_send();
        };
        const auto reads = [&]() -> task<> {
            std::array<char, 70'001> buffer{};
            while (auto n = co_await pair.client.recv(buffer)) {
                const bool right = std::string_view(buffer.data(), n) == pattern(n, received);
                EXPECT_TRUE(right) << "after " << received;
                received += n;
                most = std::max(most, resident_pages());
                if (received / (1 << 20) % 4 == 0) co_await next_turn();  // the writer is faster
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await let_others_wait();
            co_await reads();
        });
        EXPECT_EQ(received, size);
        if (!slow_build) {
            EXPECT_LT((most - before) * ::sysconf(_SC_PAGESIZE), 8 << 20);
        }
    });
}

TEST_P(send_file, what_cannot_be_sent_is_named) {
    run([&]() -> task<> {
        const std::string missing =
            testing::TempDir() + "anel_missing_" + std::to_string(::getpid());
        const std::string none = co_await failure(missing);
        EXPECT_EQ(none, "open " + missing + ": No such file or directory (ENOENT)");
        const std::string directory = co_await failure(testing::TempDir());
        EXPECT_EQ(directory, "open " + testing::TempDir() + ": Is a directory (EISDIR)");
        const std::string device = co_await failure("/dev/zero");
        EXPECT_EQ(device, "open /dev/zero, not a regular file: Invalid argument (EINVAL)");
        const std::string cut = co_await failure(std::string("/etc/passwd\0.txt", 16));
        EXPECT_EQ(cut, "open /etc/passwd, with a zero byte behind it: Invalid argument (EINVAL)");
        const std::string pipe = missing + ".pipe";
        EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
        const std::string no_writer = co_await failure(pipe);
        EXPECT_EQ(no_writer, "open " + pipe + ", not a regular file: Invalid argument (EINVAL)");
        ::unlink(pipe.c_str());
    });
}

TEST_P(send_file, more_than_the_file_has_is_refused_before_anything_is_sent) {
    run([&]() -> task<> {
        const temporary_file file(100);
        const std::string expected = "send_file " + file.path() + " from ";
        const std::string why = ": the file ends before what was to be sent";
        const std::string beyond = co_await failure(file.path(), 101);
        EXPECT_EQ(beyond, expected + "101 (it has 100)" + why);
        const std::string longer = co_await failure(file.path(), 50, 51);
        EXPECT_EQ(longer, expected + "50, 51 bytes (it has 100)" + why);
        constexpr std::uint64_t most = UINT64_MAX;
        const std::string huge = co_await failure(file.path(), most, most);
        EXPECT_NE(huge.find(why), huge.npos) << huge;
        const std::string wraps = co_await failure(file.path(), 1, most);
        EXPECT_NE(wraps.find(why), wraps.npos) << wraps;
    });
}

TEST_P(send_file, a_file_that_gets_shorter_meanwhile_is_an_error) {
    run([&]() -> task<> {
        const temporary_file file(32 << 20);
        auto pair = co_await connected_pair();
        std::string text;
        const auto sends = [&]() -> task<> {
            text = co_await failure_of(pair.server.send_file(file.path()));
            co_await pair.server.shutdown_send();
        };
        std::string received;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            while (received.size() < 1 << 20) {  // so that it is under way
                const std::string part = co_await receive(pair.client, 1 << 19);
                received += part;
            }
            file.truncate(1 << 20);
            received += co_await receive_all(pair.client);
        });
        EXPECT_EQ(text, "send_file " + file.path() + " to " +
                            pair.server.peer_endpoint().to_string() +
                            ": the file ends before what was to be sent");
        EXPECT_LT(received.size(), 32U << 20);
        EXPECT_TRUE(received == pattern(received.size()));
    });
}

// With the default disposition a SIGPIPE would end this process.
TEST_P(send_file, a_peer_that_has_gone_is_an_error_and_no_signal) {
    run([&]() -> task<> {
        const temporary_file file(4 << 20);
        for (const bool reset : {true, false}) {
            auto pair = co_await connected_to_raw();
            if (reset) pair.peer.reset();
            else pair.peer.close();
            const std::string peer = pair.stream.peer_endpoint().to_string();
            for (int i = 0; i < 3; ++i) {
                co_await let_others_wait();
                auto sent = co_await as_result(pair.stream.send_file(file.path()));
                if (sent) continue;  // the system took it before it heard from the peer
                EXPECT_TRUE(sent.error() == code(ECONNRESET) || sent.error() == code(EPIPE));
            }
            const std::string last = co_await failure_of(pair.stream.send_file(file.path()));
            EXPECT_EQ(last, "send_file " + file.path() + " to " + peer + ": Broken pipe (EPIPE)");
        }
    });
}

TEST_P(send_file_on_kernel, a_signal_that_waits_already_is_left_alone) {
    run([&]() -> task<> {
        sigset_t pipe;
        sigset_t before;
        sigset_t waiting;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        const temporary_file file(100);
        for (const bool waits : {false, true}) {
            auto pair = co_await connected_to_raw();
            co_await pair.stream.shutdown_send();
            pthread_sigmask(SIG_BLOCK, &pipe, &before);
            if (waits) ::raise(SIGPIPE);
            const std::error_code error = co_await error_of(pair.stream.send_file(file.path()));
            EXPECT_EQ(error, code(EPIPE));
            EXPECT_EQ(::sigpending(&waiting), 0);
            EXPECT_EQ(sigismember(&waiting, SIGPIPE), waits);
            int taken = 0;
            if (waits) ::sigwait(&pipe, &taken);
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
        }
    });
}

TEST_P(send_file, a_cancelled_one_has_sent_a_beginning_and_holds_nothing) {
    run([&]() -> task<> {
        const temporary_file file(32 << 20);
        auto pair = co_await connected_pair();
        const std::error_code error =
            co_await error_of(with_timeout(50ms, pair.server.send_file(file.path())));
        EXPECT_EQ(error, code(ETIMEDOUT));
        co_await pair.server.close();
        const std::string received = co_await receive_all(pair.client);
        EXPECT_LT(received.size(), 32U << 20);
        EXPECT_TRUE(received == pattern(received.size()));
    });
}

TEST_P(send_file, closing_ends_it) {
    run([&]() -> task<> {
        const temporary_file file(32 << 20);
        auto pair = co_await connected_pair();
        std::error_code told;
        const auto sends = [&]() -> task<> {
            told = co_await error_of(pair.server.send_file(file.path()));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            std::ignore = co_await receive(pair.client, 1);  // it is under way
            co_await let_others_wait();
            co_await pair.server.close();
        });
        EXPECT_EQ(told, code(ECANCELED));
    });
}

// The socket itself has nothing in flight while a helper is at work for it.
TEST_P(send_file, closing_while_the_file_is_opened_ends_it) {
    run([&]() -> task<> {
        const temporary_file file(100);
        auto pair = co_await connected_pair();
        std::string told;
        const auto sends = [&]() -> task<> {
            told = co_await failure_of(pair.server.send_file(file.path()));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await yield();  // its helper is told
            co_await pair.server.close();
        });
        EXPECT_EQ(told, "open " + file.path() + ": Operation canceled (ECANCELED)");
        const std::string received = co_await receive_all(pair.client);
        EXPECT_EQ(received, "");
    });
}

// One helper is left, which comes to the marker when it has opened the file; and the loop sees
// neither before the stream is closed.
TEST_P(send_file_on_kernel, closing_after_the_file_was_opened_ends_it) {
    run([&]() -> task<> {
        constexpr int helpers = 4;
        const temporary_file file(100);
        auto pair = co_await connected_pair();
        std::atomic<int> busy{0};
        std::atomic<bool> release{false};
        std::atomic<bool> opened{false};
        std::error_code told;
        const auto keeps_one_busy = [&]() -> task<> {
            const auto wait = [&] {
                busy.fetch_add(1);
                release.wait(false);
            };
            co_await offload(wait);
        };
        const auto marks = [&]() -> task<> {
            const auto mark = [&] { opened.store(true); };
            co_await offload(mark);
        };
        const auto sends = [&]() -> task<> {
            told = co_await error_of(pair.server.send_file(file.path()));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i + 1 < helpers; ++i) group.spawn(keeps_one_busy);
            while (busy.load() < helpers - 1) co_await next_turn();
            group.spawn(sends);
            group.spawn(marks);
            co_await yield();
            while (!opened.load()) std::this_thread::yield();
            release.store(true);
            release.notify_all();
            co_await pair.server.close();
        });
        EXPECT_EQ(told, code(ECANCELED));
    });
}

// On io_uring the descriptor does not block from then on, which nothing else may notice.
TEST_P(send_file, the_stream_goes_on_as_before) {
    run([&]() -> task<> {
        const temporary_file file(10);
        auto pair = co_await connected_pair();
        const std::string large = pattern(5 << 20);
        const auto answers = [&]() -> task<> {
            std::array<char, 4> buffer{};
            co_await pair.server.recv_exact(buffer);
            auto lent = co_await pair.server.recv();
            EXPECT_EQ(lent.text(), "more");
            lent.release();
            co_await pair.server.send(large);
            const std::size_t end = co_await pair.server.recv(buffer);
            EXPECT_EQ(end, 0U);
        };
        co_await pair.server.send_file(file.path());
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(answers);
            co_await let_others_wait();
            co_await pair.client.send("ping");
            co_await let_others_wait();
            co_await pair.client.send("more");
            const std::string all = co_await receive(pair.client, 10 + large.size());
            EXPECT_TRUE(all == pattern(10) + large);
            co_await pair.client.shutdown_send();
        });
    });
}

TEST_P(send_file, many_at_once_from_one_file) {
    run([&]() -> task<> {
        const std::size_t size = 3'000'017;
        const temporary_file file(size);
        const auto one = [&]() -> task<> {
            const auto sends = [&](tcp_stream& to) -> task<> {
                co_await to.send_file(file.path());
            };
            const std::string received = co_await received_of(sends);
            EXPECT_TRUE(received == pattern(size));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 8; ++i) group.spawn(one);
            co_return;
        });
    });
}

TEST_P(send_file_on_kernel, a_fast_peer_lets_the_loop_turn) {
    run([&]() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        const temporary_file file(64 << 20);
        auto pair = co_await connected_to_raw();
        std::thread peer([&] {
            std::vector<char> waste(1 << 20);
            while (::recv(pair.peer.fd(), waste.data(), waste.size(), 0) > 0) continue;
        });
        const std::uint64_t before = owner.counters().turns;
        co_await pair.stream.send_file(file.path());
        EXPECT_GE(owner.counters().turns - before, 20U);
        co_await pair.stream.close();
        peer.join();
    });
}

// What is not in memory is read on a helper thread: an operation more for each such piece.
TEST_P(send_file_on_kernel, a_file_that_is_not_in_memory_is_read_beside_the_loop) {
    const temporary_file known(4096);
    known.read_until(4096);
    const int known_fd = ::open(known.path().c_str(), O_RDONLY | O_CLOEXEC);
    const bool told = in_memory(known_fd, 0, 4096);
    ::close(known_fd);
    // Of kernels before 6.7 tmpfs refuses the question.
    if (!told) GTEST_SKIP() << "this file system does not say what is in memory";
    run([&]() -> task<> {
        const std::size_t size = (5 << 20) + 1;
        const temporary_file file(size);
        const auto sends = [&](tcp_stream& to) -> task<> { co_await to.send_file(file.path()); };
        const auto operations_of = [&]() -> task<std::uint64_t> {
            auto pair = co_await connected_to_raw();
            std::thread peer([&] { EXPECT_EQ(pair.peer.read_to_end(), pattern(size)); });
            const backend_counters before = co_await current_counters();
            co_await sends(pair.stream);
            const backend_counters after = co_await current_counters();
            co_await pair.stream.close();
            peer.join();
            co_return after.operations - before.operations;
        };
        const std::uint64_t warm = co_await operations_of();
        EXPECT_EQ(warm, 2U) << "to open it, and to send it";
        // A quick disk may have fetched each piece by the time it is asked for: once it has not.
        bool dropped = false;
        std::uint64_t cold = warm;
        for (int i = 0; i < 50 && cold == warm; ++i) {
            file.drop_from_memory();
            dropped = dropped || !file.is_in_memory();
            cold = co_await operations_of();
        }
        if (dropped) {
            EXPECT_GT(cold, warm);
        }
        const std::uint64_t again = co_await operations_of();
        EXPECT_EQ(again, warm);
    });
}

TEST_P(send_file, repeated_ones_make_no_new_frames) {
    run([&]() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        const temporary_file file(1000);
        auto pair = co_await connected_pair();
        co_await pair.server.send_file(file.path());
        const std::uint64_t frames = owner.counters().frames_new;
        for (int i = 0; i < 20; ++i) co_await pair.server.send_file(file.path());
        EXPECT_EQ(owner.counters().frames_new, frames);
        const std::string all = co_await receive(pair.client, 21'000);
        EXPECT_EQ(all.substr(20'000), pattern(1000));
    });
}

}  // namespace
}  // namespace anel::test
