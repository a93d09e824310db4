// simulated_test.cpp: TLS on a simulated network where everything goes wrong: right answers, and
// the same run for the same seed.
// SPDX-License-Identifier: MIT
#include "tests/support/sim_programs.hpp"
#include "tests/tls/tls_pair.hpp"

#include <cstdlib>
#include <set>

namespace anel::test {
namespace {

struct tally {
    int answers = 0;
    int failures = 0;
    int wrong = 0;
};

task<> serve_tls(const tls_context& context) {
    const auto echo_over_tls = [](tls_stream conn) -> task<> {
        while (auto data = co_await conn.recv()) co_await conn.send(data);
        co_await conn.shutdown_send();
    };
    const auto session = [&](tcp_stream conn) {
        return echo_over_tls(tls_stream(std::move(conn), context));
    };
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:7777"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    co_await serve(std::move(listener), session);
}

/// Sends `text` in one task and receives it in another, to the end that the server says.
task<> exchange(const tls_context& context, std::string_view text, tally& seen) {
    auto conn = co_await connect_tls("server", 7777, context);
    std::string got;
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto sends = [&]() -> task<> {
            co_await conn.send(text);
            co_await conn.shutdown_send();
        };
        group.spawn(sends);
        got = co_await receive_all(conn);
    });
    seen.answers += 1;
    seen.wrong += got != text;
}

task<> ask_tls(const tls_context& context, tally& seen) {
    while (seen.answers < 5) {
        const std::string text = pattern(1'000 + 7'000 * static_cast<std::size_t>(seen.answers));
        auto done = co_await as_result(with_timeout(30s, exchange(context, text, seen)));
        if (done) continue;
        seen.failures += 1;
        co_await sleep_for(100ms);
    }
}

std::uint64_t hash_of(std::uint64_t seed, tally& sum) {
    static const certificates made = [] { return certificates(); }();
    static const test_certificate named(for_names("server", "DNS:server"), &made.authority);
    const auto server = tls_context::server(named.chain_file, named.key_file);
    const auto client = tls_context::client(tls_contexts::trusting(made.authority));
    tally seen;
    sim::world world(seed);
    world.host("server", "10.0.0.1", [&] { return serve_tls(server); });
    world.client("client", "10.0.0.2", [&] { return ask_tls(client, seen); });
    world.run(36'000s);
    EXPECT_EQ(seen.answers, 5);
    sum.failures += seen.failures;
    sum.wrong += seen.wrong;
    return world.stats().trace_hash;
}

TEST(tls_simulated, answers_are_right_and_the_same_seed_is_the_same_run) {
    const std::uint64_t seeds = std::getenv("ANEL_LONG") ? 1'000 : 30;
    std::set<std::uint64_t> hashes;
    tally sum;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const std::uint64_t hash = hash_of(seed, sum);
        EXPECT_EQ(hash, hash_of(seed, sum)) << "seed " << seed;
        hashes.insert(hash);
    }
    EXPECT_EQ(sum.wrong, 0);
    EXPECT_GT(sum.failures, 0) << "nothing went wrong, so nothing was tried";
    EXPECT_EQ(hashes.size(), seeds);
}

}  // namespace
}  // namespace anel::test
