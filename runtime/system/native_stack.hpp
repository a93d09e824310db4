// native_stack.hpp: the calls of a thread, where the C library can tell them.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

namespace anel::detail {

/// The return addresses of the calling thread, the innermost first. Returns how many; 0 where they
/// are not known. Callable in a signal handler once it was called outside of one.
int native_stack(std::span<void*> into) noexcept;

/// Appends a line for each: `  PROGRAM(FUNCTION+0x1f) [0x55d0c3a1]`.
void append_native_stack(std::string& text, std::span<void* const> addresses);

}  // namespace anel::detail
