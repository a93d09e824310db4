// cancellation_figures_test.cpp: the same in large numbers: races, accepts and children that are
// given up.
// SPDX-License-Identifier: MIT
#include "tests/support/joining_thread.hpp"
#include "tests/support/streams.hpp"

#include <random>

namespace anel::test {
namespace {

class cancellation_figures : public over_backends {};
ANEL_OVER_KERNELS(cancellation_figures);

// A thread writes each message while receives begin and are given up without an end: some find it,
// some are cancelled before, some in the very moment. On a processor that both threads must share a
// race can take milliseconds; what time does not allow is left out, and the number is recorded.
TEST_P(cancellation_figures, a_hundred_thousand_races_of_a_cancel_and_arriving_bytes) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const int races = rounds(100'000);
        const std::string bytes = pattern(static_cast<std::size_t>(races) * 4);
        const auto time_to_race = long_run ? 10s : 2s;
        std::atomic<int> wanted{-1};  // So that the first receive finds nothing.
        std::size_t written = 0;
        joining_thread writer([&] {
            std::minstd_rand random(7);
            const auto stop = std::chrono::steady_clock::now() + time_to_race;
            const auto in_time = [&] { return std::chrono::steady_clock::now() < stop; };
            for (int i = 0; i < races && in_time(); ++i) {
                while (wanted.load() < i && in_time()) std::this_thread::yield();
                for (std::size_t spins = random() % 400; spins > 0; --spins)
                    static_cast<void>(wanted.load());
                pair.peer.write(std::string_view(bytes).substr(written, 4));
                written += 4;
            }
            pair.peer.shutdown_write();
        });
        std::string received;
        received.reserve(bytes.size());
        std::array<char, 8> buffer{};
        int cancelled = 0;
        for (bool ended = false; !ended;) {
            auto n = co_await as_result(with_timeout(0s, pair.stream.recv(buffer)));
            if (n) {
                received.append(buffer.data(), *n);
                wanted.store(static_cast<int>(received.size() / 4));
                ended = *n == 0;
            } else {
                if (cancelled == 0) wanted.store(0);
                cancelled += 1;
            }
        }
        writer.join();
        EXPECT_TRUE(received == std::string_view(bytes).substr(0, written))
            << received.size() << " of " << written << " bytes";
        EXPECT_GT(cancelled, 0);
        RecordProperty("races", static_cast<int>(written / 4));
        RecordProperty("cancelled", cancelled);
    });
}

// A client connects in every round, before, while and after an accept is given up. Each connection
// is delivered, or waits for the next accept.
TEST_P(cancellation_figures, ten_thousand_cancelled_accepts_leak_no_descriptor) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        const std::size_t descriptors = count_descriptors();
        const int times = rounds(10'000);
        std::size_t connected = 0;
        std::size_t accepted = 0;
        int cancelled = 0;
        const auto take = [&]() -> task<> {
            try {
                auto stream = co_await listener.accept();
                accepted += 1;
                stream.reset_on_close();
            } catch (const task_cancelled&) {
                cancelled += 1;
                throw;
            }
        };
        int round = 0;
        while (cancelled < times) {
            round += 1;
            raw_socket client;
            const auto connect_when = [&](int moment) {
                if (round % 5 != moment) return;
                client = raw_socket::connected_to(address);
                connected += 1;
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(take);
                connect_when(0);  // before the accept begins
                co_await yield();
                connect_when(1);  // it has begun
                if (round % 3 != 0) co_await next_turn();
                connect_when(2);  // the kernel knows of it
                group.cancel();
                connect_when(3);  // it has been cancelled, and the kernel does not know
            });
            client.reset();
            if (round % 256 == 0) {
                EXPECT_EQ(count_descriptors(), descriptors);
            }
        }
        accepted += co_await take_waiting(listener, connected - accepted);
        EXPECT_EQ(accepted, connected);
        EXPECT_GT(connected, 0U);
        EXPECT_EQ(count_descriptors(), descriptors);
    });
}

// Each waits for something of its own; the group ends them all.
TEST_P(cancellation_figures, a_group_of_a_hundred_thousand_waiting_children_is_cancelled) {
    run([&]() -> task<> {
        const int children = rounds(100'000);
        int ended = 0;
        event never_set;
        mutex taken;
        auto guard = co_await taken.lock();
        const auto child = [&](int which) -> task<> {
            struct counter {
                int& count;
                ~counter() { count += 1; }
            } const at_end{ended};
            switch (which % 3) {
                case 0: co_await sleep_for(1h); break;
                case 1: co_await never_set.wait(); break;
                default: {
                    auto other_guard = co_await taken.lock();
                    break;
                }
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < children; ++i) group.spawn(child, i);
            co_await let_others_wait();
            while (ended > 0) co_await next_turn();
            EXPECT_EQ(group.size(), static_cast<std::size_t>(children));
            group.cancel();
        });
        EXPECT_EQ(ended, children);
    });
}

}  // namespace
}  // namespace anel::test
