// chunk_pool.hpp: the memory that a loop lends for what it receives: large chunks, few of them hot.
//
// A chunk is lent from the arrival of bytes until the program has used them, so as many are in use
// as one turn of the loop receives, and those that were used last are used next: cold memory costs
// more than anything else about a buffer. The address space is reserved at once, memory comes with
// the first use. A chunk begins one cache line further than the one before: memory at multiples of
// a page shares a few sets of the cache.
//
// Knows: memory. Must not know: descriptors, operations.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/backend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace anel::detail {

class chunk_pool {
public:
    /// A receive that could take more gets as much: a message larger than that is several.
    static constexpr std::size_t chunk_bytes = 64 * 1024;
    /// Lent at a time; then receivers wait for one to come back.
    static constexpr unsigned chunks_max = 4096;

    /// `counts`: where it says how many are in use. Errors: std::bad_alloc.
    explicit chunk_pool(backend_counters& counts);
    chunk_pool(const chunk_pool&) = delete;
    chunk_pool& operator=(const chunk_pool&) = delete;
    ~chunk_pool();

    /// The chunk that came back last. Null when all are lent.
    [[nodiscard]] std::byte* take() noexcept;
    /// `memory`: any byte of a chunk.
    void give_back(const void* memory) noexcept;
    [[nodiscard]] bool any_free() const noexcept { return !free_.empty() || made_ < chunks_max; }
    [[nodiscard]] unsigned lent() const noexcept {
        return made_ - static_cast<unsigned>(free_.size());
    }

    [[nodiscard]] std::byte* at(unsigned index) const noexcept { return storage_ + index * stride; }
    [[nodiscard]] unsigned index_of(const void* memory) const noexcept {
        return static_cast<unsigned>(
            static_cast<std::size_t>(static_cast<const std::byte*>(memory) - storage_) / stride);
    }

private:
    static constexpr std::size_t cache_line = 64;
    static constexpr std::size_t stride = chunk_bytes + cache_line;

    /// Chunks that a sanitizer knows of.
    [[nodiscard]] unsigned reached() const noexcept { return std::min(made_ + 1, chunks_max); }

    backend_counters& counts_;
    std::byte* storage_;
    std::vector<std::uint16_t> free_;  // a stack
    unsigned made_ = 0;                // chunks that were lent at least once
};

}  // namespace anel::detail
