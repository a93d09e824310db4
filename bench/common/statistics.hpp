// statistics.hpp: medians, their spread, and how large a difference has to be to mean anything.
//
// Pure functions over the figures of a few runs. Assumes no distribution.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

namespace anel_bench {

/// The middle value, or the mean of the two in the middle; 0 of none.
double median(std::vector<double> values);

struct interval {
    double low = 0;
    double high = 0;
};

/// Where the median would come out, 95 times of 100, had it been measured again: a bootstrap, which
/// draws as many values from `values`, with repetition, a few thousand times. The same figures give
/// the same interval.
interval median_interval(const std::vector<double>& values);

/// The same for the median of `above` divided by that of `below`.
interval ratio_of_medians(const std::vector<double>& above, const std::vector<double>& below);

/// Half the distance between the largest and the smallest value, divided by the median.
double half_range(const std::vector<double>& values);

/// How far apart two medians of the *same* server come out by chance: all runs of the reference
/// server, measured twice as if it were two, are put in one heap and divided into two equal halves
/// in every possible way (at random above 16 runs); 95 % of the divisions give medians whose ratio
/// differs from 1 by at most the value returned.
/// Never less than the difference between the two groups as they were measured; nothing when there
/// are fewer than two runs in either, because then chance has had no chance to show.
std::optional<double> noise_floor(const std::vector<double>& first,
                                  const std::vector<double>& again);

}  // namespace anel_bench
