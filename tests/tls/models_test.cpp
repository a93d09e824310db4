// models_test.cpp: a TLS stream is a byte_stream like any other, whatever carries it.
// SPDX-License-Identifier: MIT
#include "tests/support/byte_stream_conformance.hpp"
#include "tests/tls/tls_pair.hpp"

#include <anel/any_stream.hpp>
#include <anel/memory_stream.hpp>
#include <anel/serve.hpp>

namespace anel::test {
namespace {

static_assert(byte_stream<tls_stream>);
static_assert(byte_stream<tls_over<any_stream>>);

const tls_contexts& contexts() {
    static const tls_contexts made;
    return made;
}

template <class Next>
task<two_ends<tls_over<Next>>> secured(Next client, Next server) {
    tls_over<Next> near(std::move(client), contexts().client, "localhost");
    tls_over<Next> far(std::move(server), contexts().server);
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn([](tls_over<Next>& end) { return end.handshake(); }, std::ref(far));
        co_await near.handshake();
    });
    co_return two_ends<tls_over<Next>>(std::move(near), std::move(far));
}

struct over_tcp {
    static task<two_ends<tls_stream>> connect() {
        auto below = co_await connected_pair();
        auto pair = co_await secured(std::move(below.client), std::move(below.server));
        co_return pair;
    }
};

/// A stream that lends no memory and tells nothing of a part that was sent.
struct over_memory {
    static task<two_ends<tls_over<any_stream>>> connect() {
        auto [near, far] = memory_stream_pair(4096);
        any_stream one(std::move(near));
        any_stream other(std::move(far));
        auto pair = co_await secured(std::move(one), std::move(other));
        co_return pair;
    }
};

class tls_models : public over_backends {
protected:
    template <class... Bodies>
    void run_each(Bodies... bodies) {
        (run(bodies), ...);
    }
};
ANEL_OVER_BACKENDS(tls_models);

#define ANEL_OVER_TLS(body)                                                                        \
    TEST_P(tls_models, body) {                                                                     \
        run_each(&stream_conformance<over_tcp>::body, &stream_conformance<over_memory>::body);     \
    }

ANEL_OVER_TLS(all_bytes_arrive_in_order_both_ways)
ANEL_OVER_TLS(nothing_is_sent_and_received_at_once)
ANEL_OVER_TLS(an_end_stays_an_end_and_the_other_direction_goes_on)
ANEL_OVER_TLS(a_cancelled_recv_takes_nothing)
ANEL_OVER_TLS(a_full_stream_makes_its_sender_wait)
ANEL_OVER_TLS(a_send_to_a_closed_peer_fails_in_the_end)
ANEL_OVER_TLS(it_may_be_moved_between_two_operations)
ANEL_OVER_TLS(lines_and_pieces_are_read_from_it)
ANEL_OVER_TLS(frames_go_over_it)
ANEL_OVER_TLS(a_lingering_close_lets_the_last_reply_arrive)

// They close, and want the end to be said: memory does not take bytes without a wait.
TEST_P(tls_models, close_ends_what_another_task_waits_for) {
    run_each(&stream_conformance<over_tcp>::close_ends_what_another_task_waits_for,
             &stream_conformance<over_tcp>::close_is_not_shortened_by_a_cancel);
}

task<> echo_over_tls(tls_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

TEST_P(tls_models, serve_takes_a_tls_listener_and_says_good_bye) {
    run([&]() -> task<> {
        auto below = co_await tcp_listener::bind("127.0.0.1:0");
        const std::uint16_t port = below.local_endpoint().port();
        tls_listener listener(std::move(below), contexts().server);
        tls_stream client;
        std::string got;
        int failures = 0;
        serve_options options;
        options.first_request_grace = 0s;
        options.session_failed = [&](const endpoint& peer, std::exception_ptr) {
            failures += 1;
            EXPECT_NE(peer.port(), 0);
        };
        const auto server = [&]() -> task<> {
            co_await serve(std::move(listener), echo_over_tls, options);
        };
        co_await with_task_group([&](task_group& serving) -> task<> {
            serving.spawn(server);
            // It says nothing, and holds up nobody.
            tcp_stream silent = co_await connect("127.0.0.1", port);
            client = co_await connect_tls("127.0.0.1", port, contexts().client);
            co_await client.send("hello");
            got = co_await receive(client, 5);
            serving.cancel();
        });
        EXPECT_EQ(got, "hello");
        const std::string rest = co_await receive_all(client);
        EXPECT_EQ(rest, "") << "an end that was said";
        EXPECT_EQ(failures, 1) << "of the silent client's handshake";
    });
}

// What the stream below took of a flight is not known, and nothing may be sent twice.
TEST_P(tls_models, a_handshake_that_was_cut_in_a_send_of_unknown_amount_is_over) {
    run([&]() -> task<> {
        auto [below, far] = memory_stream_pair(64);
        tls_over<any_stream> near(any_stream(std::move(below)), contexts().client, "localhost");
        const auto cut = co_await as_result(with_timeout(1ms, near.handshake()));
        EXPECT_EQ(cut.error(), std::errc::timed_out);
        const auto again = co_await as_result(with_timeout(1ms, near.handshake()));
        EXPECT_EQ(again.error(), code(EPIPE));
    });
}

TEST_P(tls_models, any_stream_holds_one) {
    run([&]() -> task<> {
        auto pair = co_await shaken_pair(contexts().server, contexts().client);
        any_stream near(std::move(pair.client));
        co_await near.send("any");
        const std::string got = co_await receive(pair.server, 3);
        EXPECT_EQ(got, "any");
        co_await near.close();
        const std::string rest = co_await receive_all(pair.server);
        EXPECT_EQ(rest, "");
    });
}

}  // namespace
}  // namespace anel::test
