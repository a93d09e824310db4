// living.hpp: a server that lives, with a load that pauses: asked for a slice at a time.
//
// A server with a history is measured, not a fresh one: its connections stay open, its caches and
// arenas are filled. Everything is still between slices, so the accounts of a slice are exact: the
// kernel charges a thread when it sleeps.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/process.hpp"
#include "common/topology.hpp"
#include "duel/rounds.hpp"
#include "load/load.hpp"
#include "run/load_process.hpp"
#include "run/servers.hpp"

namespace anel_bench {

/// A server to start: one that is known, or a command of the user's own.
struct contestant {
    std::string name;                 // or the command
    std::optional<server_spec> spec;  // none: the name is a command with {port}
};

/// Errors  std::invalid_argument when nothing of the name is known or built, or it cannot serve.
contestant find_contestant(const std::string& name, const load_options& load);

/// What a server did in all slices of a start together, after the warm-up.
struct server_life {
    load_result load;                   // with the server's accounts
    std::vector<double> cpu_ns, rates;  // of each slice that had an answer
    /// Of a request, where the kernel keeps their time apart. In ticks, too coarse for a slice: so
    /// it is that of all slices together, and part of the figures above.
    double interrupts_ns = 0;
    std::int64_t page_faults = 0;
    std::int64_t resident_before = 0;  // bytes, without a connection
    std::string details;               // versions and flags, in the server's own words
};

/// Counts of a request, from a slice of its own in which they were counted.
struct call_counts {
    double calls = 0;
    std::optional<double> completions_per_call;  // of io_uring
    std::optional<double> submissions;           // to io_uring
    std::optional<double> user_instructions;
    std::string tool;
};

class living_server {
public:
    /// Starts it and opens every connection.
    /// Errors  std::runtime_error or std::system_error that names it.
    living_server(const contestant& who, const load_options& load, const placement& places,
                  const interrupts& ctrl_c);

    /// Errors  std::runtime_error that names it when a reply is wrong or missing, or it has died.
    duel_slice slice(std::chrono::nanoseconds length);

    /// Begins the account; what was before was warm-up.
    void begin_life();
    /// What it did since.
    server_life end_life();

    /// Nothing where neither perf nor strace can count.
    std::optional<call_counts> count_calls(std::chrono::nanoseconds length);

    [[nodiscard]] pid_t pid() const noexcept { return server_.process.pid(); }
    /// With SIGTERM, and patience. Errors: std::runtime_error when it does not end well.
    void stop();

private:
    /// Its CPU time, once it does not grow any more.
    std::chrono::nanoseconds still();
    [[nodiscard]] std::chrono::nanoseconds cpu() const;
    [[nodiscard]] std::chrono::nanoseconds interrupts_of_its_cpu() const;
    load_result loaded(std::chrono::nanoseconds length);

    const contestant& who_;
    const placement& places_;
    const interrupts& ctrl_c_;
    running_server server_;
    std::optional<load_process> generator_;
    std::chrono::nanoseconds waited_{0};  // so far, for a CPU
    server_life life_;
    std::chrono::nanoseconds system_before_{0};
    std::chrono::nanoseconds interrupts_{0};
    std::int64_t switches_before_ = 0, faults_before_ = 0;
};

}  // namespace anel_bench
