// ratio.cpp: how many times as much one server needs as another, from pairs of slices.
//
// See ratio.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/ratio.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace anel_bench {
namespace {

/// Student's t, two-sided 95 %, for 1, 2, … degrees of freedom.
constexpr std::array students_t{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                2.306,  2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
                                2.131,  2.120, 2.110, 2.101, 2.093, 2.086};

// Whoever goes on until the interval is narrow stops where the spread came out small by chance:
// with t alone 92 of 100 such intervals hold the truth, with this 94 to 95 (ratio_test.cpp).
constexpr double for_stopping = 1.12;
constexpr std::size_t starts_of_first_look = 5;

double quantile(std::size_t degrees) {
    if (degrees <= students_t.size()) return students_t[degrees - 1];
    // The first terms of Fisher's expansion around the normal distribution: right to 0.01 here.
    constexpr double z = 1.959964;
    return z + (z * z * z + z) / (4 * static_cast<double>(degrees));
}

}  // namespace

double ratio_estimate::reach() const {
    if (!known()) return std::numeric_limits<double>::infinity();
    return range.high / ratio - 1;
}

ratio_estimate ratio_of_starts(const std::vector<std::vector<double>>& starts, ended why) {
    // Logarithms, so that B against A says the same as A against B.
    std::vector<double> values;
    ratio_estimate all;
    for (const std::vector<double>& pairs : starts) {
        if (pairs.size() < pairs_of_start_min) continue;
        std::vector<double> logs;
        for (const double pair : pairs) logs.push_back(std::log(pair));
        values.push_back(median(std::move(logs)));
        all.pairs += pairs.size();
    }
    all.starts = values.size();
    if (values.empty()) return all;
    const auto count = static_cast<double>(values.size());
    double mean = 0, squares = 0;
    for (const double value : values) mean += value / count;
    for (const double value : values) squares += (value - mean) * (value - mean);
    all.ratio = std::exp(mean);
    if (!all.known()) return all;
    const double error = std::sqrt(squares / (count - 1) / count);
    const bool looked_before = why == ended::narrow && values.size() > starts_of_first_look;
    const double wider = looked_before ? for_stopping : 1;
    const double half = wider * quantile(values.size() - 1) * error;
    all.range = {std::exp(mean - half), std::exp(mean + half)};
    return all;
}

}  // namespace anel_bench
