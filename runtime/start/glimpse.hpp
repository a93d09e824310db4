// glimpse.hpp: what a loop's thread does at this moment, seen by interrupting it.
//
// A loop whose coroutine does not give way cannot answer, and its frames change under whoever reads
// them from another thread. In a signal handler on its own thread they stand still.
// Knows: the loop's running frame. Must not know: why somebody looks.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/frame.hpp>
#include <anel/time.hpp>

#include <pthread.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace anel::detail {

class loop;

struct glimpse {
    struct place {
        const char* file;
        std::uint64_t line;
    };
    std::array<place, 16> places{};  ///< of the awaits that led to what runs, the innermost first
    std::size_t place_count = 0;
    std::array<void*, 40> stack{};
    std::size_t stack_depth = 0;
    bool in_task = false;       ///< a coroutine ran
    time_point turn_began{};    ///< see loop::turn_began()
    std::uint64_t resumes = 0;  ///< how many coroutines had run

    /// `chat.cpp:31 <- chat.cpp:57`: where what runs has gone on.
    [[nodiscard]] std::string print_places() const;
    /// A line for each call of the thread; empty where they are not known.
    [[nodiscard]] std::string print_stack() const;
};

/// Has this process ready for take_glimpse(): a handler for SIGURG, which does nothing by itself,
/// and passes on what is not meant for it.
void prepare_glimpses() noexcept;

/// Interrupts `thread`, which runs `of`. Returns false when it did not answer in time.
/// Thread  any other one; one at a time, the others wait.
bool take_glimpse(pthread_t thread, const loop& of, duration patience, glimpse& into) noexcept;

}  // namespace anel::detail
