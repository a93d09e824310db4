// bytes.hpp: the bytes of one direction of a stream, on their way from a send to a receive.
//
// Sums over what went in and what came out, weighted by position, show that what comes out is what
// went in, in order, each byte once.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace anel::sim {

class byte_queue {
public:
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(in_ - out_); }
    [[nodiscard]] std::uint64_t written() const noexcept { return in_; }
    [[nodiscard]] std::uint64_t taken() const noexcept { return out_; }

    void push(const void* data, std::size_t count) {
        if (size() + count > ring_.size()) grow(size() + count);
        in_sum_ += sum(static_cast<const unsigned char*>(data), count, in_);
        const std::size_t at = place_in(ring_, in_);
        const std::size_t first = std::min(count, ring_.size() - at);
        std::memcpy(ring_.data() + at, data, first);
        if (count > first) {
            std::memcpy(ring_.data(), static_cast<const unsigned char*>(data) + first,
                        count - first);
        }
        in_ += count;
    }
    void pop(void* data, std::size_t count) {
        ANEL_ASSERT(count <= size());
        if (count == 0) return;
        const std::size_t at = place_in(ring_, out_);
        const std::size_t first = std::min(count, ring_.size() - at);
        std::memcpy(data, ring_.data() + at, first);
        if (count > first) {
            std::memcpy(static_cast<unsigned char*>(data) + first, ring_.data(), count - first);
        }
        out_sum_ += sum(static_cast<const unsigned char*>(data), count, out_);
        out_ += count;
        // What went in came out: the same bytes at the same places.
        if (in_ == out_) ANEL_ASSERT(in_sum_ == out_sum_);
    }
    /// Forgets everything but the memory.
    void reset() noexcept { in_ = out_ = in_sum_ = out_sum_ = 0; }

private:
    static std::uint64_t sum(const unsigned char* data, std::size_t count, std::uint64_t from) {
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < count; ++i) {
            total += (data[i] + std::uint64_t{1}) * ((from + i) * 0x9e3779b97f4a7c15 | 1);
        }
        return total;
    }
    static std::size_t place_in(const std::vector<unsigned char>& ring, std::uint64_t at) noexcept {
        return static_cast<std::size_t>(at) & (ring.size() - 1);
    }
    void grow(std::size_t wanted) {
        std::vector<unsigned char> larger(std::bit_ceil(std::max<std::size_t>(wanted, 256)));
        for (std::uint64_t i = out_; i < in_; ++i) {
            larger[place_in(larger, i)] = ring_[place_in(ring_, i)];
        }
        ring_.swap(larger);
    }

    std::vector<unsigned char> ring_;  // its size is a power of two
    std::uint64_t in_ = 0;             // bytes so far
    std::uint64_t out_ = 0;
    std::uint64_t in_sum_ = 0;
    std::uint64_t out_sum_ = 0;
};

}  // namespace anel::sim
