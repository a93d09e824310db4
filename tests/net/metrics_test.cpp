// metrics_test.cpp: what a loop has done, read from another thread, and as text.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace anel::test {
namespace {

using namespace std::chrono_literals;
using detail::throw_errno;

class metrics_of_a_loop : public testing::TestWithParam<backend_kind> {
protected:
    static run_options options() {
        run_options made;
        made.backend.kind = GetParam();
        made.signals = false;
        return made;
    }
};
ANEL_OVER_KERNELS(metrics_of_a_loop);

task<> echo(tcp_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

task<> say_hello(endpoint server) {
    auto conn = co_await connect(server);
    char answer[5];
    co_await conn.send("hello");
    co_await conn.recv_exact(answer);
}

/// What the program reads of itself once its sessions have ended.
task<> served(std::optional<metrics>& seen, const metrics_source& source) {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const endpoint address = listener.local_endpoint();
    int sessions = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto session = [&](tcp_stream conn) -> task<> {
            co_await echo(std::move(conn));
            sessions += 1;
            if (sessions == 2) throw_errno(EPROTO, "second", "session");
            if (sessions == 3) throw std::runtime_error("third session");
        };
        const auto serving = [&](tcp_listener at) -> task<> {
            co_await serve(std::move(at), session);
        };
        group.spawn(serving, std::move(listener));
        for (int i = 0; i < 3; ++i) co_await say_hello(address);
        while (!seen || seen->sessions_ended < 3) {
            co_await sleep_for(1ms);
            std::thread another([&] { seen = source.read(); });
            another.join();
        }
        group.cancel();
    });
}

TEST_P(metrics_of_a_loop, are_read_by_another_thread_until_it_ends) {
    std::optional<metrics> seen;
    std::optional<metrics_source> source;
    const auto first = [&]() -> task<> {
        auto made = co_await current_metrics();
        source.emplace(std::move(made));
        co_await served(seen, *source);
    };
    run(first(), options());
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->backend, name_of(GetParam()));
    EXPECT_EQ(seen->sessions_begun, 3U);
    EXPECT_EQ(seen->sessions_ended, 3U);
    const std::map<int, std::uint64_t> failed(seen->sessions_failed.begin(),
                                              seen->sessions_failed.end());
    EXPECT_EQ(failed, (std::map<int, std::uint64_t>{{0, 1}, {EPROTO, 1}}));
    EXPECT_EQ(seen->accepts_failed, 0U);
    EXPECT_GE(seen->operations, 12U);
    EXPECT_GE(seen->operations, seen->completions);
    EXPECT_GE(seen->in_flight, 1U);  // the accept
    EXPECT_GE(seen->timers_fired, 1U);
    EXPECT_GE(seen->timers_late, seen->timers_late_max);
    EXPECT_GT(seen->timers_late_max, 0ns);
    EXPECT_GT(seen->turns, 3U);
    EXPECT_GE(seen->resumes_max, 2U);  // the client and the accept go on together
    EXPECT_GE(seen->chunks_max, 1U);   // the sessions were lent some
    EXPECT_LE(seen->chunks, seen->chunks_max);
    EXPECT_EQ(seen->helper_calls, 0U);
    EXPECT_FALSE(source->read());  // the loop has ended
}

TEST_P(metrics_of_a_loop, count_what_helper_threads_have_in_hand) {
    std::optional<metrics> meanwhile;
    std::optional<metrics> afterwards;
    const auto asks = [&]() -> task<> {
        auto source = co_await current_metrics();
        const auto ask = [&] { meanwhile = source.read(); };
        co_await offload(ask);
        afterwards = source.read();
    };
    run(asks(), options());
    EXPECT_EQ(meanwhile->helper_calls, 1U);
    EXPECT_EQ(afterwards->helper_calls, 0U);
}

TEST(metrics_text, names_each_number_and_each_loop) {
    metrics one;
    one.backend = "io_uring";
    one.turns = 7;
    one.in_flight = 2;
    one.timers_late = 1'234'567'890ns;
    one.sessions_failed = {{0, 1}, {ECONNRESET, 4}, {9999, 2}};
    metrics other = one;
    other.backend = "epoll";
    const metrics both[] = {one, other};
    const std::string text = openmetrics(both);
    for (const char* line :
         {"# TYPE anel_turns_total counter\n",
          "anel_turns_total{loop=\"0\",backend=\"io_uring\"} 7\n",
          "anel_turns_total{loop=\"1\",backend=\"epoll\"} 7\n", "# TYPE anel_in_flight gauge\n",
          "anel_in_flight{loop=\"0\",backend=\"io_uring\"} 2\n",
          "anel_timers_late_seconds_total{loop=\"0\",backend=\"io_uring\"} 1.234567890\n",
          "anel_sessions_failed_total{loop=\"1\",backend=\"epoll\",error=\"ECONNRESET\"} 4\n",
          "anel_sessions_failed_total{loop=\"1\",backend=\"epoll\",error=\"other\"} 1\n",
          "anel_sessions_failed_total{loop=\"1\",backend=\"epoll\",error=\"9999\"} 2\n"}) {
        EXPECT_NE(text.find(line), text.npos) << line << "is missing in\n" << text;
    }
    EXPECT_TRUE(text.ends_with("\n# EOF\n"));
    // Each family is told once, before its numbers.
    std::set<std::string> told;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line) && line != "# EOF";) {
        if (line.starts_with("# HELP ")) continue;
        if (line.starts_with("# TYPE ")) {
            EXPECT_TRUE(told.insert(line.substr(7, line.rfind(' ') - 7)).second) << line;
        } else {
            EXPECT_TRUE(told.contains(line.substr(0, line.find('{')))) << line;
        }
    }
}

TEST(metrics_text, of_kinds_of_errors_keeps_fifteen) {
    detail::session_counters counts;
    for (int error = 1; error <= 20; ++error) counts.fail(error);
    counts.fail(3);
    counts.fail(0);
    EXPECT_EQ(counts.failed[3].error, 3U);
    EXPECT_EQ(counts.failed[3].count, 2U);
    EXPECT_EQ(counts.failed[0].count, 6U);  // 16 to 20, and the last
}

}  // namespace
}  // namespace anel::test
