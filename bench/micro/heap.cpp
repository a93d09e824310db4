// heap.cpp: operator new and delete of the whole program, with two counters.
//
// See heap.hpp. Relaxed atomics: one of the benchmarks has a second thread.
// SPDX-License-Identifier: MIT
#include "heap.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::uint64_t> allocations{0};
std::atomic<std::int64_t> bytes_held{0};

void* counted(void* memory) {
    if (!memory) throw std::bad_alloc();
    allocations.fetch_add(1, std::memory_order_relaxed);
    bytes_held.fetch_add(static_cast<std::int64_t>(malloc_usable_size(memory)),
                         std::memory_order_relaxed);
    return memory;
}

void give_back(void* memory) noexcept {
    bytes_held.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(memory)),
                         std::memory_order_relaxed);
    std::free(memory);
}

}  // namespace

anel_bench::heap_totals anel_bench::heap_used() noexcept {
    return {allocations.load(std::memory_order_relaxed),
            bytes_held.load(std::memory_order_relaxed)};
}

// Not inlined, or g++ takes the free() inside for one that does not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    return counted(std::malloc(bytes > 0 ? bytes : 1));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
    const auto boundary = static_cast<std::size_t>(alignment);
    return counted(std::aligned_alloc(boundary, (bytes + boundary - 1) / boundary * boundary));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { give_back(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
    give_back(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    give_back(memory);
}
