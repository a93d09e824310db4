// histogram.hpp: a histogram of durations with log-linear buckets and a bounded relative error.
//
// Every power of two is cut into 128 buckets of equal width, so a bucket is never wider than 1/128
// of its lowest value, and values below 256 ns have a bucket each. Recording is a shift and an
// increment: no allocation, no floating point. Trivially copyable, so that one process can hand it
// to another through a pipe. Percentiles of several runs come from merging, never from averaging.
// It reads no clock and knows no units but nanoseconds.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace anel_bench {

class histogram {
public:
    using duration = std::chrono::nanoseconds;

    static constexpr unsigned precision_bits = 7;
    static constexpr std::uint64_t buckets_per_octave = std::uint64_t{1} << precision_bits;
    /// A percentile is never below the recorded value it stands for, and above it by at most this.
    static constexpr double relative_error_max = 1.0 / static_cast<double>(buckets_per_octave);

    /// Counts one value; a negative one counts as 0.
    void record(duration value) noexcept {
        const auto n = static_cast<std::uint64_t>(std::max<duration::rep>(value.count(), 0));
        ++buckets_[bucket_of(n)];
        ++count_;
        min_ = std::min(min_, n);
        max_ = std::max(max_, n);
    }

    /// Adds everything `other` has recorded, exactly as if it had been recorded here.
    void merge(const histogram& other) noexcept {
        for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
        count_ += other.count_;
        min_ = std::min(min_, other.min_);
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] duration min() const noexcept { return as_duration(count_ == 0 ? 0 : min_); }
    [[nodiscard]] duration max() const noexcept { return as_duration(max_); }

    /// Returns  the nearest-rank percentile: the smallest value with at least `percent` % of all
    ///          recorded values at or below it, within relative_error_max; 0 when there are none.
    [[nodiscard]] duration percentile(double percent) const noexcept {
        if (count_ == 0) return duration{0};
        // The subtrahend keeps 99.9 % of 1000 at rank 999: 99.9 has no exact binary form.
        const double exact = percent / 100.0 * static_cast<double>(count_);
        const auto rank = static_cast<std::uint64_t>(std::max(1.0, std::ceil(exact - 1e-6)));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            seen += buckets_[i];
            if (seen >= rank) return as_duration(std::clamp(highest_in(i), min_, max_));
        }
        return max();
    }

    /// Calls `visit(highest value, how many up to there)` for every bucket that is not empty.
    void for_each(const auto& visit) const {
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            if (buckets_[i] == 0) continue;
            seen += buckets_[i];
            visit(as_duration(std::clamp(highest_in(i), min_, max_)), seen);
        }
    }

    /// The bucket b a value is counted in: lowest_in(b) <= n <= highest_in(b).
    [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t n) noexcept {
        if (n < buckets_per_octave) return static_cast<std::size_t>(n);
        const auto shift = static_cast<unsigned>(std::bit_width(n)) - precision_bits - 1;
        return static_cast<std::size_t>(shift * buckets_per_octave + (n >> shift));
    }
    [[nodiscard]] static constexpr std::uint64_t lowest_in(std::size_t bucket) noexcept {
        if (bucket < 2 * buckets_per_octave) return bucket;
        const auto shift = bucket / buckets_per_octave - 1;
        return (bucket % buckets_per_octave + buckets_per_octave) << shift;
    }
    [[nodiscard]] static constexpr std::uint64_t highest_in(std::size_t bucket) noexcept {
        if (bucket < 2 * buckets_per_octave) return bucket;
        const auto shift = bucket / buckets_per_octave - 1;
        return lowest_in(bucket) + ((std::uint64_t{1} << shift) - 1);
    }
    static constexpr std::size_t bucket_count = (64 - precision_bits + 1) * buckets_per_octave;

private:
    static constexpr duration as_duration(std::uint64_t n) noexcept {
        return duration{static_cast<duration::rep>(n)};
    }

    std::array<std::uint64_t, bucket_count> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max_ = 0;
};

static_assert(std::is_trivially_copyable_v<histogram>);
static_assert(histogram::bucket_of(std::numeric_limits<std::uint64_t>::max()) ==
              histogram::bucket_count - 1);

}  // namespace anel_bench
