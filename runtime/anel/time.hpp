// time.hpp: the clock's types, and arithmetic on them that saturates instead of overflowing.
//
// There is no now() here on purpose: only a backend reads a clock, so that a simulated backend can
// run a program in virtual time.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace anel {

namespace detail {
/// The runtime's clock: monotonic, in nanoseconds. It is read through the loop.
struct loop_clock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<loop_clock>;
    static constexpr bool is_steady = true;
};
}  // namespace detail

using duration = detail::loop_clock::duration;
using time_point = detail::loop_clock::time_point;

/// A deadline that does not come.
inline constexpr time_point never = time_point::max();

/// Converts any duration to nanoseconds; what does not fit becomes the nearest bound.
/// A fraction of a nanosecond is rounded up: a wait may be late, never early.
template <class Rep, class Period>
constexpr duration saturate(std::chrono::duration<Rep, Period> value) noexcept {
    using wide = std::chrono::duration<long double, std::nano>;
    // Above 2^63 / 2 ns (146 years) the difference to "for ever" is of no use to anybody, and a
    // bound well inside the range keeps the comparison exact for every representation.
    constexpr auto bound = std::chrono::nanoseconds::max() / 2;
    const auto wanted = wide(value);
    if (!(wanted < wide(bound))) return duration::max();  // not a number: for ever, too
    if (wanted <= -wide(bound)) return duration::min();
    return std::chrono::ceil<duration>(value);
}

/// The moment `wait` after `start`; `never` when that is beyond the clock.
constexpr time_point after(time_point start, duration wait) noexcept {
    if (wait <= duration::zero()) return start;
    return start > never - wait ? never : start + wait;
}

}  // namespace anel
