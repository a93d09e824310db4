// batch_test.cpp: many seeds in child processes: every outcome comes back, also of those that die.
// SPDX-License-Identifier: MIT
#include "tests/support/sim_programs.hpp"

#include "net/sim/random.hpp"
#include "net/sim/seed_runner.hpp"

#include <cstdlib>
#include <stdexcept>

namespace anel::test {
namespace {

sim::batch_result run(void (*what)(sim::world&), std::uint64_t count, unsigned patience = 60) {
    sim::batch_options how;
    how.count = count;
    how.jobs = 3;
    how.patience = patience;
    return sim::run_batch(sim::scenario("test", what), how, [](std::uint64_t) {});
}

void echoes(sim::world& world) {
    world.host("server", "10.0.0.1", echo_server);
    bool answered = false;
    world.client("client", "10.0.0.2", [&] { return ask_patiently("server", answered, 3); });
    world.run(10min);
    world.always(answered, "the client is answered");
    world.sometimes(world.now() > 1s, "it takes long");
}

TEST(sim_batch, every_seed_has_an_outcome) {
    const sim::batch_result result = run(echoes, 100);
    EXPECT_FALSE(result.stopped);
    std::set<std::uint64_t> seeds;
    for (const sim::outcome& each : result.outcomes) {
        EXPECT_FALSE(each.failed) << each.text;
        EXPECT_GT(each.events, 10U);
        EXPECT_GT(each.operations, 10U);
        seeds.insert(each.seed);
    }
    EXPECT_EQ(seeds.size(), 100U);
    ASSERT_EQ(result.sometimes.count("it takes long"), 1U);
    EXPECT_TRUE(result.sometimes.at("it takes long"));
}

TEST(sim_batch, stops_at_the_seed_that_fails) {
    const auto fails_at_40 = [](sim::world& world) {
        if (world.seed() == 40) throw std::runtime_error("two\nlines");
    };
    const sim::batch_result result = run(fails_at_40, 10'000);
    ASSERT_TRUE(result.stopped);
    EXPECT_EQ(result.outcomes.back().seed, 40U);
    EXPECT_EQ(result.outcomes.back().text, "two\nlines");
    EXPECT_LT(result.outcomes.size(), 5000U);
}

TEST(sim_batch, names_the_seed_at_which_a_process_dies) {
    const auto dies_at_5 = [](sim::world& world) {
        if (world.seed() == 5) std::_Exit(9);
    };
    const sim::batch_result result = run(dies_at_5, 64);
    ASSERT_TRUE(result.stopped);
    EXPECT_EQ(result.outcomes.back().seed, 5U);
    EXPECT_EQ(result.outcomes.back().text, "the process was exit code 9");
}

TEST(sim_batch, names_the_seed_that_does_not_end) {
    const auto hangs_at_3 = [](sim::world& world) {
        volatile bool for_ever = world.seed() == 3;
        while (for_ever) continue;
    };
    const sim::batch_result result = run(hangs_at_3, 64, 1);
    ASSERT_TRUE(result.stopped);
    EXPECT_EQ(result.outcomes.back().seed, 3U);
    EXPECT_NE(result.outcomes.back().text.find("killed by signal 14"), std::string::npos);
}

TEST(sim_batch, a_trace_is_the_same_in_another_process) {
    const sim::scenario what("test", echoes);
    const auto first = sim::trace_of(what, 7, 60);
    EXPECT_GT(first.size(), 20U);
    EXPECT_EQ(first, sim::trace_of(what, 7, 60));
    EXPECT_NE(first, sim::trace_of(what, 8, 60));
}

// Reference values of splitmix64, which seeds everything else.
TEST(sim_random, is_the_same_everywhere) {
    EXPECT_EQ(sim::mixed(0), 0xe220a8397b1dcdaf);
    sim::random_stream one(1, 1);
    sim::random_stream same(1, 1);
    sim::random_stream other(1, 2);
    EXPECT_EQ(one.next(), same.next());
    EXPECT_NE(one.next(), other.next());
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LT(one.below(7), 7);
        same = one;
        EXPECT_EQ(one.below(1'000'000U), same.below(std::uint64_t{1'000'000}));
        const std::uint64_t size = one.any_magnitude(1000U);
        EXPECT_GE(size, 1U);
        EXPECT_LE(size, 1000U);
        EXPECT_FALSE(one.chance(0));
        EXPECT_TRUE(one.chance(1'000'000));
    }
}

}  // namespace
}  // namespace anel::test
