// load_process.hpp: a load in a process of its own, on the CPU that the load has.
//
// Many loads can stand beside each other: each has its own descriptors, of which a process may have
// too few for several times ten thousand connections. All are copies of this process, so the same
// code runs at the same addresses whatever it loads. Orders and results travel through pipes; both
// ends are the same program, so a result is plain memory.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "common/process.hpp"
#include "load/load.hpp"

namespace anel_bench {

/// Runs a load to its end.
/// Errors  std::runtime_error with the words of what went wrong there, or when it does not end in
///         time; throws `interrupted`.
load_result run_load_apart(const load_options& options, std::optional<int> cpu,
                           const interrupts& ctrl_c);

/// A load in slices.
class load_process {
public:
    /// Opens every connection. Errors: as above.
    load_process(const load_options& options, std::optional<int> cpu, const interrupts& ctrl_c);

    /// Loads the server for so long, and waits for the last replies. Errors: as above.
    load_result slice(std::chrono::nanoseconds length);

private:
    const interrupts* ctrl_c_;
    pipe_ends orders_ = make_pipe();
    pipe_ends results_ = make_pipe();
    std::optional<child> process_;
};

}  // namespace anel_bench
