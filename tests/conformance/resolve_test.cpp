// resolve_test.cpp: names to addresses: what is answered, what is refused, what can be given up.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <fstream>
#include <sstream>

#include <netdb.h>
#ifdef __linux__
#include <net/if.h>
#include <sched.h>
#endif

#ifdef ANEL_ADDRESS_SANITIZER
// At the end of the process a lookup that was left behind may still sit in the C library, with
// memory that only a register of its thread points to.
extern "C" const char* __lsan_default_suppressions() { return "leak:__res_context_send\n"; }
#endif

namespace anel::test {
using namespace detail;
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
class resolving_on_kernel : public resolving {};
ANEL_OVER_KERNELS(resolving_on_kernel);

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
        EXPECT_LE(count_threads(), threads);  // one of before may be gone
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
        EXPECT_LE(count_threads(), threads);  // one of before may be gone
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
        EXPECT_LE(count_threads(), threads + 4 + sanitizer_threads);
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

#ifdef __linux__
// --- a name server that does not answer ---------------------------------------------------------

/// A network of this thread's own in which the system's name server is a socket that nobody reads.
/// Empty where a process may not have one.
raw_socket mute_name_server() {
    std::ifstream file("/etc/resolv.conf");
    std::string server = "127.0.0.1";  // what the resolver asks when the file names none
    for (std::string line, word; std::getline(file, line);) {
        std::istringstream words(line);
        if (words >> word && word == "nameserver" && words >> server) break;
    }
    const auto address = endpoint::parse_host(server, 53);
    if (!address || address->family() != address_family::ipv4) return {};
    if (::unshare(CLONE_NEWNET) != 0) return {};

    const raw_socket any(::socket(AF_INET, SOCK_DGRAM | close_on_exec, 0));
    ifreq loopback{};
    std::memcpy(loopback.ifr_name, "lo", 3);
    loopback.ifr_flags = IFF_UP;
    if (::ioctl(any.fd(), SIOCSIFFLAGS, &loopback) != 0) return {};
    if (!address->is_loopback()) {
        ifreq alias{};
        std::memcpy(alias.ifr_name, "lo:1", 5);
        const socket_address native = to_socket_address(address->with_port(0));
        std::memcpy(&alias.ifr_addr, native.bytes, sizeof alias.ifr_addr);
        if (::ioctl(any.fd(), SIOCSIFADDR, &alias) != 0) return {};
    }
    return raw_socket::bound_to(*address, SOCK_DGRAM);
}

TEST_P(resolving_on_kernel, a_lookup_without_an_answer_blocks_nobody_and_is_given_up_at_once) {
    bool possible = false;
    std::thread apart([&] {
        const raw_socket server = mute_name_server();
        possible = server.fd() >= 0;
        if (!possible) return;
        run([&]() -> task<> {
            int ticks = 0;
            const auto tick = [&]() -> task<> {
                for (;; ++ticks) co_await sleep_for(1ms);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(tick);
                // A busy machine may not have come to the helper thread, nor to a tick, in 50 ms.
                duration wait = 50ms;
                for (bool asked = false; !asked && wait < 2s; wait *= 2) {
                    const time_point start = co_await current_time();
                    auto none = co_await as_result(with_timeout(wait, resolve("mute.test", 80)));
                    const time_point end = co_await current_time();
                    EXPECT_EQ(none.error(), std::errc::timed_out);
                    EXPECT_LT(end - start, wait + 4s) << "the resolver itself takes 10 s";
                    asked = ticks > 0 && server.readable(0);
                }
                group.cancel();
            });
            EXPECT_GT(ticks, 0);
            EXPECT_TRUE(server.readable(0)) << "the server was asked";
        });
    });
    apart.join();
    if (!possible) GTEST_SKIP() << "this process cannot have a network of its own";
}

// A lookup that was given up keeps its helper thread until the resolver's own timeouts have passed,
// and four work at a time: it must not count among them.
TEST_P(resolving_on_kernel, abandoned_lookups_do_not_hold_up_others) {
    bool possible = false;
    std::thread apart([&] {
        const raw_socket server = mute_name_server();
        possible = server.fd() >= 0;
        if (!possible) return;
        run([&]() -> task<> {
            for (int i = 0; i < 8; ++i) {
                auto none = co_await as_result(with_timeout(1ms, resolve("mute.test", 80)));
                EXPECT_EQ(none.error(), std::errc::timed_out);
            }
            const time_point start = co_await current_time();
            const int answer = co_await offload([] { return 42; });
            EXPECT_EQ(answer, 42);
            auto found = co_await resolve("localhost", 80);
            EXPECT_TRUE(found.front().is_loopback());
            const time_point end = co_await current_time();
            EXPECT_LT(end - start, 500ms) << "they waited for lookups that nobody wants";
        });
    });
    apart.join();
    if (!possible) GTEST_SKIP() << "this process cannot have a network of its own";
}

TEST_P(resolving_on_kernel, the_zone_of_an_address_may_be_the_name_of_an_interface) {
    run([&]() -> task<> {
        const unsigned index = ::if_nametoindex("lo");
        auto found = co_await resolve("fe80::1%lo", 80);
        EXPECT_EQ(found, std::vector{endpoint("[fe80::1%" + std::to_string(index) + "]:80")});
        const std::string text = co_await failure_of(resolve("fe80::1%nosuch0", 80));
        EXPECT_EQ(text, "resolve fe80::1%nosuch0: No such device (ENODEV)");
    });
}
#endif

}  // namespace
}  // namespace anel::test
