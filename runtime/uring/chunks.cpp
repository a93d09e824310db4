// chunks.cpp: offering chunks, as many as a turn needs.
// SPDX-License-Identifier: MIT
#include "runtime/uring/chunks.hpp"

#include "runtime/system/sanitizer.hpp"

#include <anel/detail/assert.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace anel::detail {

// The ring's own memory is locked: a process with a small RLIMIT_MEMLOCK gets a shorter one.
int chunk_offers::open(io_uring& owner, chunk_pool& pool) noexcept {
    constexpr std::size_t bytes = chunk_pool::chunks_max * sizeof(io_uring_buf);
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    int error = -ENOMEM;
    for (unsigned entries = chunk_pool::chunks_max; entries >= fewest && error == -ENOMEM;
         entries /= 2) {
        io_uring_buf_reg wanted{};
        wanted.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
        wanted.ring_entries = entries;
        wanted.bgid = group;
        error = io_uring_register_buf_ring(&owner, &wanted, 0);
        entries_ = entries;
    }
    if (error < 0) {
        ::munmap(memory, bytes);
        return error;
    }
    mapped(memory);
    ring_ = static_cast<io_uring_buf_ring*>(memory);
    pool_ = &pool;
    io_uring_buf_ring_init(ring_);
    top_up();
    return 0;
}

// The kernel takes them in order: the last `offered_` places of the ring hold what it left.
void chunk_offers::close(io_uring& owner) noexcept {
    if (!is_open()) return;
    for (; offered_ > 0; --offered_) {
        const unsigned place = (ring_->tail - offered_) & (entries_ - 1);
        pool_->give_back(pool_->at(ring_->bufs[place].bid));
    }
    io_uring_unregister_buf_ring(&owner, group);
    about_to_unmap(ring_);
    ::munmap(ring_, chunk_pool::chunks_max * sizeof(io_uring_buf));
    ring_ = nullptr;
}

std::byte* chunk_offers::filled(std::uint16_t index) noexcept {
    ANEL_ASSERT(offered_ > 0);
    offered_ -= 1;
    written_by_kernel(pool_->at(index), chunk_pool::chunk_bytes);
    return pool_->at(index);
}

void chunk_offers::top_up() noexcept {
    adjust();
    int added = 0;
    const int mask = io_uring_buf_ring_mask(entries_);
    for (; can_top_up(); ++offered_, ++added) {
        std::byte* chunk = pool_->take();
        if (!chunk) break;
        const auto index = static_cast<unsigned short>(pool_->index_of(chunk));
        io_uring_buf_ring_add(ring_, chunk, chunk_pool::chunk_bytes, index, mask, added);
    }
    if (added > 0) io_uring_buf_ring_advance(ring_, added);
}

void chunk_offers::adjust() noexcept {
    constexpr unsigned looked_at_every = 256;  // turns
    if (offered_ >= target_) return;
    peak_ = std::max(peak_, target_ - offered_);
    if (++turns_ < looked_at_every) return;
    if (peak_ * 4 <= target_ && target_ > fewest) target_ /= 2;
    turns_ = 0;
    peak_ = 0;
}

bool chunk_offers::ran_out(std::uint32_t turn) noexcept {
    if (turn != grown_in_) {
        grown_in_ = turn;
        target_ = std::min(target_ * 2, entries_);
        peak_ = target_;
        top_up();
    }
    return offered_ > 0;
}

}  // namespace anel::detail
