// per_core_test.cpp: several loops with one port: all are used, and they stop and fail together.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <sched.h>

namespace anel {
namespace {

using namespace std::chrono_literals;

/// Binds a port that several may share, and gives it to the others.
class shared_port {
public:
    task<tcp_listener> bind() {
        listen_options shared;
        shared.reuse_port = true;
        const std::lock_guard held(lock_);
        auto listener = co_await tcp_listener::bind(address_, shared);
        address_ = listener.local_endpoint();
        co_return listener;
    }
    endpoint address() {
        const std::lock_guard held(lock_);
        return address_;
    }

private:
    std::mutex lock_;
    endpoint address_ = "127.0.0.1:0";
};

// The system deals connections out by a hash of both ends: of 200, each loop gets some.
TEST(run_per_core, connections_of_one_port_reach_every_loop_and_a_signal_stops_all) {
    shared_port port;
    std::mutex lock;
    std::set<unsigned> servers;
    std::atomic<int> bound{0};
    const auto program = [&](unsigned index) -> task<> {
        const auto session = [&](tcp_stream conn) -> task<> {
            {
                const std::lock_guard held(lock);
                servers.insert(index);
            }
            co_await conn.send("x");
        };
        auto listener = co_await port.bind();
        bound += 1;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto ask = [&]() -> task<> {
                while (bound < 3) co_await sleep_for(1ms);
                for (int i = 0; i < 200; ++i) {
                    auto conn = co_await connect(port.address());
                    std::array<char, 1> answer{};
                    co_await conn.recv_exact(answer);
                }
                std::raise(SIGTERM);
            };
            if (index == 0) group.spawn(ask);
            co_await serve(std::move(listener), session);
        });
    };
    EXPECT_EQ(run_per_core(3, program), 0);
    EXPECT_EQ(servers, (std::set<unsigned>{0, 1, 2}));
}

TEST(run_per_core, an_error_of_one_stops_all_and_is_thrown) {
    for (unsigned failing = 0; failing < 3; ++failing) {
        std::atomic<int> living{0};  // one that is stopped before it begins never lives
        const auto program = [&](unsigned index) -> task<> {
            struct guard {
                std::atomic<int>& count;
                ~guard() { count -= 1; }
            } on_exit{living};
            living += 1;
            if (index == failing) throw std::runtime_error("number " + std::to_string(index));
            co_await sleep_until(never);
        };
        std::string text;
        try {
            run_per_core(3, program);
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "number " + std::to_string(failing));
        EXPECT_EQ(living, 0);
    }
}

TEST(run_per_core, ends_when_all_have_ended_and_not_before) {
    std::atomic<int> ended{0};
    const auto program = [&](unsigned index) -> task<> {
        co_await sleep_for(5ms * index);
        ended += 1;
    };
    run_per_core(4, program);
    EXPECT_EQ(ended, 4);
}

TEST(run_per_core, pinned_threads_stay_on_processors_they_may_use) {
    std::atomic<int> ran{0};
    std::atomic<int> kept{0};
    const auto program = [&](unsigned) -> task<> {
        ran += 1;
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
        cpu_set_t allowed;
        const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
        kept += known && CPU_COUNT(&allowed) == 1;
#else
        kept += 1;  // nothing is promised there
#endif
        co_return;
    };
    std::thread apart([&] {  // pinning outlives the call on the caller's thread
        per_core_options options;
        options.run.signals = false;
        options.pin = true;
        run_per_core(0, program, options);
    });
    apart.join();
    EXPECT_EQ(ran, static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
    EXPECT_EQ(kept, ran);
}

}  // namespace
}  // namespace anel
