// histogram_test.cpp: the log-linear histogram against sorting, on many kinds of values.
// SPDX-License-Identifier: MIT
#include "common/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace anel_bench {
namespace {

using values = std::vector<std::int64_t>;

/// Latencies of many shapes: few and many, small and huge, with ties and with outliers.
values some_values(std::mt19937_64& random) {
    const auto count = std::uniform_int_distribution<std::size_t>(1, 5000)(random);
    const double middle = std::uniform_real_distribution<double>(0, 30)(random);
    const double spread = std::uniform_real_distribution<double>(0, 6)(random);
    std::normal_distribution<double> exponent(middle, spread);
    values all(count);
    for (auto& value : all) {
        value = static_cast<std::int64_t>(std::exp2(std::clamp(exponent(random), 0.0, 60.0)));
    }
    return all;
}

/// The nearest-rank percentile, the definition itself.
std::int64_t exact_percentile(const values& sorted, double percent) {
    std::size_t rank = 0;
    while (100.0 * static_cast<double>(rank) <
           percent * static_cast<double>(sorted.size()) - 1e-4) {
        ++rank;
    }
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

std::unique_ptr<histogram> recorded(const values& all) {
    auto result = std::make_unique<histogram>();
    for (const auto value : all) result->record(std::chrono::nanoseconds(value));
    return result;
}

TEST(histogram, percentiles_are_those_of_sorting_within_the_stated_error) {
    std::mt19937_64 random(20240229);
    for (int round = 0; round < 300; ++round) {
        values all = some_values(random);
        const auto counted = recorded(all);
        std::sort(all.begin(), all.end());
        EXPECT_EQ(counted->count(), all.size());
        EXPECT_EQ(counted->min().count(), all.front());
        EXPECT_EQ(counted->max().count(), all.back());
        for (const double percent : {0.0, 1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
            const auto exact = exact_percentile(all, percent);
            const auto told = counted->percentile(percent).count();
            ASSERT_GE(told, exact) << percent << " % in round " << round;
            ASSERT_LE(static_cast<double>(told - exact),
                      histogram::relative_error_max * static_cast<double>(exact))
                << percent << " % in round " << round;
        }
    }
}

TEST(histogram, merging_is_recording_everything_in_one) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 50; ++round) {
        values first = some_values(random);
        const values second = some_values(random);
        const auto merged = recorded(first);
        merged->merge(*recorded(second));
        first.insert(first.end(), second.begin(), second.end());
        const auto whole = recorded(first);
        for (const double percent : {0.0, 50.0, 99.0, 100.0}) {
            EXPECT_EQ(merged->percentile(percent), whole->percentile(percent));
        }
    }
}

TEST(histogram, visits_every_value_in_order_up_to_the_last) {
    std::mt19937_64 random(9);
    const auto counted = recorded(some_values(random));
    std::chrono::nanoseconds before{-1};
    std::uint64_t seen = 0;
    counted->for_each([&](std::chrono::nanoseconds highest, std::uint64_t so_far) {
        EXPECT_GT(highest, before);
        EXPECT_GT(so_far, seen);
        before = highest;
        seen = so_far;
    });
    EXPECT_EQ(seen, counted->count());
    EXPECT_EQ(before, counted->max());
}

TEST(histogram, every_bucket_holds_what_it_says) {
    for (std::size_t bucket = 0; bucket < histogram::bucket_count; ++bucket) {
        EXPECT_EQ(histogram::bucket_of(histogram::lowest_in(bucket)), bucket);
        EXPECT_EQ(histogram::bucket_of(histogram::highest_in(bucket)), bucket);
    }
}

}  // namespace
}  // namespace anel_bench
