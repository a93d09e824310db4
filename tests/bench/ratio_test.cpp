// ratio_test.cpp: how often the interval of a duel holds the truth, on machines made up for it.
// SPDX-License-Identifier: MIT
#include "duel/ratio.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "duel/rounds.hpp"

namespace anel_bench {
namespace {

constexpr double truth = 0.97;  // what B needs of A
constexpr std::size_t rounds = 10;
constexpr int trials = 2000;

/// Made from the generator's bits alone: the same on every standard library.
class chance {
public:
    explicit chance(std::uint64_t seed) : bits_(seed) {}
    double uniform() { return (static_cast<double>(bits_() >> 11) + 0.5) * 0x1p-53; }
    bool happens(double share) { return uniform() < share; }
    double normal() {
        const double length = std::sqrt(-2 * std::log(uniform()));
        return length * std::cos(2 * std::numbers::pi * uniform());
    }
    /// Student's with two degrees of freedom: its variance is infinite.
    double heavy() {
        const double u = uniform();
        return (2 * u - 1) / std::sqrt(2 * u * (1 - u));
    }

private:
    std::mt19937_64 bits_;
};

/// What a request costs, as a logarithm, on top of the server's own.
struct machine {
    std::function<double(chance&)> of_process;          // drawn once in the life of a server
    std::function<void(chance&, double& state)> drift;  // from slice to slice, whoever is asked
    std::function<double(chance&)> of_slice;
};

std::vector<double> one_start(const machine& with, chance& luck) {
    std::array<double, duelists> layout{};
    for (double& one : layout) one = with.of_process(luck);
    double state = 0;
    std::vector<double> pairs;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::array<std::size_t, duelists> order{duelist_a, duelist_b, duelist_again};
        for (std::size_t i = order.size() - 1; i > 0; --i) {
            std::swap(order[i],
                      order[static_cast<std::size_t>(luck.uniform() * static_cast<double>(i + 1))]);
        }
        std::array<double, duelists> cost{};
        for (const std::size_t who : order) {
            with.drift(luck, state);
            cost[who] = layout[who] + state + with.of_slice(luck);
        }
        pairs.push_back(truth * std::exp(cost[duelist_b] - cost[duelist_a]));
    }
    return pairs;
}

struct plan {
    const char* name;
    std::size_t starts_min, starts_max;
    friend void PrintTo(const plan& one, std::ostream* out) { *out << one.name; }
};

/// The share of duels whose interval holds the truth: of as many starts as it takes until the
/// interval reaches 2 % to each side.
double coverage(const machine& with, const plan& of) {
    constexpr double within = 0.02;
    chance luck(7);
    int held = 0;
    for (int trial = 0; trial < trials; ++trial) {
        std::vector<std::vector<double>> starts;
        ratio_estimate found;
        while (starts.size() < of.starts_max) {
            starts.push_back(one_start(with, luck));
            if (starts.size() < of.starts_min) continue;
            found = ratio_of_starts(starts, ended::narrow);
            if (of.starts_min < of.starts_max && found.reach() <= within) break;
            found = ratio_of_starts(starts, ended::in_time);
        }
        held += found.range.low <= truth && truth <= found.range.high;
    }
    return static_cast<double>(held) / trials;
}

double nothing(chance&) { return 0; }
void stays(chance&, double&) {}

struct named_machine {
    const char* name;
    machine how;
    friend void PrintTo(const named_machine& one, std::ostream* out) { *out << one.name; }
};

std::vector<named_machine> machines() {
    const auto noise = [](double size) {
        return [size](chance& luck) { return size * luck.normal(); };
    };
    return {
        {"noise_alone", {nothing, stays, noise(0.1)}},
        {"random_walk",
         {nothing, [](chance& luck, double& state) { state += 0.05 * luck.normal(); },
          noise(0.02)}},
        {"steps",
         {nothing,
          [](chance& luck, double& state) {
              if (luck.happens(0.1)) state = 0.25 * luck.normal();
          },
          noise(0.03)}},
        {"slices_of_two_kinds",
         {nothing, stays,
          [](chance& luck) {
              const double kind = luck.happens(0.3) ? 0.25 : 0;
              return kind + 0.03 * luck.normal();
          }}},
        {"heavy_tails", {nothing, stays, [](chance& luck) { return 0.05 * luck.heavy(); }}},
        {"slices_that_only_lose",
         {nothing, stays, [](chance& luck) { return -0.1 * std::log(luck.uniform()); }}},
        {"layouts", {noise(0.02), stays, noise(0.05)}},
        {"layouts_alone", {noise(0.03), stays, noise(0.002)}},
        {"layouts_of_two_kinds",
         {[](chance& luck) { return luck.happens(0.5) ? 0.04 : 0; }, stays, noise(0.05)}},
        {"everything",
         {noise(0.01),
          [](chance& luck, double& state) {
              state += 0.03 * luck.normal();
              if (luck.happens(0.05)) state = 0.25 * luck.normal();
          },
          [](chance& luck) {
              const double kind = luck.happens(0.2) ? 0.2 : 0;
              return kind + 0.02 * luck.heavy();
          }}},
    };
}

class duel_interval : public testing::TestWithParam<std::tuple<plan, named_machine>> {};

TEST_P(duel_interval, holds_the_truth_as_often_as_it_says) {
    const auto& [of, on] = GetParam();
    const double share = coverage(on.how, of);
    RecordProperty("coverage", std::to_string(share));
    EXPECT_GE(share, 0.93);
    EXPECT_LE(share, 0.97);
}

INSTANTIATE_TEST_SUITE_P(duel, duel_interval,
                         testing::Combine(testing::Values(plan{"of_five_starts", 5, 5},
                                                          plan{"of_twelve_starts", 12, 12},
                                                          plan{"until_narrow", 5, 30}),
                                          testing::ValuesIn(machines())),
                         [](const auto& given) {
                             return std::string(std::get<0>(given.param).name) + "_on_" +
                                    std::get<1>(given.param).name;
                         });

TEST(ratio_of_starts, says_the_same_from_either_side) {
    const std::vector<std::vector<double>> starts{{0.5, 0.4, 0.6}, {0.55, 0.5, 0.6}};
    auto turned = starts;
    for (auto& start : turned) {
        for (double& pair : start) pair = 1 / pair;
    }
    const ratio_estimate one = ratio_of_starts(starts, ended::in_time),
                         other = ratio_of_starts(turned, ended::in_time);
    EXPECT_NEAR(one.ratio * other.ratio, 1, 1e-12);
    EXPECT_NEAR(one.range.low * other.range.high, 1, 1e-12);
}

TEST(ratio_of_starts, knows_nothing_of_a_single_start) {
    const ratio_estimate one = ratio_of_starts({{1, 1, 1}, {1, 1}}, ended::in_time);
    EXPECT_EQ(one.starts, 1U);
    EXPECT_FALSE(one.known());
    EXPECT_TRUE(std::isinf(one.reach()));
    EXPECT_FALSE(ratio_of_starts({}, ended::in_time).known());
}

/// Rounds in which B needs twice of A.
std::vector<duel_start> quiet_starts() {
    const duel_slice slice{.cpu_ns = 100, .rate = 1000, .waited = 0.01, .p99_ns = 5000};
    meeting twice{slice, slice};
    twice.own.cpu_ns = 200;
    duel_start start(duelists);
    start[duelist_b].assign(5, twice);
    start[duelist_again].assign(5, {slice, slice});
    return {start, start};
}

duel_figures against_a(const std::vector<duel_start>& starts, std::size_t who) {
    return figures_of(starts, who, duelist_a, ended::in_time);
}

TEST(duel_figures, drop_a_pair_whole_and_count_it) {
    auto starts = quiet_starts();
    EXPECT_EQ(against_a(starts, duelist_b).dropped, 0U);
    starts[0][duelist_b][0].own.waited = 0.5;
    starts[0][duelist_b][1].reference.rate = 400;
    starts[1][duelist_b][0].own.cpu_ns = 0;
    starts[1][duelist_b][1].own.unsent = true;
    const duel_figures b = against_a(starts, duelist_b);
    EXPECT_EQ(b.dropped, 4U);
    EXPECT_EQ(b.cpu.pairs, 6U);
    EXPECT_NEAR(b.cpu.ratio, 2, 1e-9);
    EXPECT_EQ(against_a(starts, duelist_again).dropped, 0U);
}

TEST(duel_figures, keep_what_is_usual_on_a_busy_machine) {
    auto starts = quiet_starts();
    for (auto& start : starts) {
        for (auto& server : start) {
            for (meeting& one : server) one.own.waited = one.reference.waited = 0.4;
        }
    }
    starts[0][duelist_b][0].reference.waited = 0.7;
    EXPECT_EQ(against_a(starts, duelist_b).dropped, 0U);
    starts[0][duelist_b][0].reference.waited = 0.85;
    EXPECT_EQ(against_a(starts, duelist_b).dropped, 1U);
    // Each by its own usual: a server of many threads waits for itself.
    for (auto& start : starts) {
        for (meeting& one : start[duelist_b]) one.own.waited = 20;
    }
    EXPECT_EQ(against_a(starts, duelist_b).dropped, 1U);
}

TEST(duel_figures, compare_two_by_way_of_the_reference) {
    auto starts = quiet_starts();
    for (auto& start : starts) {
        for (meeting& one : start[duelist_again]) one.own.cpu_ns = 50;
        // A machine that was three times as slow in a round was so for all who met in it.
        for (duel_slice* slice : {&start[duelist_b][2].own, &start[duelist_b][2].reference}) {
            slice->cpu_ns *= 3;
        }
    }
    const auto found = figures_of(starts, duelist_again, duelist_b, ended::in_time);
    EXPECT_NEAR(found.cpu.ratio, 0.25, 1e-9);
    EXPECT_NEAR(found.cpu.reach(), 0, 1e-9);
    EXPECT_NEAR(figures_of(starts, duelist_a, duelist_b, ended::in_time).cpu.ratio, 0.5, 1e-9);
    starts[0][duelist_b][0].own.unsent = true;
    starts[0][duelist_again][0].own.unsent = true;
    starts[1][duelist_again][0].own.unsent = true;
    EXPECT_EQ(figures_of(starts, duelist_again, duelist_b, ended::in_time).dropped, 2U);
}

TEST(duel_figures, say_nothing_of_a_start_in_which_one_took_no_part) {
    auto starts = quiet_starts();
    starts[1][duelist_b].clear();
    EXPECT_EQ(against_a(starts, duelist_b).cpu.starts, 1U);
    EXPECT_EQ(figures_of(starts, duelist_again, duelist_b, ended::in_time).cpu.starts, 1U);
    EXPECT_EQ(against_a(starts, duelist_again).cpu.starts, 2U);
}

}  // namespace
}  // namespace anel_bench
