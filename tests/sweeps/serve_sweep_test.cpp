// serve_sweep_test.cpp: a server, its sessions and its drain: whatever goes wrong, nothing is left.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/serve.hpp>

namespace anel::test {
using namespace detail;
namespace {

/// One client gets its echo; the session of another one does not end by itself, so that the drain
/// has to.
struct serving : scenario {
    using scenario::scenario;
    task<> set_up() {
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        address = listener.local_endpoint();
    }
    task<> beside() {
        stubborn = raw_socket::connected_to(address);
        polite = raw_socket::connected_to(address);
        stubborn.write("s");
        polite.write("ping");
        // The echo, or the end of a session that failed.
        while (!polite.readable(0)) co_await next_turn();
        served.set();
    }
    task<> body() {
        const auto session = [&](tcp_stream connection) -> task<> {
            const in_session here(*this);
            std::array<char, 16> buffer{};
            while (auto n = co_await connection.recv(buffer)) {
                if (buffer[0] == 's') co_await sleep_for(1h);
                co_await connection.send(std::span(buffer).first(n));
                echoed += n;
            }
        };
        const auto server = [&]() -> task<> {
            serve_options options;
            options.drain_time = 2ms;
            co_await serve(std::move(listener), session, options);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(server);
            co_await served.wait();
            group.cancel();
        });
    }
    // It goes on when a connection is bad or descriptors run out; a session's error is its own.
    static bool handles(opcode failed, int error) {
        return failed != opcode::accept || error != EINVAL;
    }
    task<> check(const report& said) {
        EXPECT_EQ(sessions, 0);
        listener.stop();  // unless serve() has had it
        const raw_socket late = raw_socket::make(address, SOCK_STREAM);
        EXPECT_EQ(late.connect(address), ECONNREFUSED) << "somebody still listens";
        if (said.completed && !said.struck) {
            EXPECT_EQ(echoed, 4U);
        }
        co_return;
    }
    struct in_session {
        explicit in_session(serving& in) noexcept : in_(in) { in_.sessions += 1; }
        ~in_session() { in_.sessions -= 1; }
        in_session(const in_session&) = delete;
        in_session& operator=(const in_session&) = delete;
        serving& in_;
    };
    tcp_listener listener;
    endpoint address;
    raw_socket stubborn;
    raw_socket polite;
    event served;
    int sessions = 0;
    std::size_t echoed = 0;
};
ANEL_SWEEP(serving);

}  // namespace
}  // namespace anel::test
