// byte_memory.hpp: memory for the bytes of a connection, from the loop that runs on this thread.
//
// The heap would give it back to the system when all connections have sent what they have, and ask
// for it again a turn later: two page faults for each 16 KiB over TLS.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace anel::detail {

/// At least `size` bytes, uninitialised.
/// Errors  std::bad_alloc.
/// Cost    a load where the loop has kept some: it keeps 2 MiB in all, in pieces of up to 80 KiB.
[[nodiscard]] std::byte* take_byte_memory(std::size_t size);
/// In any thread. Null is nothing.
void give_back_byte_memory(std::byte* bytes) noexcept;

}  // namespace anel::detail
