// helpers_test.cpp: calls that can only block: their threads, masks, and how they are asked to end.
// SPDX-License-Identifier: MIT
#include "tests/support/files.hpp"
#include "tests/support/streams.hpp"

#include <anel/offload.hpp>
#include <anel/stop_request.hpp>

#include <atomic>
#include <csignal>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace anel::test {
using namespace detail;
namespace {

class helpers : public over_backends {};
ANEL_OVER_KERNELS(helpers);

/// Blocks helper threads until it is released.
class gate {
public:
    void pass() {
        entered_ += 1;
        released_.wait(false);
    }
    void release() {
        released_ = true;
        released_.notify_all();
    }
    [[nodiscard]] int entered() const noexcept { return entered_; }

private:
    std::atomic<int> entered_{0};
    std::atomic<bool> released_{false};
};

task<> blocked(gate& at) {
    co_await offload([&] { at.pass(); });
}

TEST_P(helpers, calls_of_the_program_hold_up_no_lookup_and_no_file) {
    run([&]() -> task<> {
        const temporary_file file(10);
        gate closed;
        co_await with_task_group([&](task_group& group) -> task<> {
            struct opened {
                gate& which;
                ~opened() { which.release(); }
            } on_exit{closed};
            for (int i = 0; i < 10; ++i) group.spawn(&blocked, std::ref(closed));
            while (closed.entered() < 4) co_await next_turn();
            auto found = co_await resolve("localhost", 80);
            EXPECT_FALSE(found.empty());
            auto both = co_await connected_pair();
            auto sent = co_await both.client.send_file(file.path());
            EXPECT_EQ(sent, 10U);
            EXPECT_EQ(closed.entered(), 4);
        });
        EXPECT_EQ(closed.entered(), 10);
    });
}

TEST_P(helpers, as_many_run_at_a_time_as_the_options_say) {
    for (const unsigned threads : {1U, 2U, 6U}) {
        backend_options options;
        options.helper_threads = threads;
        run(
            [&]() -> task<> {
                gate closed;
                co_await with_task_group([&](task_group& group) -> task<> {
                    for (int i = 0; i < 8; ++i) group.spawn(&blocked, std::ref(closed));
                    while (closed.entered() < static_cast<int>(threads)) co_await next_turn();
                    for (int i = 0; i < 10; ++i) co_await next_turn();
                    EXPECT_EQ(closed.entered(), static_cast<int>(threads));
                    closed.release();
                });
                EXPECT_EQ(closed.entered(), 8);
            },
            options);
    }
}

// --- signals ------------------------------------------------------------------------------------

TEST_P(helpers, a_call_has_the_signal_mask_of_the_thread_that_made_it) {
    run([&]() -> task<> {
        sigset_t mine;
        sigemptyset(&mine);
        sigaddset(&mine, SIGUSR2);
        sigset_t before;
        const auto mask_over_there = [] {
            sigset_t there;
            ::pthread_sigmask(SIG_SETMASK, nullptr, &there);
            return there;
        };
        const auto same = [](const sigset_t& one, const sigset_t& other) {
            for (int number = 1; number < 32; ++number) {
                if (sigismember(&one, number) != sigismember(&other, number)) return false;
            }
            return true;
        };
        ::pthread_sigmask(SIG_BLOCK, &mine, &before);
        sigset_t now;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
        sigset_t there = co_await offload(mask_over_there);
        EXPECT_TRUE(same(there, now));
        EXPECT_EQ(sigismember(&there, SIGUSR2), 1);
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        there = co_await offload(mask_over_there);  // on the same thread as before
        EXPECT_TRUE(same(there, before));
    });
}

// A process that was not started is -1, which is every process for kill(2).
int ended_by_sigterm(pid_t child) {
    if (child <= 0) return -1;
    ::kill(child, SIGTERM);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
}

TEST_P(helpers, a_process_started_in_a_call_takes_signals) {
    run([&]() -> task<> {
        const auto forked = [] {
            const pid_t child = ::fork();
            if (child == 0) {
                for (;;) ::pause();
            }
            return child;
        };
        const auto spawned = [] {
            pid_t child = 0;
            char name[] = "cat";
            char* arguments[] = {name, nullptr};
            int ends[2] = {};
            EXPECT_EQ(::pipe(ends), 0);
            posix_spawn_file_actions_t actions;
            ::posix_spawn_file_actions_init(&actions);
            ::posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
            const int error = ::posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
            EXPECT_EQ(error, 0) << name;
            ::posix_spawn_file_actions_destroy(&actions);
            ::close(ends[0]);
            // Its end of the pipe stays open until the child is gone: it can end by a signal alone.
            const int status = error == 0 ? ended_by_sigterm(child) : -1;
            ::close(ends[1]);
            return status;
        };
        const pid_t child = co_await offload(forked);
        int status = ended_by_sigterm(child);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
        status = co_await offload(spawned);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
    });
}

// --- asking a call to end -----------------------------------------------------------------------

TEST_P(helpers, a_call_that_looks_at_its_stop_request_ends_with_the_timeout) {
    run([&]() -> task<> {
        const auto query = [](const stop_request& stop) -> int {
            while (!stop.stop_requested()) std::this_thread::yield();
            throw task_cancelled{};
        };
        auto late = co_await as_result(with_timeout(1ms, offload(query)));
        EXPECT_EQ(late.error(), std::errc::timed_out);
    });
}

TEST_P(helpers, a_call_that_waits_is_interrupted_through_when_stopped) {
    run([&]() -> task<> {
        std::atomic<bool> waits{false};
        const auto query = [&](const stop_request& stop) {
            std::atomic<bool> interrupted{false};
            const when_stopped hook(stop, [&] {
                interrupted = true;
                interrupted.notify_all();
            });
            waits = true;
            interrupted.wait(false);
            return 6;
        };
        int value = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto ask = [&]() -> task<> { value = co_await offload(query); };
            group.spawn(ask);
            while (!waits) co_await next_turn();
            group.cancel();
        });
        EXPECT_EQ(value, 6);  // it happened, so it stands
    });
}

TEST_P(helpers, a_hook_set_after_the_stop_runs_at_once_and_one_that_has_gone_does_not) {
    run([&]() -> task<> {
        int gone = 0;
        int late = 0;
        std::atomic<bool> waits{false};
        const auto query = [&](const stop_request& stop) {
            {
                const when_stopped hook(stop, [&] { gone += 1; });
            }
            waits = true;
            while (!stop.stop_requested()) std::this_thread::yield();
            const when_stopped hook(stop, [&] { late += 1; });
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto ask = [&]() -> task<> { co_await offload(query); };
            group.spawn(ask);
            while (!waits) co_await next_turn();
            group.cancel();
        });
        EXPECT_EQ(gone, 0);
        EXPECT_EQ(late, 1);
    });
}

// One whose time is up while it is in the queue does not run: then the next round gives it more.
TEST_P(helpers, a_call_that_cannot_be_asked_is_waited_for_and_its_late_result_stands) {
    run([&]() -> task<> {
        bool ran = false;
        for (auto wait = 1ms; !ran; wait *= 2) {
            gate closed;
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto open_late = [&]() -> task<> {
                    while (closed.entered() == 0) co_await next_turn();
                    co_await sleep_for(wait);  // begins after the timeout did, which has come then
                    closed.release();
                };
                group.spawn(open_late);
                const auto call = [&] {
                    closed.pass();
                    return 7;
                };
                auto late = co_await as_result(with_timeout(wait, offload(call)));
                ran = closed.entered() == 1;
                EXPECT_EQ(late ? *late : 0, ran ? 7 : 0);
                group.cancel();
            });
        }
    });
}

}  // namespace
}  // namespace anel::test
