// load.hpp: a load generator that checks every byte: what it is asked, and what it finds out.
//
// Closed loop: each connection keeps a fixed number of requests in flight and sends the next one
// when a reply is complete. That finds a server's highest rate; it hides latency tails, because a
// server that stalls is not asked anything meanwhile. Open loop: requests are due at times that do
// not depend on the server, evenly or at random; latency is counted from when a request was due,
// whoever was late. One thread on epoll, sharing no code with what it measures.
// Knows nothing of processes, terminals or formats.
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
#include <vector>

#include "common/histogram.hpp"

namespace anel_bench {

enum class load_mode : std::uint8_t { closed, fixed_rate, poisson };
const char* name_of(load_mode mode) noexcept;

struct load_options {
    std::string server{};               // ADDRESS:PORT
    std::size_t connections = 64;       // all opened before the warm-up begins
    std::size_t size = 64;              // bytes of a request
    std::size_t times = 1;              // how often the server sends each byte back
    std::chrono::microseconds work{0};  // of CPU time that the server spends on an answer
    std::size_t pipeline = 1;           // requests in flight on each connection, at most
    load_mode mode = load_mode::closed;
    double rate = 0;       // open loop: requests per second, of all connections together
    std::size_t idle = 0;  // further connections that are opened and say nothing
    std::size_t slow = 0;  // further connections that ask for much and read 4 KiB every 10 ms
    /// Between events. Where the load has a CPU of its own it asks without end instead, as if it
    /// were on another machine: to wake one that sleeps is work, and the server's send(2) does it.
    bool sleeps = false;
    bool churn = false;  // every request has a connection of its own
    bool udp = false;
    bool tls = false;     // see tls.hpp
    bool resume = false;  // … and every handshake but the first of all resumes a session
    std::chrono::nanoseconds warmup = std::chrono::milliseconds(500);
    std::chrono::nanoseconds window = std::chrono::seconds(2);  // what is measured
    pid_t server_pid = 0;     // whose accounts are read too; 0: none
    std::vector<int> cpus{};  // the server's and the generator's; empty: not known
    /// What interrupts took of these CPUs belongs to the server and the generator, but the kernel
    /// does not charge them for it.
    bool interrupts_apart = false;
};

/// Everything a run found out, in one piece of memory that can be written to a pipe.
struct load_result {
    std::uint64_t requests = 0;      // complete, correct replies within the window
    std::uint64_t requests_run = 0;  // the same from the first to the last byte of the run
    std::uint64_t offered = 0;       // open loop: requests due within the window
    std::uint64_t unsent = 0;        // of them those that the generator never came to
    std::uint64_t lost = 0;          // UDP: requests without an answer for 100 ms, in the window
    std::uint64_t reply_bytes = 0;   // within the window
    std::chrono::nanoseconds elapsed{0};         // the window as it really was
    std::chrono::nanoseconds spare{0};           // of the window, waits in which nothing came
    std::chrono::nanoseconds own_cpu{0};         // the generator's, within the window
    std::chrono::nanoseconds server_cpu{0};      // the server's, within the window
    std::chrono::nanoseconds server_system{0};   // the part of it spent in the kernel
    std::chrono::nanoseconds machine_busy{0};    // `cpus`, whoever used them, within the window
    std::chrono::nanoseconds machine_stolen{0};  // of them taken by the hypervisor
    std::chrono::nanoseconds own_waited{0};      // the generator, for a CPU, within the window
    std::int64_t server_switches = 0;            // closed loop: of the server's threads that live
    std::int64_t server_resident = 0;            // bytes, with all connections open

    std::uint64_t corrupted = 0;   // connections with a byte that was not the one expected
    std::uint64_t broken = 0;      // connections the server closed early or the kernel reset
    std::uint64_t unanswered = 0;  // connections silent at the end with replies or the end owed
    std::array<char, 200> first_error{};  // what happened first, in words; empty when nothing did

    histogram latency;  // closed loop: of replies within the window; open: of requests due in it
    histogram slip;     // open loop: how late the generator itself sent what was due in the window
    histogram setup;    // of connect(2) until the connection stands

    [[nodiscard]] std::uint64_t errors() const noexcept { return corrupted + broken + unanswered; }

    /// Adds what another stretch of the same load found out: accounts and histograms; what is a
    /// size and no sum, and the first error in words, is the last and the first.
    load_result& operator+=(const load_result& more);
};
static_assert(std::is_trivially_copyable_v<load_result>);

/// Errors  std::invalid_argument for what nobody can ask for.
void check_load(const load_options& options);

/// Connects, warms up, measures, waits for the last replies, ends every stream and waits for the
/// server to end it too. Always returns: connecting, and silence at the end, have time limits.
/// Errors  std::system_error or std::invalid_argument when it cannot begin; what goes wrong later
///         is counted in the result.
load_result run_load(const load_options& options);

/// A load that pauses. A call loads the server for so long, waits for the last replies and returns;
/// connections stay open until the last copy is gone. In between the server has nothing to do: its
/// accounts are the caller's to read.
using sliced_load = std::function<load_result(std::chrono::nanoseconds length)>;

/// Opens every connection.
/// Errors  std::system_error or std::invalid_argument.
sliced_load connect_sliced_load(const load_options& options);

/// The two kinds, for run_load() and connect_sliced_load().
load_result run_tcp_load(const load_options& options);
load_result run_udp_load(const load_options& options);
sliced_load connect_sliced_tcp_load(const load_options& options);
sliced_load connect_sliced_udp_load(const load_options& options);

}  // namespace anel_bench
