// resolve_test.cpp: names to addresses: what is answered, what is refused, what can be given up.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <netdb.h>

namespace anel::test {
namespace {

using namespace std::string_literals;

class resolving : public over_backends {
protected:
    void SetUp() override {
        // Where no server answers a lookup takes a second, not ten: resolv.conf(5).
        ::setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
        over_backends::SetUp();
    }
};
ANEL_OVER_BACKENDS(resolving);

TEST_P(resolving, localhost_is_this_machine) {
    run([&]() -> task<> {
        auto found = co_await resolve("localhost", 7777);
        EXPECT_GE(found.size(), 1U);
        EXPECT_LE(found.size(), 16U);
        for (const endpoint& address : found) {
            EXPECT_TRUE(address.is_loopback()) << address;
            EXPECT_EQ(address.port(), 7777);
        }
    });
}

TEST_P(resolving, a_numeric_address_is_answered_at_once_without_a_thread) {
    run([&]() -> task<> {
        const std::size_t threads = count_threads();
        auto four = co_await resolve("127.0.0.1", 80);
        EXPECT_EQ(four, std::vector{endpoint("127.0.0.1:80")});
        auto six = co_await resolve("::1", 0);
        EXPECT_EQ(six, std::vector{endpoint("[::1]:0")});
        auto scoped = co_await resolve("fe80::1%3", 65535);
        EXPECT_EQ(scoped, std::vector{endpoint("[fe80::1%3]:65535")});
        const backend_counters counters = co_await current_counters();
        EXPECT_EQ(counters.operations, 0U);
        EXPECT_EQ(count_threads(), threads);
    });
}

TEST_P(resolving, a_name_that_does_not_exist_fails_with_an_error_of_names) {
    run([&]() -> task<> {
        std::error_code error;
        std::string text;
        try {
            auto found = co_await resolve("nosuch.invalid", 80);
        } catch (const io_error& failed) {
            error = failed.code();
            text = failed.what();
        }
        EXPECT_EQ(error.category(), name_category());
        // EAI_AGAIN where no server answers.
        EXPECT_TRUE(error.value() == EAI_NONAME || error.value() == EAI_AGAIN) << text;
        const std::string name = error.value() == EAI_AGAIN ? "EAI_AGAIN" : "EAI_NONAME";
        EXPECT_EQ(text,
                  "resolve nosuch.invalid: "s + ::gai_strerror(error.value()) + " (" + name + ")");
    });
}

TEST_P(resolving, what_is_no_name_is_refused_and_never_cut) {
    run([&]() -> task<> {
        const std::size_t threads = count_threads();
        const std::string label(63, 'a');
        const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
        for (const std::string& name :
             {""s, "localhost\0.example"s, "localhost\0"s, "\0"s, longest + "a", label + "a.org",
              "two words"s, "tab\t"s, "caf\xc3\xa9.org"s, "a..b"s, ".a"s, "127.1"s, "0x7f.1"s,
              "010.0.0.1"s, "1.2.3.4.5"s, "[::1]"s, "::1%"s, "a/b"s}) {
            auto found = co_await as_result(resolve(name, 80));
            EXPECT_EQ(found.error(), code(EINVAL)) << name;
        }
        const std::string text = co_await failure_of(resolve("a\x1b[2J\nb", 80));
        EXPECT_EQ(text.find('\n'), std::string::npos) << "nothing harmful in the text";
        EXPECT_EQ(text.find('\x1b'), std::string::npos);
        const backend_counters counters = co_await current_counters();
        EXPECT_EQ(counters.operations, 0U) << "none of them reached the resolver";
        EXPECT_EQ(count_threads(), threads);
    });
}

TEST_P(resolving, many_lookups_at_once_are_all_answered) {
    run([&]() -> task<> {
        int answered = 0;
        const auto look_up = [&](std::uint16_t port) -> task<> {
            auto found = co_await resolve("localhost", port);
            EXPECT_EQ(found.front().port(), port);
            answered += 1;
        };
        const std::size_t threads = count_threads();
        co_await with_task_group([&](task_group& group) -> task<> {
            for (std::uint16_t port = 1; port <= 20; ++port) group.spawn(look_up, port);
            co_return;
        });
        EXPECT_EQ(answered, 20);
        EXPECT_LE(count_threads(), threads + 4);
    });
}

TEST_P(resolving, a_lookup_is_given_up_at_once) {
    run([&]() -> task<> {
        const time_point start = co_await current_time();
        for (int i = 0; i < 50; ++i) {
            const char* name = i % 2 == 0 ? "localhost" : "nosuch.invalid";
            const auto wait = std::chrono::microseconds(i % 5 * 20);
            auto found = co_await as_result(with_timeout(wait, resolve(name, 80)));
            EXPECT_TRUE(found || found.error() == std::errc::timed_out ||
                        found.error().category() == name_category())
                << found.error();
        }
        int cancelled = 0;
        const auto look_up = [&](std::string name) -> task<> {
            try {
                auto found = co_await as_result(resolve(name, 80));
            } catch (const task_cancelled&) {
                cancelled += 1;
                throw;
            }
        };
        for (int round = 0; round < 20; ++round) {
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 20; ++i) group.spawn(look_up, "nosuch.invalid"s);
                co_await yield();
                group.cancel();
            });
        }
        EXPECT_GT(cancelled, 0);
        const time_point end = co_await current_time();
        EXPECT_LT(end - start, 10s);
        auto found = co_await resolve("localhost", 80);
        EXPECT_TRUE(found.front().is_loopback()) << "no answer of an abandoned lookup";
    });
}

TEST_P(resolving, lookups_beyond_the_queue_are_refused_with_EAGAIN_and_nothing_else_is) {
    run([&]() -> task<> {
        int answered = 0;
        int refused = 0;
        const auto look_up = [&]() -> task<> {
            auto found = co_await as_result(resolve("localhost", 80));
            if (found) {
                answered += 1;
            } else {
                EXPECT_EQ(found.error(), code(EAGAIN));
                refused += 1;
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int i = 0; i < 1000; ++i) group.spawn(look_up);
            co_return;
        });
        EXPECT_EQ(answered + refused, 1000);
        EXPECT_GE(answered, 256);
    });
}

}  // namespace
}  // namespace anel::test
