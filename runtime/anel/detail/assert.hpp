// assert.hpp: ANEL_ASSERT, a check for bugs that stays on in Release and aborts.
//
// For what only a bug can cause; never for what a peer, a user's input or the kernel can do.
// SPDX-License-Identifier: MIT
#pragma once

namespace anel::detail {
/// Writes the failed condition to standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

/// For a call that worked, is refused from now on, and without which the program cannot go on: a
/// filter was installed in the running process, say. Writes which call and why, and aborts.
[[noreturn]] void system_refused(const char* call, int error) noexcept;
}  // namespace anel::detail

#define ANEL_ASSERT(condition)                                                                     \
    ((condition) ? void(0) : ::anel::detail::assertion_failed(#condition, __FILE__, __LINE__))
