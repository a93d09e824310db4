// frame.hpp: what every coroutine of the library knows about itself.
//
// The base of every promise: who awaits this coroutine, from where, and in which scope. With it the
// loop can print the tree of tasks, and a child finds the loop without a global or a parameter.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace anel::detail {

class cancel_scope;

struct frame {
    frame* awaiter = nullptr;       ///< the coroutine that awaits this one; null at a root
    cancel_scope* scope = nullptr;  ///< set when the coroutine is started
    const char* file = nullptr;     ///< where this coroutine waits now
    // 64 bits: beside 32 compilers zero these fields with stores that overlap, and the load of
    // `scope` that follows has to wait for them (6 ns an await).
    std::uint64_t line = 0;

    frame() = default;
    frame(const frame&) = delete;
    frame& operator=(const frame&) = delete;

    // Frames are recycled by size class in a pool of the running loop: see frame_pool.cpp.
    static void* operator new(std::size_t bytes);
    static void operator delete(void* memory, std::size_t bytes) noexcept;
};

/// Whether the loop finds the coroutine of a promise by the address of its frame. Compilers put
/// every promise behind two pointers unless it must be aligned to more than those. A handle in the
/// frame would be one more of the loads that wait for one another from await to await (2 of 20 ns).
template <class Promise>
inline constexpr bool fits_a_frame = alignof(Promise) <= 2 * sizeof(void*);

}  // namespace anel::detail
