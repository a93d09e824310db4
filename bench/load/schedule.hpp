// schedule.hpp: when the requests of an open loop are due, whatever the server does.
//
// Evenly, or as independent arrivals (Poisson): exponential gaps. The seed is fixed: every server
// meets the same arrivals.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

namespace anel_bench {

class schedule {
public:
    using clock = std::chrono::steady_clock;

    /// So many that are due are started before answers are looked at: a rate that nobody can send
    /// must not keep the generator from coming to its end.
    static constexpr std::size_t at_once_max = 16;

    /// `rate` is per second and above 0.
    schedule(clock::time_point begins, double rate, bool random)
        : begins_(begins), gap_ns_(1e9 / rate), random_(random) {}

    /// When the next request is due.
    [[nodiscard]] clock::time_point due() const {
        return begins_ + std::chrono::nanoseconds(std::llround(at_ns_));
    }
    [[nodiscard]] bool is_behind(clock::time_point now) const { return due() <= now; }
    /// How many of those that advance() has not come to are due in [from, to); of random ones, on
    /// average.
    [[nodiscard]] std::uint64_t left_between(clock::time_point from, clock::time_point to) const {
        return left_before(to) - left_before(from);
    }
    void advance() { at_ns_ += random_ ? gap_ns_ * exponential_(source_) : gap_ns_; }

private:
    [[nodiscard]] std::uint64_t left_before(clock::time_point end) const {
        const auto time = std::chrono::duration<double, std::nano>(end - due()).count();
        return time <= 0 ? 0 : static_cast<std::uint64_t>(std::ceil(time / gap_ns_));
    }

    clock::time_point begins_;
    double gap_ns_;
    bool random_;
    double at_ns_ = 0;
    std::mt19937_64 source_{1};
    std::exponential_distribution<double> exponential_{1.0};
};

}  // namespace anel_bench
