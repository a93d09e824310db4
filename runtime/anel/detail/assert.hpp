// assert.hpp: checks for bugs that stay on in Release and abort: ANEL_ASSERT for those of the
// library, rule_broken() for a rule of the library that the program around it broke.
//
// For what only a bug can cause; never for what a peer, a user's input or the kernel can do.
// SPDX-License-Identifier: MIT
#pragma once

namespace anel::detail {
struct frame;

/// Writes the failed condition to standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

/// Writes which rule the program broke, the place in it where a coroutine is (`here`) and where the
/// other one waits that it has to do with; each of the two may be null. Lists the tasks. Aborts.
[[noreturn]] void rule_broken(const char* rule, const frame* here,
                              const frame* other = nullptr) noexcept;

/// For a call that worked, is refused from now on, and without which the program cannot go on: a
/// filter was installed in the running process, say. Writes which call and why, and aborts.
[[noreturn]] void system_refused(const char* call, int error) noexcept;
}  // namespace anel::detail

#define ANEL_ASSERT(condition)                                                                     \
    ((condition) ? void(0) : ::anel::detail::assertion_failed(#condition, __FILE__, __LINE__))
