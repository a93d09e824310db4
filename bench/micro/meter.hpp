// meter.hpp: the loop of a benchmark: warms up, then times and counts allocations.
//
//   while (passes.next()) co_await what_is_measured();
// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

#include "heap.hpp"

namespace anel_bench {

class meter {
public:
    /// A pass does the measured thing `batch` times.
    explicit meter(benchmark::State& state, std::int64_t batch = 1)
        : state_(state), batch_(batch) {}

    bool next() {
        if (warmed_ < warming_passes) [[unlikely]] {
            if (++warmed_ == warming_passes) allocated_ = heap_used().allocations;
            return true;
        }
        if (state_.KeepRunningBatch(batch_)) [[likely]]
            return true;
        allocated_ = heap_used().allocations - allocated_;
        state_.counters["allocations"] =
            static_cast<double>(allocated_) / static_cast<double>(state_.iterations());
        return false;
    }

private:
    static constexpr int warming_passes = 200;  // pools fill, caches warm

    benchmark::State& state_;
    std::int64_t batch_;
    int warmed_ = 0;
    std::uint64_t allocated_ = 0;
};

}  // namespace anel_bench
