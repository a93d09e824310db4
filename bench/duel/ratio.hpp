// ratio.hpp: how many times as much one server needs as another, from pairs of slices, and how
// sure that is.
//
// The estimator of a duel. What one start of the servers says is one value: the median of its
// pairs. Starts are independent of each other, which pairs are not: a process keeps its memory
// layout for life, and a machine's state outlasts a slice. So the interval is Student's, over the
// values of the starts: the spread between starts is in it, and that of the pairs as far as it
// moves their medians. Drawing starts and then pairs anew (a bootstrap) holds the truth 93 to 99
// times of 100 with five starts, depending on which of the two spreads is larger.
// Pure functions: knows nothing of servers, clocks or text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "common/statistics.hpp"

namespace anel_bench {

struct ratio_estimate {
    double ratio = 0;        // the geometric mean of the starts' medians
    interval range;          // holds the true ratio 95 times of 100; nothing known below two starts
    std::size_t pairs = 0;   // of the starts that count
    std::size_t starts = 0;  // that count
    [[nodiscard]] bool known() const noexcept { return starts >= 2; }
    /// How far the interval reaches from the ratio, as a share of it; infinite when not known.
    [[nodiscard]] double reach() const;
};

/// Of fewer pairs the median is hardly better than a single one: such a start does not count.
inline constexpr std::size_t pairs_of_start_min = 3;

/// Why no further start was made: time was up, or the interval had become narrow enough.
enum class ended { in_time, narrow };

/// `starts`: the ratios of the pairs of each start, all above 0.
ratio_estimate ratio_of_starts(const std::vector<std::vector<double>>& starts, ended why);

}  // namespace anel_bench
