// random.hpp: the one source of chance in a simulated run: xoshiro256**, integers only.
//
// The same seed gives the same numbers with every compiler and library: nothing of <random>, no
// floating point. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators".
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>
#include <anel/time.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace anel::sim {

/// One step of splitmix64: turns any number into one whose bits look random.
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

class random_stream {
public:
    /// Streams with the same seed and different purposes have nothing in common, so that a draw
    /// more for one purpose does not change the others.
    constexpr random_stream(std::uint64_t seed, std::uint64_t purpose) noexcept {
        std::uint64_t value = mixed(seed ^ mixed(purpose));
        for (std::uint64_t& word : state_) word = value = mixed(value);
    }

    constexpr std::uint64_t next() noexcept {
        const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    /// 0 .. bound - 1. The bias of a remainder is below 2^-20 for every bound used here.
    template <std::integral T>
    constexpr T below(T bound) noexcept {
        ANEL_ASSERT(bound > 0);
        return static_cast<T>(next() % static_cast<std::uint64_t>(bound));
    }
    /// low .. high.
    template <std::integral T>
    constexpr T between(std::type_identity_t<T> low, T high) noexcept {
        return static_cast<T>(low + below(high - low + 1));
    }
    constexpr duration between(duration low, duration high) noexcept {
        const auto width = static_cast<std::uint64_t>((high - low).count());
        return low + duration(static_cast<std::int64_t>(below(width + 1)));
    }
    /// True `in_a_million` times in a million.
    constexpr bool chance(std::uint32_t in_a_million) noexcept {
        return in_a_million > 0 && below(1'000'000U) < in_a_million;
    }
    /// 1 .. high, small values as often as large ones: each power of two has the same share.
    template <std::unsigned_integral T>
    constexpr T any_magnitude(T high) noexcept {
        const T top = T{1} << below(std::bit_width(high));
        const T value = top + below(top);
        return value > high ? high : value;
    }

private:
    std::uint64_t state_[4]{};
};

}  // namespace anel::sim
