// per_core.hpp: run_per_core: the same program on several threads, each with a loop of its own.
//
// Loops share nothing: a server binds the same port in each of them, with
// listen_options::reuse_port, and the system deals the connections out. What must cross goes
// through a thread_channel, connections too (detached_stream.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/run.hpp>

#include <functional>
#include <utility>

namespace anel {

/// How run_per_core() runs its loops.
struct per_core_options {
    run_options run;
    /// Keeps each thread on a processor of its own, where the system can do that.
    bool pin = false;
};

namespace detail {
int run_on_threads(unsigned threads, const std::function<task<>(unsigned)>& make,
                   const per_core_options& options, version_here);
}

/// Runs `make(i)`, a task, in `threads` loops, each on a thread of its own, the first one on the
/// caller's; 0: as many as there are processors. Returns when all have ended.
/// Returns  0, for main() to return, or what run_options::signal_exit_code says.
/// Errors   the first error of any of them, after the others were cancelled and have ended; what
///          run() throws; std::system_error when a thread cannot be had. SIGINT and SIGTERM cancel
///          them all at once.
/// Thread   `make` is called on each of the threads.
template <class Make>
int run_per_core(unsigned threads, Make make, const per_core_options& options = {}) {
    const auto make_one = [&](unsigned i) -> task<> { return std::invoke(make, i); };
    return detail::run_on_threads(threads, make_one, options, {});
}

}  // namespace anel
