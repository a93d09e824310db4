// process_sweep_test.cpp: pipes and processes, with every byte and every child accounted for.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/process.hpp>
#include <anel/standard_streams.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace anel::test {
using namespace detail;
namespace {

/// One task sends, the other receives. Each tells how far it came.
struct through_pipe : scenario {
    explicit through_pipe(probe& control) : scenario(control) { received.reserve(200'000); }
    task<> set_up() {
        auto made = co_await pipe();
        from = std::move(made.first);
        to = std::move(made.second);
    }
    task<> send_all() {
        for (const std::size_t size : {1U, 100U, 100'000U}) {  // the last is more than it holds
            asked = sent + size;
            co_await to.send(std::string_view(bytes).substr(sent, size));
            sent = asked;
        }
        co_await to.shutdown_send();
    }
    task<> receive_all() {
        while (auto n = co_await from.recv(buffer)) received.append(buffer.data(), n);
    }
    task<> body() {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn([](through_pipe& all) { return all.send_all(); }, std::ref(*this));
            co_await receive_all();
        });
    }
    task<> check(const report& said) {
        to.close_now();
        co_await receive_all();
        EXPECT_TRUE(std::string_view(bytes).starts_with(received));
        EXPECT_GE(received.size(), sent) << "what was sent arrives";
        EXPECT_LE(received.size(), asked) << "and nothing else";
        if (said.completed) {
            EXPECT_EQ(received.size(), bytes.size());
        }
        co_await from.close();
    }
    const std::string bytes = pattern(100'101);
    std::array<char, 30'000> buffer{};
    pipe_stream from;
    pipe_stream to;
    std::string received;
    std::size_t sent = 0;
    std::size_t asked = 0;
};
ANEL_SWEEP(through_pipe);

struct spawning : scenario {
    using scenario::scenario;
    task<> body() {
        spawn_options options;
        options.input = child_stream::pipe;
        options.output = child_stream::pipe;
        auto starting = spawn_process(cat, options);
        auto child = co_await starting;
        co_await child.input().send("hello");
        co_await child.input().shutdown_send();
        std::array<char, 8> buffer{};
        while (auto n = co_await child.output().recv(buffer)) said.append(buffer.data(), n);
        const exit_status how = co_await child.wait();
        auto other = co_await spawn_process(sleeper);
        const exit_status killed = co_await other.kill_and_wait();
        good = how.success() && killed.signal != 0;
    }
    task<> check(const report& told) {
        EXPECT_TRUE(!told.completed || (good && said == "hello")) << said;
        siginfo_t left{};
        EXPECT_LT(::waitid(P_ALL, 0, &left, WEXITED | WNOHANG | WNOWAIT), 0) << "a child is left";
        co_return;
    }
    const std::vector<std::string> cat{"/bin/cat"};
    const std::vector<std::string> sleeper{"/bin/sleep", "1000"};
    std::string said;
    bool good = false;
};
ANEL_SWEEP(spawning);

/// Standard output is a regular file, which helper threads write.
struct printing : scenario {
    explicit printing(probe& control) : scenario(control) {
        char path[] = "/tmp/anel-test-XXXXXX";
        file = raw_socket(::mkstemp(path));
        ::unlink(path);
        before = raw_socket(::fcntl(1, F_DUPFD_CLOEXEC, 3));
    }
    ~printing() { ::dup2(before.fd(), 1); }
    task<> body() {
        ::dup2(file.fd(), 1);
        auto out = co_await open_standard_output();
        for (const char* word : {"one ", "two"}) {
            asked += word;
            co_await out.send(std::string_view(word));
            sent = asked.size();
        }
        co_await out.close();
    }
    task<> check(const report&) {
        ::dup2(before.fd(), 1);
        char found[100];
        const ssize_t size = ::pread(file.fd(), found, sizeof found, 0);
        EXPECT_GE(size, static_cast<ssize_t>(sent));
        EXPECT_TRUE(asked.starts_with(std::string_view(found, static_cast<std::size_t>(size))));
        co_return;
    }
    raw_socket file;
    raw_socket before;
    std::string asked;
    std::size_t sent = 0;
};
ANEL_SWEEP(printing);

}  // namespace
}  // namespace anel::test
