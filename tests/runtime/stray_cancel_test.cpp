// stray_cancel_test.cpp: task_cancelled where nobody cancelled is an error, not an end.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/anel.hpp>
#include <anel/per_core.hpp>
#include <anel/sim.hpp>
#include <anel/when.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace anel {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view told = "task that only itself has cancelled: ";

/// Cancels its own group before that has a result.
task<int> gives_up() {
    const auto body = [](task_group& group) -> task<int> {
        group.cancel();
        co_await yield();
        co_return 1;
    };
    int value = co_await with_task_group(body);
    co_return value;
}

task<int> throws_it() {
    co_await yield();
    throw task_cancelled{};
}

/// The text of the io_error that `work` ends with.
task<std::string> text_of(task<> work) {
    std::string text = "no error";
    try {
        co_await work;
    } catch (const io_error& error) {
        EXPECT_EQ(error.code(), std::errc::operation_canceled);
        text = error.what();
    }
    co_return text;
}

/// A group whose body awaits `work`, with a child beside it that never ends by itself.
task<> in_a_group(task<int> work, bool& sibling_ended) {
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto sibling = [](bool& ended) -> task<> {
            struct guard {
                bool& flag;
                ~guard() { flag = true; }
            } on_exit{ended};
            co_await sleep_until(never);
        };
        group.spawn(sibling, std::ref(sibling_ended));
        co_await yield();
        int value = co_await work;
        ADD_FAILURE() << "it went on with " << value;
    });
}

/// The same with `work` in a child, and a body that waits.
task<> in_a_child(task<int> (*work)(), bool& body_ended) {
    co_await with_task_group([&](task_group& group) -> task<> {
        struct guard {
            bool& flag;
            ~guard() { flag = true; }
        } on_exit{body_ended};
        const auto child = [](task<int> (*make)()) -> task<> {
            int value = co_await make();
            ADD_FAILURE() << "it went on with " << value;
        };
        group.spawn(child, work);
        co_await sleep_until(never);
    });
}

TEST(stray_cancel, ends_the_group_around_it_as_an_error_and_its_siblings_too) {
    for (const auto make : {&gives_up, &throws_it}) {
        const auto body = [&]() -> task<> {
            bool ended = false;
            std::string text = co_await text_of(in_a_group(make(), ended));
            EXPECT_TRUE(text.starts_with(told)) << text;
            EXPECT_TRUE(ended);
            ended = false;
            text = co_await text_of(in_a_child(make, ended));
            EXPECT_TRUE(text.starts_with(told)) << text;
            EXPECT_TRUE(ended);
        };
        run(body(), on_poll);
    }
}

TEST(stray_cancel, of_one_branch_is_the_error_of_when_all_and_when_any) {
    const auto body = []() -> task<> {
        auto all = co_await as_result(when_all(gives_up(), sleep_until(never)));
        EXPECT_EQ(all.error(), std::errc::operation_canceled);
        auto any = co_await as_result(when_any(throws_it(), sleep_until(never)));
        EXPECT_EQ(any.error(), std::errc::operation_canceled);
    };
    run(body(), on_poll);
}

TEST(stray_cancel, is_not_what_when_any_of_nothing_ends_with) {
    const auto body = []() -> task<std::string> {
        try {
            std::ignore = co_await when_any();
        } catch (const io_error& error) {
            co_return error.what();
        }
        co_return "no error";
    };
    EXPECT_EQ(run(body(), on_poll), "when_any of nothing: Invalid argument (EINVAL)");
}

TEST(stray_cancel, is_thrown_by_run_and_by_run_per_core) {
    const auto program = []() -> task<> { std::ignore = co_await throws_it(); };
    EXPECT_THROW(run(program(), on_poll), io_error);
    EXPECT_THROW(run(throws_it(), on_poll), io_error);
    per_core_options options;
    options.run = on_poll;
    for (unsigned threads = 1; threads <= 3; ++threads) {
        for (unsigned failing = 0; failing < threads; ++failing) {
            const auto one = [&](unsigned index) -> task<> {
                if (index == failing) std::ignore = co_await throws_it();
                co_await sleep_until(never);
            };
            EXPECT_THROW(run_per_core(threads, one, options), io_error);
        }
    }
}

TEST(stray_cancel, of_a_program_fails_a_simulated_world) {
    sim::world world(1);
    world.client("one", "10.0.0.1", []() -> task<> {
        bool ended = false;
        co_await in_a_group(gives_up(), ended);
    });
    std::string text;
    try {
        world.run(1min);
    } catch (const sim::failure& failed) {
        text = failed.what();
    }
    EXPECT_NE(text.find("host one: " + std::string(told)), text.npos) << text;
}

TEST(stray_cancel, of_a_session_is_told_to_the_server) {
    static std::string text;
    const auto body = []() -> task<> {
        serve_options options;
        options.session_failed = [](const endpoint&, std::exception_ptr error) {
            try {
                std::rethrow_exception(error);
            } catch (const io_error& failed) {
                text = failed.what();
            }
        };
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto session = [](tcp_stream) -> task<> { std::ignore = co_await throws_it(); };
            const auto server = [&]() -> task<> {
                co_await serve(std::move(listener), session, options);
            };
            group.spawn(server);
            auto conn = co_await connect(address);
            std::array<char, 1> room{};
            auto n = co_await conn.recv(room);
            EXPECT_EQ(n, 0U);
            group.cancel();
        });
    };
    run(body(), on_poll);
    EXPECT_TRUE(text.starts_with(told)) << text;
}

TEST(stray_cancel, is_none_in_a_scope_that_somebody_cancelled) {
    const auto body = []() -> task<> {
        // The timeout cancels; what throws it inside says no more than that.
        const auto slow = []() -> task<int> {
            bool cancelled = false;
            try {
                co_await sleep_until(never);
            } catch (const task_cancelled&) {
                cancelled = true;
            }
            if (cancelled) throw task_cancelled{};
            co_return 1;
        };
        auto late = co_await as_result(with_timeout(1ms, slow()));
        EXPECT_EQ(late.error(), std::errc::timed_out);
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(slow);
            co_await yield();
            group.cancel();
        });
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
