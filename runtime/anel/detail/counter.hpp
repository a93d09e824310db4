// counter.hpp: a number that one thread counts and every thread may read.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace anel::detail {

/// The one thread that counts loads, adds and stores: on 64 bits that costs what a plain number
/// does.
class counter {
public:
    counter() noexcept = default;
    counter(std::uint64_t start) noexcept : value_(start) {}
    counter(const counter& other) noexcept : value_(other) {}
    counter& operator=(const counter& other) noexcept {
        value_.store(other, std::memory_order_relaxed);
        return *this;
    }
    counter& operator+=(std::uint64_t more) noexcept {
        value_.store(*this + more, std::memory_order_relaxed);
        return *this;
    }
    counter& operator-=(std::uint64_t less) noexcept {
        value_.store(*this - less, std::memory_order_relaxed);
        return *this;
    }
    void at_least(std::uint64_t least) noexcept {
        if (least > *this) value_.store(least, std::memory_order_relaxed);
    }
    operator std::uint64_t() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace anel::detail
