// statistics.cpp: medians, their spread, and how large a difference has to be to mean anything.
//
// See statistics.hpp.
//
// SPDX-License-Identifier: MIT
#include "common/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>

namespace anel_bench {
namespace {

// More runs than this have too many divisions to try them all: C(16, 8) is 12,870.
constexpr std::size_t exhaustive_max = 16;
constexpr int random_divisions = 10'000;
constexpr std::size_t resamples = 4'000;

double difference(const std::vector<double>& first, const std::vector<double>& second) {
    return std::abs(median(first) / median(second) - 1);
}

/// A median of as many values, drawn with repetition.
double resampled_median(const std::vector<double>& values, std::mt19937_64& random) {
    std::uniform_int_distribution<std::size_t> any(0, values.size() - 1);
    std::vector<double> drawn(values.size());
    for (double& value : drawn) value = values[any(random)];
    return median(std::move(drawn));
}

interval middle_95_percent(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
    };
    return {at(0.025), at(0.975)};
}

}  // namespace

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 == 1) return values[middle];
    return (values[middle - 1] + values[middle]) / 2;
}

interval median_interval(const std::vector<double>& values) {
    if (values.empty()) return {};
    std::mt19937_64 random(1);
    std::vector<double> medians(resamples);
    for (double& one : medians) one = resampled_median(values, random);
    return middle_95_percent(std::move(medians));
}

interval ratio_of_medians(const std::vector<double>& above, const std::vector<double>& below) {
    if (above.empty() || below.empty()) return {};
    std::mt19937_64 random(1);
    std::vector<double> ratios(resamples);
    for (double& ratio : ratios) {
        ratio = resampled_median(above, random);
        ratio /= resampled_median(below, random);
    }
    return middle_95_percent(std::move(ratios));
}

double half_range(const std::vector<double>& values) {
    if (values.empty()) return 0;
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    return (*highest - *lowest) / 2 / median(values);
}

std::optional<double> noise_floor(const std::vector<double>& first,
                                  const std::vector<double>& again) {
    if (first.size() < 2 || again.size() < 2) return {};
    std::vector<double> heap = first;
    heap.insert(heap.end(), again.begin(), again.end());
    const std::size_t half = heap.size() / 2;
    std::vector<double> differences;
    if (heap.size() <= exhaustive_max) {
        for (std::uint32_t set = 0; set < (std::uint32_t{1} << heap.size()); ++set) {
            if (static_cast<std::size_t>(std::popcount(set)) != half) continue;
            std::vector<double> in;
            std::vector<double> out;
            for (std::size_t i = 0; i < heap.size(); ++i) {
                ((set >> i & 1U) != 0 ? in : out).push_back(heap[i]);
            }
            differences.push_back(difference(in, out));
        }
    } else {
        std::mt19937_64 random(1);  // fixed: the same figures give the same floor
        for (int i = 0; i < random_divisions; ++i) {
            std::shuffle(heap.begin(), heap.end(), random);
            const auto middle = heap.begin() + static_cast<std::ptrdiff_t>(half);
            differences.push_back(difference({heap.begin(), middle}, {middle, heap.end()}));
        }
    }
    std::sort(differences.begin(), differences.end());
    const auto rank = static_cast<double>(differences.size() - 1) * 0.95;
    const double chance = differences[static_cast<std::size_t>(std::ceil(rank))];
    return std::max(chance, difference(first, again));
}

}  // namespace anel_bench
