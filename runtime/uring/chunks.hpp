// chunks.hpp: the chunks that are offered to the kernel: a ring of provided buffers, fed from
// the pool.
//
// About as many are offered as one turn of the loop uses, so that the same few stay in the cache
// (64 KiB messages of 64 connections: 15 us each with 64 chunks going round, 21 with 4,096). The
// number doubles when the kernel runs out, and halves when most go unused.
//
// Knows: liburing and the pool. Must not know: descriptors.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/backend/chunk_pool.hpp"

#include <liburing.h>

#include <cstddef>
#include <cstdint>

namespace anel::detail {

class chunk_offers {
public:
    static constexpr std::uint16_t group = 0;

    chunk_offers() noexcept = default;
    chunk_offers(const chunk_offers&) = delete;
    chunk_offers& operator=(const chunk_offers&) = delete;

    /// Registers the ring of buffers. Returns 0 or -errno: the kernel is too old (5.19), or the
    /// process may lock too little memory.
    int open(io_uring& owner, chunk_pool& pool) noexcept;
    /// Before the io_uring goes: takes back all that is offered.
    void close(io_uring& owner) noexcept;
    [[nodiscard]] bool is_open() const noexcept { return ring_ != nullptr; }
    [[nodiscard]] unsigned offered() const noexcept { return offered_; }

    /// Whether top_up() would offer any.
    [[nodiscard]] bool can_top_up() const noexcept {
        return offered_ < target_ && offered_ < entries_ && pool_->lent() < lent_max;
    }

    /// The kernel filled one. Returns its memory.
    std::byte* filled(std::uint16_t index) noexcept;
    /// Once a turn: offers more, up to the target.
    void top_up() noexcept;
    /// The kernel found nothing: more from now on. One shortage may be told by many receives of a
    /// turn. Returns false when there are no more.
    bool ran_out(std::uint32_t turn) noexcept;

private:
    static constexpr unsigned fewest = 4;
    // The kernel does not get the last ones: what was copied out of chunks comes back in one.
    static constexpr unsigned lent_max = chunk_pool::chunks_max - 16;

    void adjust() noexcept;

    io_uring_buf_ring* ring_ = nullptr;
    chunk_pool* pool_ = nullptr;
    unsigned entries_ = 0;
    unsigned offered_ = 0;
    unsigned target_ = fewest;
    unsigned peak_ = 0;   // most used in one turn, lately
    unsigned turns_ = 0;  // since peak_ was looked at
    std::uint32_t grown_in_ = 0;
};

}  // namespace anel::detail
