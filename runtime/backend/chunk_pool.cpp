// chunk_pool.cpp: the stack of free chunks.
// SPDX-License-Identifier: MIT
#include "runtime/backend/chunk_pool.hpp"

#include "runtime/system/sanitizer.hpp"

#include <anel/detail/assert.hpp>

#include <sys/mman.h>

#include <new>

namespace anel::detail {
namespace {

#ifdef MAP_NORESERVE
constexpr int reserve_only = MAP_NORESERVE;
#else
constexpr int reserve_only = 0;
#endif

}  // namespace

chunk_pool::chunk_pool(backend_counters& counts) : counts_(counts) {
    free_.reserve(chunks_max);
    void* memory = ::mmap(nullptr, chunks_max * stride, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | reserve_only, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    storage_ = static_cast<std::byte*>(memory);
}

chunk_pool::~chunk_pool() {
    unpoison(storage_, reached() * stride);
    ::munmap(storage_, chunks_max * stride);
}

std::byte* chunk_pool::take() noexcept {
    if (!any_free()) return nullptr;
    unsigned index = made_;
    if (free_.empty()) {
        made_ += 1;
        counts_.chunks_max += 1;  // what came back last is lent first
        // The next one, too, for who writes past the end. All at once would be 32 MiB of shadow.
        poison(at(index), (reached() - index) * stride);
    } else {
        index = free_.back();
        free_.pop_back();
    }
    counts_.chunks += 1;
    unpoison(at(index), chunk_bytes);
    return at(index);
}

void chunk_pool::give_back(const void* memory) noexcept {
    const unsigned index = index_of(memory);
    ANEL_ASSERT(index < made_);
    ANEL_ASSERT(free_.size() < made_);
    counts_.chunks -= 1;
    poison(at(index), chunk_bytes);
    free_.push_back(static_cast<std::uint16_t>(index));
}

}  // namespace anel::detail
