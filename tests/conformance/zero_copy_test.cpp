// zero_copy_test.cpp: send_zc: the same bytes as send, and memory that is the caller's afterwards.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
using namespace detail;
namespace {

class zero_copy : public over_backends {};
ANEL_OVER_BACKENDS(zero_copy);
class zero_copy_on_kernel : public zero_copy {};
ANEL_OVER_KERNELS(zero_copy_on_kernel);

// The buffer is overwritten as soon as the await has returned: what arrives must be what it held
// before, however much of it the peer had not read yet.
TEST_P(zero_copy, a_buffer_may_be_changed_once_it_was_sent) {
    run([&]() -> task<> {
        for (const std::size_t size : {1UL, 4096UL, 65'537UL, (1UL << 20) + 13, 5UL << 20}) {
            auto pair = co_await connected_pair();
            std::string received;
            const auto sends = [&]() -> task<> {
                std::string bytes;
                for (std::size_t at = 0; at < 3 * size; at += size) {
                    bytes = pattern(size, at);
                    co_await pair.server.send_zc(bytes);
                    bytes.assign(size, '!');
                }
                co_await pair.server.shutdown_send();
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(sends);
                received = co_await receive_all(pair.client, 30'011);
            });
            EXPECT_EQ(received.size(), 3 * size);
            EXPECT_TRUE(received == pattern(3 * size)) << "of 3 x " << size;
        }
    });
}

// Loopback copies in any case, which the kernel says; the other backends have only plain sends.
TEST_P(zero_copy, a_stream_whose_bytes_were_copied_stops_trying) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        EXPECT_TRUE(pair.server.tries_zero_copy());
        co_await pair.server.send_zc("");
        EXPECT_TRUE(pair.server.tries_zero_copy()) << "nothing was sent, so nothing was learnt";
        co_await pair.server.send_zc("first");
        EXPECT_FALSE(pair.server.tries_zero_copy());
        tcp_stream moved = std::move(pair.server);
        EXPECT_FALSE(moved.tries_zero_copy());
        co_await moved.send_zc("second");
        const std::string text = co_await receive(pair.client, 11);
        EXPECT_EQ(text, "firstsecond");
    });
}

// A unix socket cannot: io_uring says EOPNOTSUPP, and the bytes go with a plain send, once.
TEST_P(zero_copy, a_unix_stream_gets_plain_sends) {
    run([&]() -> task<> {
        const std::string path = "unix:/tmp/anel_zero_copy_" + std::to_string(::getpid());
        auto pair = co_await connected_pair(endpoint(path));
        const std::string bytes = pattern(3 << 20);
        std::string received;
        const auto sends = [&]() -> task<> {
            co_await pair.server.send_zc(bytes);
            co_await pair.server.send_zc("end");
            co_await pair.server.shutdown_send();
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            received = co_await receive_all(pair.client);
        });
        EXPECT_TRUE(received == bytes + "end");
        EXPECT_FALSE(pair.server.tries_zero_copy());
    });
}

TEST_P(zero_copy, errors_name_the_call_and_the_peer) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const endpoint peer = pair.stream.peer_endpoint();
        pair.peer.reset();
        co_await let_others_wait();
        const std::string text = co_await failure_of(pair.stream.send_zc("late"));
        EXPECT_EQ(text, "send " + peer.to_string() + ": " +
                            io_error(code(ECONNRESET), "", "").code().message() + " (ECONNRESET)");
        const std::error_code again = co_await error_of(pair.stream.send_zc("later"));
        EXPECT_EQ(again, code(EPIPE));
    });
}

// All that was sent fits into the send buffer, so the result is there; the peer does not read, so
// the kernel reads the memory on, and only the end of the connection makes it stop.
TEST_P(zero_copy, a_cancel_while_the_peer_does_not_read_is_prompt) {
    run([&]() -> task<> {
        for (const std::size_t size : {300'000UL, 700'000UL, 3UL << 20, 64UL << 20}) {
            listen_options large;
            large.send_buffer = 4 << 20;
            auto pair = co_await connected_to_raw("127.0.0.1:0", large);
            std::string bytes = pattern(size);
            const time_point before = co_await current_time();
            auto sent = co_await as_result(with_timeout(20ms, pair.stream.send_zc(bytes)));
            const time_point after = co_await current_time();
            EXPECT_LT(after - before, 5s);
            bytes.assign(size, '!');
            const bool all = static_cast<bool>(sent);
            EXPECT_TRUE(all || sent.error() == code(ETIMEDOUT)) << sent.error();
            co_await pair.stream.close();
            if (simulated) continue;  // a raw socket cannot wait there
            const std::string arrived = pair.peer.read_to_end();
            EXPECT_LE(arrived.size(), size);
            EXPECT_TRUE(arrived == pattern(arrived.size())) << "bytes of after the send";
            if (all) {
                EXPECT_EQ(arrived.size(), size);
            }
        }
    });
}

TEST_P(zero_copy, closing_while_the_kernel_still_reads_ends_the_send) {
    run([&]() -> task<> {
        listen_options large;
        large.send_buffer = 4 << 20;
        auto pair = co_await connected_to_raw("127.0.0.1:0", large);
        const std::string bytes = pattern(16 << 20);
        std::error_code told;
        const auto sends = [&]() -> task<> {
            told = co_await error_of(pair.stream.send_zc(bytes));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await let_others_wait();
            co_await pair.stream.close();
        });
        EXPECT_EQ(told, code(ECANCELED));
        EXPECT_FALSE(pair.stream.is_open());
    });
}

// A peer that vanished from the network acknowledges nothing. Here it is one whose window is shut;
// it resets the connection while the send is waited for.
TEST_P(zero_copy_on_kernel, a_reset_ends_a_send_that_waits_for_the_peer) {
    run([&]() -> task<> {
        listen_options large;
        large.send_buffer = 4 << 20;
        auto pair = co_await connected_to_raw("127.0.0.1:0", large);
        const std::string bytes = pattern(16 << 20);
        std::error_code told;
        const auto sends = [&]() -> task<> {
            told = co_await error_of(pair.stream.send_zc(bytes));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await let_others_wait();
            pair.peer.reset();
        });
        EXPECT_TRUE(told == code(ECONNRESET) || told == code(EPIPE)) << told;
    });
}

// Each reader takes as much as it likes, whenever it likes; a tiny ring puts things off.
TEST_P(zero_copy_on_kernel, many_streams_on_a_tiny_ring_lose_and_double_nothing) {
    backend_options tiny;
    tiny.submission_entries = 2;
    tiny.completion_entries = 4;
    run(
        [&]() -> task<> {
            const std::string bytes = pattern(3'000'017);
            const auto transfer = [&]() -> task<> {
                auto pair = co_await connected_pair();
                std::string received;
                const auto sends = [&]() -> task<> {
                    co_await pair.server.send_zc(bytes);
                    co_await pair.server.shutdown_send();
                };
                co_await with_task_group([&](task_group& group) -> task<> {
                    group.spawn(sends);
                    received = co_await receive_all(pair.client, 10'007);
                });
                EXPECT_TRUE(received == bytes);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 8; ++i) group.spawn(transfer);
                co_return;
            });
        },
        tiny);
}

TEST_P(zero_copy_on_kernel, a_send_allocates_nothing) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        co_await pair.server.send_zc("warm");
        const std::uint64_t frames = owner.counters().frames_new;
        for (int i = 0; i < 100; ++i) co_await pair.server.send_zc("some");
        EXPECT_EQ(owner.counters().frames_new, frames);
        const std::string text = co_await receive(pair.client, 404);
        EXPECT_EQ(text.substr(400), "some");
    });
}

}  // namespace
}  // namespace anel::test
