// watch_test.cpp: a loop that is held up by a task is seen from outside.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"
#include "tests/support/standard_error.hpp"

#include "runtime/system/native_stack.hpp"

#include <anel/event.hpp>
#include <anel/offload.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

/// Whether a process here outlives a look at its stack by a handler of a signal. In qemu 10's
/// i386 that ends any program in libgcc's unwinder.
bool outlives_a_look_at_its_stack() {
    const auto look = [](int) {
        std::array<void*, 64> frames{};
        static_cast<void>(anel::detail::native_stack(frames));
    };
    const pid_t child = ::fork();
    if (child == 0) {
        look(0);  // the first time it loads a library
        ::signal(SIGUSR1, look);
        ::raise(SIGUSR1);
        ::_exit(0);
    }
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status == 0;
}

class loop_watched : public testing::TestWithParam<backend_kind> {
protected:
    /// On a processor of its own a program must.
    static bool can_see_stalls() {
        static const bool can = slowness() == 1 || outlives_a_look_at_its_stack();
        return can;
    }
    static run_options on_this_backend() {
        run_options options;
        options.backend.kind = GetParam();
        return options;
    }
};
ANEL_OVER_KERNELS(loop_watched);

TEST_P(loop_watched, says_at_the_signal_which_task_does_not_give_way) {
    if (!can_see_stalls()) GTEST_SKIP() << "nobody outlives backtrace(3) in a handler here";
    standard_error errors;
    std::string text;
    const auto holds_up = [&]() -> task<> {
        co_await yield();
        ::kill(::getpid(), SIGUSR1);
        text = errors.read_until("for ");  // waits, and does not give way
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    run(holds_up(), options);
    EXPECT_NE(text.find("it does not answer, because a task has not given way for "), text.npos)
        << text;
    EXPECT_NE(text.find(" since watch_test.cpp:"), text.npos) << text;
}

// A stall's look ends a nanosleep, but the signal must not do so before anybody has looked.
TEST_P(loop_watched, does_not_interrupt_its_tasks_by_the_signal_itself) {
    standard_error errors;
    std::string text;
    const auto holds_up = [&]() -> task<> {
        sigset_t blocked;
        pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
        EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1);
        ::kill(::getpid(), SIGUSR1);
        co_await yield();
        const auto read = [&] { text = errors.read_until("tasks of a loop"); };
        co_await offload(read);
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    run(holds_up(), options);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGUSR1), 0) << "the thread has its mask back";
    EXPECT_NE(text.find("tasks of a loop"), std::string::npos) << text;
}

// As in a program that a task of another one has started: a mask survives exec.
TEST_P(loop_watched, hears_the_signal_also_when_its_parent_had_blocked_it) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, nullptr);
    standard_error errors;
    std::string text;
    const auto asks = [&]() -> task<> {
        ::kill(::getpid(), SIGUSR1);
        const auto read = [&] { text = errors.read_until("tasks of a loop"); };
        co_await offload(read);
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    run(asks(), options);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    EXPECT_NE(text.find("tasks of a loop"), std::string::npos) << text;
}

struct stalls_seen {
    std::mutex mutex;
    std::vector<stall> all;
    std::atomic<std::size_t> count{0};

    void operator()(const stall& one) {
        const std::lock_guard held(mutex);
        all.push_back(one);
        count = all.size();
    }
};

TEST_P(loop_watched, tells_of_a_task_that_does_not_give_way_while_it_runs) {
    if (!can_see_stalls()) GTEST_SKIP() << "nobody outlives backtrace(3) in a handler here";
    stalls_seen seen;
    const auto holds_up = [&](std::size_t times) -> task<> {
        co_await yield();
        // For ten seconds at most.
        for (int i = 0; i < 10'000 && seen.count < times; ++i) ::poll(nullptr, 0, 1);
    };
    run_options options = on_this_backend();
    options.stall_after = 10ms;
    options.on_stall = std::ref(seen);
    run(holds_up(2), options);
    ASSERT_GE(seen.all.size(), 2U);
    EXPECT_TRUE(seen.all[0].places.starts_with("watch_test.cpp:")) << seen.all[0].places;
    EXPECT_GE(seen.all[0].lasted, 10ms);
    EXPECT_GE(seen.all[1].lasted, 10 * seen.all[0].lasted);
#ifdef __GLIBC__
    EXPECT_NE(seen.all[0].stack.find("poll"), std::string::npos) << seen.all[0].stack;
#endif
}

TEST_P(loop_watched, prints_a_line_where_nobody_asks_to_be_told) {
    if (!can_see_stalls()) GTEST_SKIP() << "nobody outlives backtrace(3) in a handler here";
    standard_error errors;
    std::string text;
    const auto holds_up = [&]() -> task<> {
        co_await yield();
        text = errors.read_until("given way for ");
    };
    run_options options = on_this_backend();
    options.stall_after = 10ms;
    run(holds_up(), options);
    EXPECT_NE(text.find("a task has not given way for "), text.npos) << text;
}

TEST_P(loop_watched, says_nothing_of_a_loop_that_waits) {
    stalls_seen seen;
    const auto waits = []() -> task<> {
        for (int i = 0; i < 5; ++i) co_await sleep_for(60ms);
    };
    run_options options = on_this_backend();
    options.stall_after = 50ms;
    options.on_stall = std::ref(seen);
    run(waits(), options);
    EXPECT_EQ(seen.count, 0U);
}

#ifdef __linux__
/// What a loop of this process says to who connects to its socket.
std::string inspected() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const auto size = static_cast<std::size_t>(std::snprintf(
        name.sun_path + 1, sizeof name.sun_path - 1, "anel-%d-0", static_cast<int>(::getpid())));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&name), length), 0) << std::strerror(errno);
    std::string text;
    char piece[512];
    for (ssize_t got = 0; (got = ::recv(fd, piece, sizeof piece, 0)) != 0;) {
        if (got < 0 && errno != EINTR) break;
        if (got > 0) text.append(piece, static_cast<std::size_t>(got));
    }
    ::close(fd);
    return text;
}

TEST_P(loop_watched, answers_through_its_socket) {
    if (!can_see_stalls()) GTEST_SKIP() << "nobody outlives backtrace(3) in a handler here";
#ifdef ANEL_POSIX_ONLY
    GTEST_SKIP() << "there is no such socket";
#endif
    std::string while_it_waits;
    std::string while_it_runs;
    const auto asks = [&]() -> task<> {
        const auto ask = [&] { while_it_waits = inspected(); };
        co_await offload(ask);
        while_it_runs = inspected();
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    run(asks(), options);
    EXPECT_NE(while_it_waits.find("offload, for "), std::string::npos) << while_it_waits;
    EXPECT_NE(while_it_runs.find("has not given way"), std::string::npos) << while_it_runs;
}
#endif

TEST_P(loop_watched, lists_its_tasks_when_an_assertion_fails) {
    const auto fails = []() -> task<> {
        event nobody_sets_it;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto waits = [](event& what) -> task<> { co_await what.wait(); };
            group.spawn(waits, std::ref(nobody_sets_it));
            co_await yield();
            co_await yield();
            ANEL_ASSERT(group.size() == 0);
        });
    };
    EXPECT_DEATH(run(fails(), on_this_backend()),
                 "group.size.*\ntasks of a loop on .*\n.*event, at watch_test.cpp:");
}

TEST_P(loop_watched, ends_as_the_program_wants_when_nobody_can_catch_an_exception) {
    const auto nothing = []() -> task<> { co_return; };
    const auto fails = []() -> task<> {
        co_await yield();
        std::terminate();
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    const auto twice = [&] {
        std::set_terminate([] { std::_Exit(7); });
        run(nothing(), options);
        run(fails(), options);
    };
    EXPECT_EXIT(twice(), testing::ExitedWithCode(7), "");
}

TEST_P(loop_watched, lists_its_tasks_when_nobody_can_catch_an_exception) {
    const auto fails = []() -> task<> {
        co_await yield();
        std::terminate();
    };
    run_options options = on_this_backend();
    options.dump_on = SIGUSR1;
    EXPECT_DEATH(run(fails(), options), "tasks of a loop on ");
}

}  // namespace
}  // namespace anel::test
