// process_test.cpp: programs that are started, talked with, killed and reaped.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/process.hpp>

#include <sys/wait.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <csignal>

namespace anel::test {
namespace {

class processes : public over_backends {};
ANEL_OVER_KERNELS(processes);

task<std::string> everything(pipe_stream& from) {
    std::string all;
    std::array<char, 4096> buffer{};
    while (auto n = co_await from.recv(buffer)) all.append(buffer.data(), n);
    co_return all;
}

/// One `co_await` makes no list: see common_mistakes.md.
template <class... Words>
task<child_process> start(const spawn_options& options, const Words&... words) {
    return spawn_process({std::string(words)...}, options);
}
task<child_process> start_shell(const spawn_options& options, const char* script) {
    return start(options, "/bin/sh", "-c", script);
}
task<child_process> start_sleeper() { return start(spawn_options(), "sleep", "1000"); }

spawn_options output_in_pipe() {
    spawn_options options;
    options.input = child_stream::null;
    options.output = child_stream::pipe;
    return options;
}

/// Whether this process has a child, running or not reaped.
bool has_child() {
    siginfo_t told{};
    return ::waitid(P_ALL, 0, &told, WEXITED | WNOHANG | WNOWAIT) == 0;
}

struct outcome {
    std::string output;
    exit_status ended;
};

task<outcome> run_program(task<child_process> starting) {
    auto child = co_await starting;
    outcome said;
    said.output = co_await everything(child.output());
    said.ended = co_await child.wait();
    EXPECT_EQ(child.status(), said.ended);
    co_return said;
}

TEST_P(processes, end_with_an_exit_code_or_a_signal) {
    run([]() -> task<> {
        auto good = co_await run_program(start(output_in_pipe(), "true"));
        EXPECT_TRUE(good.ended.success());
        EXPECT_EQ(good.ended.text(), "exit code 0");
        auto bad = co_await run_program(start_shell(output_in_pipe(), "echo said; exit 3"));
        EXPECT_EQ(bad.output, "said\n");
        EXPECT_EQ(bad.ended.text(), "exit code 3");
        auto killed = co_await run_program(start_shell(output_in_pipe(), "kill -9 $$"));
        EXPECT_FALSE(killed.ended.success());
        EXPECT_EQ(killed.ended.text(), "signal 9");
    });
    EXPECT_FALSE(has_child());
}

TEST_P(processes, are_sent_more_than_a_pipe_holds_and_send_it_back) {
    run([]() -> task<> {
        const std::string bytes = pattern(1 << 20);
        auto options = output_in_pipe();
        options.input = child_stream::pipe;
        auto child = co_await start(options, "cat");
        const auto feed = [&]() -> task<> {
            co_await child.input().send(bytes);
            co_await child.input().shutdown_send();
        };
        auto both = co_await when_all(everything(child.output()), feed());
        EXPECT_TRUE(std::get<0>(both) == bytes);
        auto ended = co_await child.wait();
        EXPECT_TRUE(ended.success());
    });
}

TEST_P(processes, have_errors_apart_or_with_their_output) {
    run([]() -> task<> {
        const char* script = "echo one; echo two >&2";
        auto options = output_in_pipe();
        options.errors = child_stream::pipe;
        auto apart = co_await start_shell(options, script);
        auto output = co_await everything(apart.output());
        auto errors = co_await everything(apart.errors());
        EXPECT_EQ(output, "one\n");
        EXPECT_EQ(errors, "two\n");
        co_await apart.wait();
        options.errors = child_stream::same_as_output;
        auto together = co_await run_program(start_shell(options, script));
        EXPECT_EQ(together.output, "one\ntwo\n");
        options.errors = child_stream::null;
        auto without = co_await run_program(start_shell(options, script));
        EXPECT_EQ(without.output, "one\n");
    });
}

TEST_P(processes, have_the_directory_and_the_variables_that_were_given) {
    run([]() -> task<> {
        auto options = output_in_pipe();
        options.directory = "/";
        options.environment = {"ONE=1", "TWO="};
        auto given = co_await run_program(start_shell(options, "pwd; echo $ONE.$TWO.$HOME."));
        EXPECT_EQ(given.output, "/\n1...\n");
        auto same = co_await run_program(start_shell(output_in_pipe(), "echo $PATH"));
        EXPECT_EQ(same.output, std::string(::getenv("PATH")) + "\n");
    });
}

// Those of the library are close-on-exec: pipes to other children, sockets, rings and pidfds.
TEST_P(processes, get_no_descriptor_beside_0_1_and_2) {
    if (::access("/proc/self/fd", X_OK) != 0) GTEST_SKIP() << "needs /proc";
    run([]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto client = co_await connect(listener.local_endpoint());
        auto options = output_in_pipe();
        options.input = child_stream::pipe;
        auto first = co_await start(options, "cat");
        auto [from, to] = co_await pipe();
        // 3 is the directory that ls reads. What this test inherited is not close-on-exec.
        std::vector<std::string> inherited;
        for (int fd = 3; fd < 1000; ++fd) {
            const int flags = ::fcntl(fd, F_GETFD);
            if (flags >= 0 && (flags & FD_CLOEXEC) == 0) inherited.push_back(std::to_string(fd));
        }
        auto listed = co_await run_program(start(output_in_pipe(), "ls", "/proc/self/fd"));
        EXPECT_EQ(std::ranges::count(listed.output, '\n'), std::ssize(inherited) + 4)
            << listed.output;
        co_await first.input().shutdown_send();
        auto ended = co_await first.wait();  // no other child has the end of its input
        EXPECT_TRUE(ended.success());
    });
}

TEST_P(processes, that_cannot_be_started_are_named_with_the_reason) {
    const std::size_t before = count_descriptors();
    run([&]() -> task<> {
        spawn_options plain;
        plain.input = child_stream::pipe;
        const auto refused = [](task<child_process> starting, const char* text) -> task<> {
            try {
                auto child = co_await starting;
                ADD_FAILURE() << text;
            } catch (const io_error& error) {
                EXPECT_STREQ(error.what(), text);
            }
        };
        co_await refused(start(plain, "/no/such"),
                         "spawn /no/such: No such file or directory (ENOENT)");
        co_await refused(start(plain, "no-such-program"),
                         "spawn no-such-program: No such file or directory (ENOENT)");
        co_await refused(start(plain, "/etc/passwd"),
                         "spawn /etc/passwd: Permission denied (EACCES)");
        co_await refused(start(plain), "spawn (no program): Invalid argument (EINVAL)");
        co_await refused(start(plain, ""), "spawn (no program): Invalid argument (EINVAL)");
        const std::string cut("a\0b", 3);
        co_await refused(start(plain, "ls", cut),
                         "spawn ls (an argument with a zero byte): Invalid argument (EINVAL)");
        auto other = plain;
        other.directory = "/no/such";
        co_await refused(start(other, "ls"),
                         "spawn ls in /no/such: No such file or directory (ENOENT)");
        other.directory = "/etc/passwd";
        co_await refused(start(other, "ls"), "spawn ls in /etc/passwd: Not a directory (ENOTDIR)");
        other = plain;
        other.environment = {"=x"};
        co_await refused(start(other, "ls"),
                         "spawn ls (\"=x\" is no NAME=value): Invalid argument (EINVAL)");
        other = plain;
        other.output = child_stream::same_as_output;
        co_await refused(start(other, "ls"),
                         "spawn ls (same_as_output is for the errors): Invalid argument (EINVAL)");
    });
    EXPECT_EQ(count_descriptors(), before);
    EXPECT_FALSE(has_child());
}

TEST_P(processes, are_killed_and_reaped_when_their_object_goes) {
    run([]() -> task<> {
        auto [from, to] = co_await pipe();
        {
            auto gone = co_await start_sleeper();
            EXPECT_TRUE(has_child());
            auto replaced = co_await start_sleeper();
            replaced = std::move(gone);
            EXPECT_EQ(gone.id(), 0);  // NOLINT: it is empty
        }
        EXPECT_FALSE(has_child());
    });
}

TEST_P(processes, are_killed_and_reaped_when_their_task_is_cancelled) {
    run([]() -> task<> {
        const auto sleep_long = []() -> task<> {
            auto child = co_await start_sleeper();
            co_await child.wait();
        };
        auto late = co_await as_result(with_timeout(30ms, sleep_long()));
        EXPECT_EQ(late.error(), std::errc::timed_out);
    });
    EXPECT_FALSE(has_child());
}

TEST_P(processes, take_what_they_started_with_them_where_they_have_a_group) {
    run([]() -> task<> {
        auto options = output_in_pipe();
        options.own_group = true;
        auto child = co_await start_shell(options, "sleep 1000 & echo started; wait");
        std::array<char, 8> line{};
        auto n = co_await child.output().recv(line);
        EXPECT_EQ(std::string_view(line.data(), n), "started\n");
        auto ended = co_await child.kill_and_wait();
        EXPECT_EQ(ended, (exit_status{0, SIGKILL}));
        auto rest = co_await everything(child.output());  // the sleeper had the pipe, too
        EXPECT_EQ(rest, "");
        EXPECT_FALSE(child.send_signal(SIGTERM)) << "it has been reaped";
    });
}

TEST_P(processes, that_left_their_group_are_signalled_all_the_same) {
    if (::access("/usr/bin/perl", X_OK) != 0) GTEST_SKIP() << "needs perl";
    run([]() -> task<> {
        auto options = output_in_pipe();
        options.own_group = true;
        const char* script = "setpgrp(0, getpgrp(getppid())); syswrite STDOUT, 'left'; sleep 5";
        auto child = co_await start(options, "/usr/bin/perl", "-e", script);
        std::array<char, 8> said{};
        auto n = co_await child.output().recv(said);
        EXPECT_EQ(std::string_view(said.data(), n), "left");
        EXPECT_TRUE(child.send_signal(SIGKILL));
        auto ended = co_await child.wait();
        EXPECT_EQ(ended, (exit_status{0, SIGKILL}));
    });
}

#ifdef __linux__
// Only this thread is another user meanwhile: the call, not the library's function, which asks all.
TEST_P(processes, that_may_not_be_killed_do_not_hold_up_who_drops_them) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root";
    constexpr int nobody = 65'534;
    run([]() -> task<> {
        auto child = co_await start(output_in_pipe(), "sleep", "5");
        const int id = child.id();
        if (::syscall(SYS_setresuid, nobody, nobody, 0) < 0) co_return;
        child = child_process();
        EXPECT_EQ(::syscall(SYS_setresuid, 0, 0, 0), 0);
        EXPECT_TRUE(has_child());
        EXPECT_EQ(::kill(id, SIGKILL), 0);
        siginfo_t told{};
        EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(id), &told, WEXITED), 0);
    });
}
#endif

TEST_P(processes, wait_loses_nothing_to_a_timeout_and_gives_the_same_again) {
    run([]() -> task<> {
        auto options = output_in_pipe();
        options.input = child_stream::pipe;
        auto child = co_await start_shell(options, "read line; exit 7");
        auto late = co_await as_result(with_timeout(5ms, child.wait()));
        EXPECT_EQ(late.error(), std::errc::timed_out);
        EXPECT_FALSE(child.status());
        co_await child.input().send("go\n");
        auto once = co_await child.wait();
        auto again = co_await child.wait();
        EXPECT_EQ(once.code, 7);
        EXPECT_EQ(again, once);
    });
}

TEST_P(processes, are_signalled_and_unknown_signals_refused) {
    run([]() -> task<> {
        auto child = co_await start_sleeper();
        try {
            child.send_signal(4711);
            ADD_FAILURE();
        } catch (const io_error& error) {
            const std::string text = "kill sleep (process " + std::to_string(child.id()) +
                                     "): Invalid argument (EINVAL)";
            EXPECT_EQ(error.what(), text);
        }
        EXPECT_TRUE(child.send_signal(SIGTERM));
        auto ended = co_await child.wait();
        EXPECT_EQ(ended, (exit_status{0, SIGTERM}));
    });
}

// A helper thread blocks every signal, and this program ignores one: neither is inherited.
TEST_P(processes, begin_with_no_signal_blocked_and_die_of_a_broken_pipe) {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    run([]() -> task<> {
        auto child = co_await start(output_in_pipe(), "yes");
        child.output().close_now();
        auto ended = co_await child.wait();
        EXPECT_EQ(ended, (exit_status{0, SIGPIPE}));
        auto other = co_await start_shell(spawn_options(), "kill -TERM $$; sleep 1000");
        auto terminated = co_await other.wait();
        EXPECT_EQ(terminated, (exit_status{0, SIGTERM}));
    });
    std::signal(SIGPIPE, before);
}

TEST_P(processes, that_somebody_else_has_reaped_are_told_so) {
    run([]() -> task<> {
        auto child = co_await start(spawn_options(), "true");
        siginfo_t told{};
        EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child.id()), &told, WEXITED), 0);
        for (int i = 0; i < 2; ++i) {
            try {
                co_await child.wait();
                ADD_FAILURE();
            } catch (const io_error& error) {
                EXPECT_EQ(error.code(), code(ECHILD)) << error.what();
                EXPECT_TRUE(std::string_view(error.what()).starts_with("wait for true (process "));
            }
        }
    });
}

TEST_P(processes, may_outlive_the_run_that_made_them) {
    child_process child;
    run([&]() -> task<> { child = co_await start_sleeper(); });
    EXPECT_TRUE(has_child());
    child = child_process();
    EXPECT_FALSE(has_child());
}

class process_refused : public over_backends {};
ANEL_OVER_BACKENDS(process_refused);

TEST_P(process_refused, on_the_simulated_network) {
    if (GetParam() != backend_kind::sim) return;
    run([]() -> task<> {
        try {
            co_await start(spawn_options(), "true");
            ADD_FAILURE();
        } catch (const io_error& error) {
            EXPECT_EQ(error.code(), code(EOPNOTSUPP));
            EXPECT_TRUE(std::string_view(error.what())
                            .starts_with("spawn true (a simulated host has no processes): "));
        }
        auto made = co_await as_result(pipe());
        EXPECT_EQ(made.error(), code(EOPNOTSUPP));
    });
}

}  // namespace
}  // namespace anel::test
