// operation_memory.hpp: the memory of an operation, for a build that can tell whether it was freed.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>

namespace anel::detail {

/// Whether nothing that `op` lends to the kernel has been freed, as far as AddressSanitizer knows.
bool memory_is_good(const operation& op) noexcept;

}  // namespace anel::detail
