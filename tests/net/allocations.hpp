// allocations.hpp: how often this program has allocated; echo_cost_test.cpp counts.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/sanitizer.hpp"

#include <cstdint>

namespace anel::test {

/// ThreadSanitizer brings operators that must not be replaced; with AddressSanitizer frames are not
/// recycled.
#ifdef ANEL_THREAD_SANITIZER
inline constexpr bool allocations_are_counted = false;
#else
inline constexpr bool allocations_are_counted = !detail::address_sanitizer;
#endif

std::uint64_t allocations_so_far() noexcept;

}  // namespace anel::test
