// primitives.hpp: what each library brings to the comparison.
// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace anel_bench {

/// A benchmark; those of both libraries with the same name are compared, and "x (in some way)" of
/// the other library with "x".
struct primitive {
    std::string name;
    std::function<void(benchmark::State&)> run;
    bool across_threads = false;  // waits count, so elapsed time is measured instead of CPU time
};

/// Bytes of heap memory.
struct memory_need {
    std::int64_t frame = 0;     // a coroutine that returns an int, not started
    std::int64_t sleeping = 0;  // one of a thousand spawned coroutines that wait for a timer
};

std::vector<primitive> anel_primitives();
memory_need anel_memory();

std::vector<primitive> asio_primitives();
memory_need asio_memory();
std::string asio_version();

}  // namespace anel_bench
