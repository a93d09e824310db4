// heap.hpp: what this program asks of the heap: how often, and how many bytes it holds.
//
// heap.cpp replaces the global operator new, so everything is seen: coroutine frames, handlers,
// recycled memory when it is first taken. Both libraries are counted with the same measure.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace anel_bench {

struct heap_totals {
    std::uint64_t allocations = 0;
    std::int64_t bytes_held = 0;  // as malloc(3) rounds them
};

/// Of all threads: calls of operator new since the program started, bytes not given back.
heap_totals heap_used() noexcept;

}  // namespace anel_bench
