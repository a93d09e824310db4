// statistics_test.cpp: medians, intervals, ties and arrivals, against what can be worked out.
// SPDX-License-Identifier: MIT
#include "common/statistics.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "load/schedule.hpp"

namespace anel_bench {
namespace {

TEST(median_interval, holds_the_true_median_about_as_often_as_it_says) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> noise(100, 5);
    int held = 0;
    constexpr int rounds = 200;
    for (int round = 0; round < rounds; ++round) {
        std::vector<double> values(15);
        for (double& value : values) value = noise(random);
        const interval range = median_interval(values);
        EXPECT_LE(range.low, median(values));
        EXPECT_GE(range.high, median(values));
        held += range.low <= 100 && range.high >= 100;
    }
    // 95 of 100 wanted; with so few values a bootstrap comes close, not exact.
    EXPECT_GE(held, rounds * 88 / 100);
    EXPECT_LT(held, rounds);
}

TEST(ratio_of_medians, tells_a_difference_from_none) {
    std::mt19937_64 random(5);
    std::normal_distribution<double> noise(1, 0.02);
    std::vector<double> base(11), same(11), double_of_it(11);
    for (std::size_t i = 0; i < base.size(); ++i) {
        base[i] = 100 * noise(random);
        same[i] = 100 * noise(random);
        double_of_it[i] = 200 * noise(random);
    }
    const interval none = ratio_of_medians(same, base);
    EXPECT_LE(none.low, 1);
    EXPECT_GE(none.high, 1);
    const interval clear = ratio_of_medians(double_of_it, base);
    EXPECT_GT(clear.low, 1.8);
    EXPECT_LT(clear.high, 2.2);
}

TEST(noise_floor, is_never_below_what_was_seen) {
    const std::vector<double> first{100, 101, 102, 103, 104};
    const std::vector<double> again{110, 111, 112, 113, 114};
    EXPECT_GE(noise_floor(first, again).value_or(0), 1 - 102.0 / 112);
    EXPECT_FALSE(noise_floor({1}, {1}));
}

TEST(schedule, even_arrivals_are_due_at_the_exact_rate) {
    const schedule::clock::time_point begins{};
    schedule due(begins, 3000, false);
    for (int i = 0; i < 3000 * 10; ++i) due.advance();
    EXPECT_EQ(due.due() - begins, std::chrono::seconds(10));
}

TEST(schedule, tells_what_was_due_and_never_come_to) {
    const schedule::clock::time_point begins{};
    schedule due(begins, 1000, false);
    const auto from = begins + std::chrono::milliseconds(100);
    const auto to = begins + std::chrono::milliseconds(350);
    EXPECT_EQ(due.left_between(from, to), 250U);
    for (int i = 0; i < 200; ++i) due.advance();
    EXPECT_EQ(due.left_between(from, to), 150U);
    EXPECT_TRUE(due.is_behind(to));
    for (int i = 0; i < 200; ++i) due.advance();
    EXPECT_EQ(due.left_between(from, to), 0U);
    EXPECT_FALSE(due.is_behind(to));
}

TEST(schedule, random_arrivals_have_the_rate_and_the_spread_of_poisson) {
    const schedule::clock::time_point begins{};
    schedule due(begins, 1000, true);
    constexpr int seconds = 200;
    std::vector<double> in_each(seconds, 0);
    for (;; due.advance()) {
        const auto at = static_cast<std::size_t>((due.due() - begins) / std::chrono::seconds(1));
        if (at >= in_each.size()) break;
        in_each[at] += 1;
    }
    double mean = 0, variance = 0;
    for (const double count : in_each) mean += count / seconds;
    for (const double count : in_each) variance += (count - mean) * (count - mean) / seconds;
    EXPECT_NEAR(mean, 1000, 10);       // 4 standard errors
    EXPECT_NEAR(variance, 1000, 400);  // of a Poisson count, the mean itself
}

}  // namespace
}  // namespace anel_bench
