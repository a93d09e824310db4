// example_streams_test.cpp: the very text of chat, proxy and request_reply_server over streams that
// are no sockets.
// SPDX-License-Identifier: MIT

// g++ takes what an included file defines for something that other files define as well, and says
// so at the templates that use it: this must stand before them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

#include "tests/support/byte_stream_conformance.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <deque>
#include <iostream>
#include <unordered_map>

namespace all_examples {
#define main examples_main
namespace chat {
#include "examples/chat.cpp"  // what they include is included above
}
namespace proxy {
#include "examples/proxy.cpp"
}
namespace request_reply {
#include "examples/request_reply_server.cpp"
}
#undef main
}  // namespace all_examples

namespace anel::test {
namespace {

class example_streams : public over_backends {};
ANEL_OVER_BACKENDS(example_streams);

TEST_P(example_streams, the_proxy_passes_between_two_types_of_stream) {
    run([&]() -> task<> {
        auto [client, inside] = memory_stream_pair(100);
        auto [outside, server] = memory_stream_pair(50);
        memory_stream from = std::move(inside);
        any_stream to = std::move(outside);
        memory_stream near = std::move(client);
        memory_stream far = std::move(server);
        const std::string text = pattern(30'000);
        std::string echoed;
        const auto echo = [](memory_stream& on) -> task<> {
            std::array<char, 333> buffer;
            while (auto n = co_await on.recv(buffer)) co_await on.send(std::span(buffer).first(n));
            co_await on.shutdown_send();
        };
        const auto there = [&]() { return all_examples::proxy::pass(from, to); };
        const auto back = [&]() { return all_examples::proxy::pass(to, from); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(there);
            group.spawn(back);
            group.spawn(echo, std::ref(far));
            group.spawn(&send_all_and_finish<memory_stream>, std::ref(near),
                        std::string_view(text));
            echoed = co_await receive_to_end(near);
        });
        EXPECT_TRUE(echoed == text) << echoed.size();
    });
}

TEST_P(example_streams, the_chat_talks_to_streams_in_memory) {
    run([&]() -> task<> {
        all_examples::chat::room everybody;
        auto [ada, of_ada] = memory_stream_pair();
        auto [bob, of_bob] = memory_stream_pair();
        memory_stream first = std::move(ada);
        memory_stream second = std::move(bob);
        const auto session = [&](memory_stream conn) -> task<> {
            co_await all_examples::chat::session(everybody, std::move(conn));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(session, std::move(of_ada));
            co_await let_others_wait();
            group.spawn(session, std::move(of_bob));
            co_await let_others_wait();
            co_await first.send("hello\n");
            co_await first.shutdown_send();
            const std::string heard = co_await receive_to_end(first);
            EXPECT_EQ(heard, "* memory joined\n* memory joined\n");
            co_await second.shutdown_send();
            const std::string last = co_await receive_to_end(second);
            EXPECT_EQ(last, "* memory joined\nmemory: hello\n* memory left\n");
        });
        EXPECT_TRUE(everybody.empty());
    });
}

TEST_P(example_streams, requests_are_answered_on_a_stream_of_any_type) {
    run([&]() -> task<> {
        auto [client, server] = memory_stream_pair();
        memory_stream asks = std::move(client);
        any_stream conn = std::move(server);
        const event draining;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&all_examples::request_reply::session<any_stream>, std::move(conn),
                        std::cref(draining));
            co_await asks.send("upper abc\nadd 1 2\nquit\nunread");
            const std::string answers = co_await receive_to_end(asks);
            EXPECT_EQ(answers, "ok ABC\nok 3\nok bye\n");
            co_await asks.close();
        });
    });
}

}  // namespace
}  // namespace anel::test
