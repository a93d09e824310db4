// byte_stream_test.cpp: one body over every model of a byte_stream, on each backend.
// SPDX-License-Identifier: MIT
#include "tests/support/byte_stream_conformance.hpp"

#include <unistd.h>

namespace anel::test {
namespace {

static_assert(byte_stream<tcp_stream> && byte_stream<memory_stream> && byte_stream<any_stream>);
static_assert(!byte_stream<udp_socket> && !byte_stream<tcp_listener> && !byte_stream<int>);

struct tcp_model {
    static task<two_ends<tcp_stream>> connect() {
        auto pair = co_await connected_pair();
        co_return two_ends<tcp_stream>(std::move(pair.client), std::move(pair.server));
    }
};

struct unix_model {
    static task<two_ends<tcp_stream>> connect() {
        const endpoint address("unix:/tmp/anel_stream_" + std::to_string(::getpid()));
        auto pair = co_await connected_pair(address);
        co_return two_ends<tcp_stream>(std::move(pair.client), std::move(pair.server));
    }
};

struct memory_model {
    static task<two_ends<memory_stream>> connect() {
        auto [near, far] = memory_stream_pair(4096);
        co_return two_ends<memory_stream>(std::move(near), std::move(far));
    }
};

struct any_model {
    static task<two_ends<any_stream>> connect() {
        auto pair = co_await connected_pair();
        co_return two_ends<any_stream>(std::move(pair.client), std::move(pair.server));
    }
};

class byte_streams : public over_backends {
protected:
    /// Runs the body of each model.
    template <class... Bodies>
    void run_each(Bodies... bodies) {
        (run(bodies), ...);
    }
};
ANEL_OVER_BACKENDS(byte_streams);

#define ANEL_OVER_MODELS(body)                                                                     \
    TEST_P(byte_streams, body) {                                                                   \
        run_each(&stream_conformance<tcp_model>::body, &stream_conformance<unix_model>::body,      \
                 &stream_conformance<memory_model>::body, &stream_conformance<any_model>::body);   \
    }

ANEL_OVER_MODELS(all_bytes_arrive_in_order_both_ways)
ANEL_OVER_MODELS(nothing_is_sent_and_received_at_once)
ANEL_OVER_MODELS(an_end_stays_an_end_and_the_other_direction_goes_on)
ANEL_OVER_MODELS(a_cancelled_recv_takes_nothing)
ANEL_OVER_MODELS(a_full_stream_makes_its_sender_wait)
ANEL_OVER_MODELS(close_ends_what_another_task_waits_for)
ANEL_OVER_MODELS(close_is_not_shortened_by_a_cancel)
ANEL_OVER_MODELS(a_send_to_a_closed_peer_fails_in_the_end)
ANEL_OVER_MODELS(it_may_be_moved_between_two_operations)
ANEL_OVER_MODELS(lines_and_pieces_are_read_from_it)
ANEL_OVER_MODELS(frames_go_over_it)
ANEL_OVER_MODELS(a_lingering_close_lets_the_last_reply_arrive)

}  // namespace
}  // namespace anel::test
