// unread.hpp: the bytes that have been received for a descriptor and that no operation has taken
// yet, and how the descriptor had best receive next.
//
// A multishot receive puts bytes into chunks whether or not an operation waits for them. So between
// the kernel and the operation stands a queue of unread bytes, one for each descriptor. Its pieces
// are linked through a table with a place for every chunk.
//
// Knows: chunks and operations. Must not know: the ring.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/backend/chunk_pool.hpp"

#include <anel/detail/operation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace anel::detail {

/// Bytes in a chunk, and the chunk of the next piece.
struct piece {
    std::byte* data = nullptr;
    std::uint32_t size = 0;
    std::uint16_t next = 0;
};

/// Unread bytes that were copied out of their chunks. A peer that sends and is not asked must not
/// keep a chunk for every byte: some thousand of them would take the memory from all the others.
class spilled {
public:
    /// Returns false when there is no memory.
    bool append(const std::byte* data, std::size_t size) noexcept {
        try {
            bytes_.insert(bytes_.end(), data, data + size);
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }
    [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - taken_; }
    /// Moves the oldest bytes to `into`, at most `size`. Returns how many.
    std::size_t take(void* into, std::size_t size) noexcept {
        const std::size_t part = std::min(size, left());
        std::memcpy(into, bytes_.data() + taken_, part);
        taken_ += part;
        return part;
    }

private:
    std::vector<std::byte> bytes_;
    std::size_t taken_ = 0;
};

struct unread_bytes {
    static constexpr std::uint16_t none = 0xffff;
    static_assert(chunk_pool::chunks_max <= none);
    /// Pieces that wait for the program; then the receive is cancelled, and the peer's window does
    /// the rest.
    static constexpr std::uint16_t queue_max = 16;
    static constexpr std::size_t spill_max = chunk_pool::chunk_bytes;  // the same for these

    operation* waiting = nullptr;  ///< a recv_chunk, or a recv that follows one
    std::uint16_t first = none;    ///< the queue, by chunk
    std::uint16_t last = none;
    std::uint16_t queued = 0;
    std::uint8_t contrary = 0;  ///< receives in a row for which the other way had been better
    bool multishot : 1 = true;
    bool armed : 1 = false;          ///< a receive is with the kernel, or about to be
    bool as_multishot : 1 = false;   ///< what was armed last
    bool cancelling : 1 = false;     ///< and is being cancelled
    bool chunkless : 1 = false;      ///< waits for a chunk, or for a submission entry
    bool ended : 1 = false;          ///< `end` comes after what is queued
    std::int32_t end = 0;            ///< 0 or -errno
    std::unique_ptr<spilled> spill;  ///< comes after the pieces; null when there is nothing
    std::uint32_t asked_in = 0;      ///< the turn in which somebody began to wait
    std::int32_t next_chunkless = -1;

    /// Whether a plain recv would overtake what is here or on its way.
    [[nodiscard]] bool in_use() const noexcept {
        return armed || chunkless || ended || first != none || spill;
    }
    /// Whether there is anything to give: bytes, or the end.
    [[nodiscard]] bool holds_any() const noexcept { return first != none || ended || spill; }
    /// Whether so much is unread that no more is to be received.
    [[nodiscard]] bool full() const noexcept {
        return queued >= queue_max || (spill && spill->left() >= spill_max);
    }

    /// Tells how well the way of receiving fits. A multishot receive spares the submission, and a
    /// one-shot receive spares the wake-up of a poll, when what it asks for is there already. Six
    /// in a row of the other kind change the way. Returns whether it changed.
    bool consider(bool was_there) noexcept {
        constexpr std::uint8_t in_a_row = 6;
        if (was_there != multishot) {
            contrary = 0;
            return false;
        }
        if (++contrary < in_a_row) return false;
        contrary = 0;
        multishot = !multishot;
        return true;
    }
};

/// The unread bytes of all descriptors. They do not move while the table does not grow.
class unread_table {
public:
    /// Errors  std::bad_alloc.
    unread_bytes& of(int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= by_fd_.size()) grow(index);
        return by_fd_[index];
    }
    /// Null when the descriptor never had one.
    [[nodiscard]] unread_bytes* find(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        return index < by_fd_.size() ? &by_fd_[index] : nullptr;
    }

    /// Descriptors from here on never had one.
    [[nodiscard]] int end() const noexcept { return static_cast<int>(by_fd_.size()); }

    void push(unread_bytes& unread, std::uint16_t chunk, std::byte* data,
              std::uint32_t size) noexcept {
        pieces_[chunk] = {data, size, unread_bytes::none};
        (unread.first == unread_bytes::none ? unread.first : pieces_[unread.last].next) = chunk;
        unread.last = chunk;
        unread.queued += 1;
        queued_ += 1;
    }
    [[nodiscard]] piece& front(const unread_bytes& unread) noexcept {
        return pieces_[unread.first];
    }
    void pop(unread_bytes& unread) noexcept {
        unread.first = pieces_[unread.first].next;
        unread.queued -= 1;
        queued_ -= 1;
    }
    /// Whether unread pieces hold so many chunks that the next ones are to be copied.
    [[nodiscard]] bool crowded() const noexcept { return queued_ >= chunk_pool::chunks_max / 4; }

private:
    void grow(std::size_t index) {
        pieces_.resize(chunk_pool::chunks_max);
        by_fd_.resize(index + index / 2 + 16);
    }

    std::vector<unread_bytes> by_fd_;
    std::vector<piece> pieces_;
    unsigned queued_ = 0;  // unread pieces of all descriptors
};

}  // namespace anel::detail
