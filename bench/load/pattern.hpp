// pattern.hpp: the bytes a connection sends, so that every byte of an echo can be checked.
//
// One table of pseudo-random bytes with a prime period. Each connection begins at a place of its
// own, and byte k of its stream is the table's byte k places further on: a lost, repeated,
// reordered or foreign byte does not match. The table continues past its period, so that any piece
// of up to `piece_max` bytes lies in one stretch of memory: it is sent from there and compared with
// memcmp(3), which keeps the generator fast. The seed is fixed: every run sends the same bytes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace anel_bench {

class pattern {
public:
    static constexpr std::size_t period = 65521;  // the largest prime below 64 KiB
    static constexpr std::size_t piece_max = 256 * 1024;

    pattern() : bytes_(period + piece_max) {
        std::uint64_t state = 0x616e656c;
        for (std::size_t i = 0; i < period; ++i) bytes_[i] = static_cast<char>(next(state) >> 56);
        for (std::size_t i = period; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - period];
    }

    /// Returns  a pointer to byte `offset` of the stream of connection `index`, and the `piece_max`
    ///          bytes that follow it.
    [[nodiscard]] const char* at(std::size_t index, std::uint64_t offset) const noexcept {
        // 40503 is about the period divided by the golden ratio: neighbours begin far apart.
        return bytes_.data() + (index * std::uint64_t{40503} + offset) % period;
    }

    /// Whether `bytes`, which come after the first `before` of what connection `index` got back,
    /// are its stream with every byte `times` times.
    [[nodiscard]] bool matches(std::span<const char> bytes, std::size_t index, std::uint64_t before,
                               std::size_t times) const noexcept {
        if (times == 1) return std::memcmp(bytes.data(), at(index, before), bytes.size()) == 0;
        while (!bytes.empty()) {
            const auto same =
                bytes.first(std::min<std::size_t>(times - before % times, bytes.size()));
            if (same.front() != *at(index, before / times)) return false;
            if (std::memcmp(same.data(), same.data() + 1, same.size() - 1) != 0) return false;
            bytes = bytes.subspan(same.size());
            before += same.size();
        }
        return true;
    }

private:
    // splitmix64, public domain, by Sebastiano Vigna.
    static std::uint64_t next(std::uint64_t& state) noexcept {
        std::uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::vector<char> bytes_;
};

}  // namespace anel_bench
