// echo_cost_test.cpp: what one echo costs in counts, which no noise can change: allocations, system
// calls that wait, operations.
//
// Client and server run in one loop, so each count covers both ends.
// SPDX-License-Identifier: MIT
#include "runtime/core/recorder.hpp"
#include "tests/net/allocations.hpp"
#include "tests/support/joining_thread.hpp"
#include "tests/support/over_backends.hpp"
#include "tests/support/raw_socket.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace {
std::atomic<std::uint64_t> allocations{0};
}

std::uint64_t anel::test::allocations_so_far() noexcept { return allocations.load(); }

#ifndef ANEL_THREAD_SANITIZER
// Replaces the global ones for this whole program, so that every allocation is seen. Not inlined,
// or g++ takes the free() inside for one that does not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace anel {
using namespace detail;
using namespace std::chrono_literals;
namespace {

struct totals {
    std::uint64_t allocations;
    std::uint64_t waits;
    std::uint64_t operations;
    std::uint64_t frames;
    std::uint64_t events;  // in the record, where one is kept

    static totals now(loop& owner) {
        const backend_counters& counts = owner.backend().counters();
        return {::allocations.load(), counts.waits, counts.operations, owner.counters().frames_new,
                owner.record() ? owner.record()->count() : 0};
    }
};

class echo_cost : public ::testing::TestWithParam<backend_kind> {};

INSTANTIATE_TEST_SUITE_P(backends, echo_cost, ::testing::ValuesIn(test::kernels_here()),
                         test::name_of_parameter);

constexpr int connections = 64;
constexpr int warm_up = 50;
constexpr int measured = 500;

task<> echo(tcp_stream conn) {
    std::array<std::byte, 4096> buffer;
    while (auto n = co_await conn.recv(buffer)) co_await conn.send(std::span(buffer).first(n));
}

task<> echo_lent(tcp_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

using session = task<> (*)(tcp_stream);

/// Holds every client until all have arrived.
struct barrier {
    int waiting = 0;
    event open;
};

task<> wait_for_all(barrier& gate) {
    if (++gate.waiting == connections) gate.open.set();
    co_await gate.open.wait();
}

task<> exchange(tcp_stream& conn, int rounds) {
    std::array<std::byte, 64> sent{};
    std::array<char, 64> received;
    for (int i = 0; i < rounds; ++i) {
        co_await conn.send(sent);
        co_await conn.recv_exact(received);
    }
}

task<> client(endpoint server, barrier& warm, barrier& done) {
    auto conn = co_await connect(server);
    co_await exchange(conn, warm_up);
    co_await wait_for_all(warm);
    co_await exchange(conn, measured);
    co_await wait_for_all(done);
}

task<> serve_until_cancelled(tcp_listener listener, session each) {
    co_await serve(std::move(listener), each);
}

task<> measure(session each, totals& before, totals& after) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const endpoint address = listener.local_endpoint();
    barrier warm;
    barrier done;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(serve_until_cancelled, std::move(listener), each);
        for (int i = 0; i < connections; ++i) {
            group.spawn(client, address, std::ref(warm), std::ref(done));
        }
        co_await warm.open.wait();
        before = totals::now(owner);
        co_await done.open.wait();
        after = totals::now(owner);
        group.cancel();
    });
}

void expect_cheap(session each, backend_kind kind, const std::string& trace = {}) {
    totals before{};
    totals after{};
    run_options options;
    options.backend.kind = kind;
    options.signals = false;
    options.trace = trace;
    run(measure(each, before, after), options);
    constexpr double echoes = connections * measured;
    const auto per_echo = [&](auto member) {
        return static_cast<double>(after.*member - before.*member) / echoes;
    };
    if (test::allocations_are_counted) {
        EXPECT_EQ(after.allocations - before.allocations, 0U);
        EXPECT_EQ(after.frames - before.frames, 0U);
    }
    // Both ends: recv and send each; the warm-up's and the last round's tails are not exact.
    EXPECT_NEAR(per_echo(&totals::operations), 4.0, 0.1);
    EXPECT_LE(per_echo(&totals::waits), 0.1);
    // Of an operation: begun, done, its task stops and goes on; and what all of them share.
    if (!trace.empty()) {
        EXPECT_GT(per_echo(&totals::events), 4.0);
        EXPECT_LE(per_echo(&totals::events), 16.5);
    }
    testing::Test::RecordProperty("waits_per_echo", std::to_string(per_echo(&totals::waits)));
    std::printf("%s: %.4f waits, %.2f operations per echo\n", name_of(kind),
                per_echo(&totals::waits), per_echo(&totals::operations));
}

TEST_P(echo_cost, steady_state_allocates_nothing_and_waits_seldom) {
    expect_cheap(echo, GetParam());
}

TEST_P(echo_cost, so_does_an_echo_in_lent_memory) { expect_cheap(echo_lent, GetParam()); }

TEST_P(echo_cost, and_one_that_is_recorded) {
    const std::string file = testing::TempDir() + "anel_echo_" + std::to_string(::getpid());
    expect_cheap(echo, GetParam(), file);
    ::unlink(file.c_str());
}

// --- one client, in a thread of its own ---------------------------------------------------------

void exchange_blocking(const endpoint& server) {
    auto client = test::raw_socket::connected_to(server);
    char byte = 'x';
    for (int i = 0; i < measured; ++i) {
        ASSERT_EQ(::send(client.fd(), &byte, 1, 0), 1);
        ASSERT_EQ(::recv(client.fd(), &byte, 1, MSG_WAITALL), 1);
    }
}

task<> serve_one(double& waits) {
    frame& self = co_await detail::this_frame();
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const test::joining_thread client(exchange_blocking, listener.local_endpoint());
    auto conn = co_await listener.accept();
    const std::uint64_t before = self.scope->owner().backend().counters().waits;
    co_await echo_lent(std::move(conn));
    const std::uint64_t after = self.scope->owner().backend().counters().waits;
    waits = static_cast<double>(after - before) / measured;
}

task<> answer_datagrams(double& waits) {
    frame& self = co_await detail::this_frame();
    auto socket = co_await udp_socket::bind("127.0.0.1:0");
    auto client = test::raw_socket::connected_to(socket.local_endpoint(), SOCK_DGRAM);
    datagram_batch batch;
    char byte = 'x';
    const std::uint64_t before = self.scope->owner().backend().counters().waits;
    constexpr int rounds = 20;
    for (int i = 0; i < rounds; ++i) {
        EXPECT_EQ(::send(client.fd(), &byte, 1, 0), 1);
        co_await socket.recv_batch(batch);
        co_await socket.send_batch(batch);
        EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 1);
        co_await sleep_for(100us);
    }
    waits = static_cast<double>(self.scope->owner().backend().counters().waits - before) / rounds;
}

// When the peer takes it there is room again, which nobody has asked for.
TEST_P(echo_cost, a_reply_that_is_taken_wakes_nobody) {
    double waits = 0;
    run_options options;
    options.backend.kind = GetParam();
    options.signals = false;
    run(answer_datagrams(waits), options);
    EXPECT_LE(waits, 2.2) << "one for the datagram, one for the time";
}

// Through the ring a reply would take a wait of its own, to be submitted and to be seen.
TEST_P(echo_cost, a_reply_that_is_alone_in_its_turn_takes_no_wait) {
    double waits = 0;
    run_options options;
    options.backend.kind = GetParam();
    options.signals = false;
    run(serve_one(waits), options);
    EXPECT_LE(waits, 1.2);
}

task<> accept_a_burst(std::uint64_t& waits) {
    constexpr int burst = 100;
    frame& self = co_await detail::this_frame();
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    std::vector<test::raw_socket> clients;
    for (int i = 0; i < burst; ++i) {
        clients.push_back(test::raw_socket::connected_to(listener.local_endpoint()));
    }
    const std::uint64_t before = self.scope->owner().backend().counters().waits;
    for (int i = 0; i < burst; ++i) {
        auto conn = co_await listener.accept();
        EXPECT_TRUE(conn.is_open());
    }
    waits = self.scope->owner().backend().counters().waits - before;
}

// One for each turn would make small turns of a large burst.
TEST_P(echo_cost, a_burst_of_connections_is_accepted_in_few_turns) {
    std::uint64_t waits = 0;
    run_options options;
    options.backend.kind = GetParam();
    options.signals = false;
    run(accept_a_burst(waits), options);
    EXPECT_LE(waits, 10U);
}

}  // namespace
}  // namespace anel
