// allocations.hpp: the allocations of this program, counted, and one of them made to fail.
//
// Knows: nothing of the library. Only the thread that asks is watched: a helper thread's allocation
// at an unlucky moment would make a failure that nobody can repeat.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/sanitizer.hpp"

#include <cstdint>

namespace anel::test {

/// ThreadSanitizer brings operators that must not be replaced.
#ifdef ANEL_THREAD_SANITIZER
inline constexpr bool allocations_are_seen = false;
#else
inline constexpr bool allocations_are_seen = true;
#endif

/// Makes the `which`-th allocation of this thread from now on throw std::bad_alloc; 0: none.
void fail_allocation(std::uint64_t which) noexcept;
/// No allocation fails any more. Returns whether one did.
bool stop_failing_allocations() noexcept;
/// Blocks of memory that were allocated and not given back, by any thread.
std::int64_t allocations_alive() noexcept;

}  // namespace anel::test
