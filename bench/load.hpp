// load.hpp: a closed-loop load generator for TCP echo servers that checks every byte.
//
// Closed loop: each connection keeps a fixed number of requests in flight and sends the next one
// when a reply is complete. That finds a server's highest rate; it hides latency tails, because a
// server that stalls is not asked anything meanwhile. One thread on epoll, sharing no code with
// what it measures. Knows nothing of processes, terminals or formats.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "histogram.hpp"

namespace anel_bench {

struct load_options {
    std::string server;            // IPv4 ADDRESS:PORT
    std::size_t connections = 64;  // all opened before the warm-up begins
    std::size_t size = 64;         // bytes of a request, and of its reply
    std::size_t pipeline = 1;      // requests in flight on each connection
    std::chrono::nanoseconds warmup = std::chrono::milliseconds(500);
    std::chrono::nanoseconds window = std::chrono::seconds(2);  // what is measured
    pid_t server_pid = 0;  // whose CPU clock is read too; 0: none
};

/// Everything a run found out, in one piece of memory that can be written to a pipe.
struct load_result {
    std::uint64_t requests = 0;              // complete, correct replies within the window
    std::uint64_t requests_run = 0;          // the same from the first to the last byte of the run
    std::chrono::nanoseconds elapsed{0};     // the window as it really was
    std::chrono::nanoseconds own_cpu{0};     // the generator's, within the window
    std::chrono::nanoseconds server_cpu{0};  // the server's, within the window; 0: not asked for
    std::chrono::nanoseconds machine_busy{0};    // all CPUs and processes, within the window
    std::chrono::nanoseconds machine_stolen{0};  // taken by the hypervisor, within the window

    std::uint64_t corrupted = 0;   // connections with a byte that was not the one expected
    std::uint64_t broken = 0;      // connections the server closed early or the kernel reset
    std::uint64_t unanswered = 0;  // connections silent at the end with replies or the end owed
    std::array<char, 200> first_error{};  // what happened first, in words; empty when nothing did

    histogram latency;  // of the requests within the window

    [[nodiscard]] std::uint64_t errors() const noexcept { return corrupted + broken + unanswered; }
};
static_assert(std::is_trivially_copyable_v<load_result>);

enum class load_event : char { window_opens = 'o', window_closes = 'c' };

/// Connects, warms up, measures, waits for the last replies, ends every stream and waits for the
/// server to end it too. Always returns: connecting, and silence at the end, have time limits.
/// Errors  std::system_error or std::invalid_argument when it cannot begin; what goes wrong later
///         is counted in the result.
load_result run_load(const load_options& options, const std::function<void(load_event)>& notify);

}  // namespace anel_bench
