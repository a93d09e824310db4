// backend.hpp: which backend a program runs on, and how it is made.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/counter.hpp>

#include <cstdint>

namespace anel {

/// Which backend to use. `automatic`: io_uring, else epoll, else poll(2). `sim` is the simulated
/// network of <anel/sim.hpp>: only a sim::world makes one.
enum class backend_kind : std::uint8_t { automatic, io_uring, epoll, poll, sim };

/// "auto", "io_uring", "epoll", "poll" or "sim": what ANEL_BACKEND takes and a server prints.
const char* name_of(backend_kind kind) noexcept;

/// How a backend is made. The defaults are right for servers; tests make rings tiny.
struct backend_options {
    backend_kind kind = backend_kind::automatic;
    std::uint32_t submission_entries = 256;   ///< io_uring: what one turn can submit at once
    std::uint32_t completion_entries = 4096;  ///< io_uring: what can complete unseen, without spill
    /// Helper threads for each kind of call that can only block, at most: offload(), name lookups,
    /// files. No kind waits for another.
    std::uint32_t helper_threads = 4;
};

/// Counts since the start, for tests and benchmarks.
struct backend_counters {
    detail::counter operations;   ///< submitted that were not control calls
    detail::counter waits;        ///< system calls that wait: io_uring_enter, epoll_wait, poll
    detail::counter completions;  ///< operations done
    detail::counter cancels;      ///< cancels asked for
    detail::counter calls;        ///< made for operations on the loop's thread, datagrams singly
    detail::counter bytes;        ///< that these moved
    detail::counter chunks;  ///< of memory for receives that are not free: lent, or with the kernel
    detail::counter chunks_max;    ///< the most there were
    detail::counter helper_calls;  ///< with helper threads: queued, or at work
};

}  // namespace anel
