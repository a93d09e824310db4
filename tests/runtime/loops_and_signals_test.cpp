// loops_and_signals_test.cpp: signals where there are several loops, threads or processes.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#include <anel/event.hpp>
#include <anel/post.hpp>
#include <anel/run.hpp>
#include <anel/signal.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace anel::test {
namespace {

class loops_and_signals : public testing::TestWithParam<backend_kind> {
protected:
    run_options on_this_backend() const {
        run_options options;
        options.backend.kind = GetParam();
        return options;
    }
};
ANEL_OVER_KERNELS(loops_and_signals);

volatile std::sig_atomic_t heard_late = 0;

struct sigaction disposition_of(int number) {
    struct sigaction now{};
    ::sigaction(number, nullptr, &now);
    return now;
}

/// How a child that runs `what` ends. It leaves by _exit() in any case.
int status_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}
bool died_of(int status, int number) { return WIFSIGNALED(status) && WTERMSIG(status) == number; }
bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

/// Counts threads or processes that are ready, through a pipe that a fork() inherits.
class readiness_pipe {
public:
    readiness_pipe() { EXPECT_EQ(::pipe(ends_.data()), 0); }
    readiness_pipe(const readiness_pipe&) = delete;
    readiness_pipe& operator=(const readiness_pipe&) = delete;
    ~readiness_pipe() {
        for (const int fd : ends_) ::close(fd);
    }
    void say_ready() const { static_cast<void>(!::write(ends_[1], "r", 1)); }
    void wait_for(int count) const {
        char byte = 0;
        for (int i = 0; i < count; ++i) EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
    }
    [[nodiscard]] int writing() const noexcept { return ends_[1]; }
    std::string read_all() {
        ::close(std::exchange(ends_[1], -1));
        std::string text;
        std::array<char, 512> piece{};
        for (ssize_t got = 0; (got = ::read(ends_[0], piece.data(), piece.size())) > 0;) {
            text.append(piece.data(), static_cast<std::size_t>(got));
        }
        return text;
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

task<> until_cancelled(const readiness_pipe& ready, std::atomic<int>& told) {
    try {
        ready.say_ready();
        co_await sleep_until(never);
    } catch (const task_cancelled&) {
        told += 1;
        throw;
    }
}

TEST_P(loops_and_signals, sigterm_cancels_the_root_of_every_loop) {
    const auto before = disposition_of(SIGTERM).sa_handler;
    const readiness_pipe ready;
    std::atomic<int> told{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] { run(until_cancelled(ready, told), on_this_backend()); });
    }
    ready.wait_for(4);
    ::kill(::getpid(), SIGTERM);
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(told, 4);
    EXPECT_EQ(disposition_of(SIGTERM).sa_handler, before);
}

TEST_P(loops_and_signals, a_loop_that_waits_for_one_signal_leaves_the_others_alone) {
    const readiness_pipe ready;
    std::atomic<int> told{0};
    std::atomic<int> heard{0};
    const auto waiting = [&]() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto on_hup = [&]() -> task<> {
                co_await signal_received(SIGHUP);
                heard += 1;
            };
            group.spawn(on_hup);
            co_await next_turn();
            ready.say_ready();
        });
    };
    std::thread other([&] {
        run_options options = on_this_backend();
        options.signals = false;
        run(waiting(), options);
    });
    ready.wait_for(1);
    const auto body = [&]() -> task<> {
        ::kill(::getpid(), SIGTERM);
        co_await until_cancelled(ready, told);
    };
    run(body(), on_this_backend());
    EXPECT_EQ(told, 1);
    ::kill(::getpid(), SIGHUP);
    other.join();
    EXPECT_EQ(heard, 1);
}

TEST_P(loops_and_signals, a_signal_that_several_loops_wait_for_reaches_each) {
    const readiness_pipe ready;
    std::atomic<int> heard{0};
    const auto waiting = [&]() -> task<> {
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto on_hup = [&]() -> task<> {
                co_await signal_received(SIGHUP);
                heard += 1;
            };
            group.spawn(on_hup);
            co_await next_turn();
            ready.say_ready();
        });
    };
    const auto before = disposition_of(SIGHUP).sa_handler;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] { run(waiting(), on_this_backend()); });
    }
    ready.wait_for(3);
    ::kill(::getpid(), SIGHUP);
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(heard, 3);
    EXPECT_EQ(disposition_of(SIGHUP).sa_handler, before);
}

// Each loop that ends takes its socket away while the handler may be writing to it.
TEST_P(loops_and_signals, loops_come_and_go_while_signals_arrive) {
    std::atomic<bool> sent_all{false};
    std::atomic<bool> stop{false};  // once nobody sends: the last loop to go gives SIGUSR1 back
    const auto one = [&]() -> task<> {
        auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGUSR1)));
        EXPECT_TRUE(waited || waited.error() == std::errc::timed_out);
    };
    const auto watching = [&]() -> task<> {
        while (!stop) {
            auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGUSR1)));
            EXPECT_TRUE(waited || waited.error() == std::errc::timed_out);
        }
    };
    const readiness_pipe ready;
    const auto first = [&]() -> task<> {
        auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGUSR1)));
        static_cast<void>(waited);
        ready.say_ready();
        co_await watching();
    };
    std::thread lasting([&] { run(first(), on_this_backend()); });
    ready.wait_for(1);
    std::thread sender([&] {
        while (!sent_all) {
            ::kill(::getpid(), SIGUSR1);
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < rounds(200); ++i) run(one(), on_this_backend());
    sent_all = true;
    sender.join();
    stop = true;
    lasting.join();
}

// A library that keeps the handler that it finds, and puts it back when no run() is left.
TEST_P(loops_and_signals, a_handler_that_is_put_back_too_late_gives_the_signal_its_former_effect) {
    struct sigaction mine{};
    struct sigaction before{};
    mine.sa_handler = [](int) { heard_late = heard_late + 1; };
    ::sigaction(SIGUSR2, &mine, &before);
    struct sigaction kept{};
    const auto body = [&]() -> task<> {
        auto waited = co_await as_result(with_timeout(1ms, signal_received(SIGUSR2)));
        EXPECT_FALSE(waited);
        kept = disposition_of(SIGUSR2);
    };
    run(body(), on_this_backend());
    heard_late = 0;
    ::sigaction(SIGUSR2, &kept, nullptr);
    std::raise(SIGUSR2);
    EXPECT_EQ(heard_late, 1);
    EXPECT_EQ(disposition_of(SIGUSR2).sa_handler, mine.sa_handler);
    ::sigaction(SIGUSR2, &before, nullptr);
}

// --- processes ----------------------------------------------------------------------------------

TEST_P(loops_and_signals, a_signal_of_a_child_ends_the_child_and_does_not_reach_the_parent) {
    const auto body = []() -> task<> {
        const pid_t child = ::fork();
        if (child == 0) {
            for (;;) ::pause();
        }
        ::kill(child, SIGTERM);
        const int status = status_of(child);
        EXPECT_TRUE(died_of(status, SIGTERM)) << status;
        for (int i = 0; i < 5; ++i) co_await next_turn();  // what was sent would arrive
        bool went_on = true;
        EXPECT_TRUE(went_on);
    };
    bool cancelled = true;
    const auto whole = [&]() -> task<> {
        co_await body();
        cancelled = false;
    };
    run(whole(), on_this_backend());
    EXPECT_FALSE(cancelled) << "the parent was told of its child's signal";
}

TEST_P(loops_and_signals, in_a_child_the_programs_own_handler_is_back) {
    struct sigaction mine{};
    struct sigaction before{};
    mine.sa_handler = [](int) { ::_exit(7); };
    ::sigaction(SIGTERM, &mine, &before);
    const auto body = []() -> task<> {
        const pid_t child = ::fork();
        if (child == 0) {
            for (;;) ::pause();
        }
        ::kill(child, SIGTERM);
        EXPECT_TRUE(exited_with(status_of(child), 7));
        co_return;
    };
    run(body(), on_this_backend());
    ::sigaction(SIGTERM, &before, nullptr);
}

TEST_P(loops_and_signals, a_child_forked_in_a_task_runs_a_loop_of_its_own) {
    const auto body = [&]() -> task<> {
        const readiness_pipe ready;
        const pid_t child = ::fork();
        if (child == 0) {
            std::atomic<int> told{0};
            const int code = run(until_cancelled(ready, told), on_this_backend());
            ::_exit(code == 0 && told == 1 ? 5 : 1);
        }
        ready.wait_for(1);
        ::kill(child, SIGTERM);
        EXPECT_TRUE(exited_with(status_of(child), 5));
        co_await next_turn();
        ::kill(::getpid(), SIGTERM);  // and the parent's still reach the parent
        bool cancelled = false;
        try {
            co_await sleep_for(patience);
        } catch (const task_cancelled&) {
            cancelled = true;
        }
        EXPECT_TRUE(cancelled);
    };
    run(body(), on_this_backend());
}

TEST_P(loops_and_signals, processes_forked_before_run_are_each_told_of_their_own) {
    const readiness_pipe ready;
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            std::atomic<int> told{0};
            run_options options = on_this_backend();
            options.signal_exit_code = true;
            ::_exit(run(until_cancelled(ready, told), options));
        }
        children.push_back(child);
    }
    ready.wait_for(3);
    for (const pid_t child : children) ::kill(child, SIGTERM);
    for (const pid_t child : children) EXPECT_TRUE(exited_with(status_of(child), 128 + SIGTERM));
}

TEST_P(loops_and_signals, a_child_that_goes_on_in_the_loop_of_its_parent_is_stopped_with_a_word) {
    readiness_pipe said;
    const auto body = [&]() -> task<> {
        co_await next_turn();
        const pid_t child = ::fork();
        if (child == 0) {
            ::dup2(said.writing(), 2);
            std::signal(SIGABRT, SIG_DFL);
        }
        if (child != 0) {
            const int status = status_of(child);
            EXPECT_TRUE(died_of(status, SIGABRT)) << status;
        }
        co_await next_turn();
        if (child == 0) ::_exit(0);
    };
    run(body(), on_this_backend());
    const std::string text = said.read_all();
    EXPECT_NE(text.find("a child of fork() goes on in the loop of its parent"), text.npos) << text;
}

// --- how a program says that a signal ended it ---------------------------------------------------

TEST_P(loops_and_signals, run_returns_the_code_of_a_signal_only_when_asked_and_only_if_cut_short) {
    // A shell that runs this in the background has it ignore SIGINT, which would then stay ignored.
    std::signal(SIGINT, SIG_DFL);
    const auto job = [](int number) -> task<> {
        std::raise(number);
        co_await sleep_until(never);
    };
    const auto counting = []() -> task<int> {
        std::raise(SIGTERM);
        co_await sleep_until(never);
        co_return 3;
    };
    const auto finishing = []() -> task<int> {
        std::raise(SIGTERM);
        try {
            co_await sleep_until(never);
        } catch (const task_cancelled&) {}
        co_return 3;
    };
    run_options options = on_this_backend();
    EXPECT_EQ(run(job(SIGTERM), options), 0);
    EXPECT_EQ(run(counting(), options), 0);
    options.signal_exit_code = true;
    EXPECT_EQ(run(job(SIGTERM), options), 128 + SIGTERM);
    EXPECT_EQ(run(job(SIGINT), options), 128 + SIGINT);
    EXPECT_EQ(run(counting(), options), 128 + SIGTERM);
    EXPECT_EQ(run(finishing(), options), 3);
}

}  // namespace
}  // namespace anel::test
