// thread_sweep_test.cpp: what other threads can reach: a channel between loops, and a stop token.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/stop_token.hpp>
#include <anel/thread_channel.hpp>

namespace anel::test {
namespace {

struct exchange_between_threads : scenario {
    using scenario::scenario;
    task<> body() {
        const auto sends = [&]() -> task<> {
            for (int i = 0; i < 6; ++i) {
                const bool taken = co_await between.send(i);
                sent += taken;
                point();
            }
            between.close();
        };
        const auto receives = [&]() -> task<> {
            while (auto item = co_await between.recv()) {
                EXPECT_EQ(*item, received);
                received += 1;
                point();
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await next_turn();
            group.spawn(receives);
        });
    }
    task<> check(const report& said) {
        EXPECT_EQ(static_cast<std::size_t>(sent - received), between.size());
        if (said.completed) {
            EXPECT_EQ(received, 6);
        }
        co_return;
    }
    thread_channel<int> between{1};
    int sent = 0;
    int received = 0;
};
ANEL_SWEEP(exchange_between_threads);

struct stopping : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> beside() {
        co_await next_turn();
        pair.peer.write("ab");
        for (int i = 0; i < 4; ++i) co_await next_turn();
        source.request_stop();
    }
    task<> body() {
        std::array<char, 16> buffer{};
        for (;;) {
            auto wait = with_stop_token(source.get_token(), pair.stream.recv(buffer));
            auto n = co_await as_result(std::move(wait));
            if (!n && n.error() == std::errc::operation_canceled) co_return;
            if (!n) throw io_error(n.error(), "recv", {});
            received += *n;
        }
    }
    task<> check(const report&) {
        pair.peer.shutdown_write();
        const std::string left = co_await receive_all(pair.stream);
        EXPECT_LE(received + left.size(), 2U);
        EXPECT_EQ((received + left.size()) % 2, 0U);
    }
    std::stop_source source;
    raw_stream_pair pair;
    std::size_t received = 0;
};
ANEL_SWEEP(stopping);

}  // namespace
}  // namespace anel::test
