// runner.cpp: one measured run: a fresh server on its CPU, the load on another, everything stopped.
//
// See runner.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/runner.hpp"

#include <csignal>
#include <exception>

#include "common/text.hpp"
#include "load/load_report.hpp"
#include "run/load_process.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto stop_grace = 3000ms;
// Shares of the two CPUs taken by others, above which a run says little.
constexpr double others_max = 0.05;
constexpr double stolen_max = 0.01;

std::string describe_errors(const load_result& load) {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    return format("%llu connections failed (%llu corrupted, %llu broken off, %llu unanswered); "
                  "first %s",
                  number(load.errors()), number(load.corrupted), number(load.broken),
                  number(load.unanswered), load.first_error.data());
}

}  // namespace

run_result run_once(const server_spec& spec, load_options load, const placement& places,
                    const interrupts& ctrl_c) {
    run_result result;
    try {
        running_server server = start_server(spec, load, places, ctrl_c);
        load.server = server.address;
        load.sleeps = load.sleeps || !places.load;
        load.server_pid = server.process.pid();
        load.cpus = places.cpus();
        load.interrupts_apart = places.interrupts_apart;

        result.load = run_load_apart(load, places.load, ctrl_c);
        if (result.load.errors() > 0) {
            result.error = describe_errors(result.load);
        } else if (result.load.requests == 0) {
            result.error = "no reply within the window";
        }
        if (const auto ended = server.process.poll_exit()) {
            result.error = "the server died during the run: " + ended->text() +
                           (result.error.empty() ? "" : "; " + result.error);
        } else if (const auto status = server.process.stop(SIGTERM, stop_grace, ctrl_c);
                   !status.success() && result.error.empty()) {
            result.error = "the server did not end well on SIGTERM: " + status.text();
        }
    } catch (const std::exception& error) {
        result.error = error.what();
    }
    const std::size_t cpus = places.cpu_count();
    if (const double others = others_share(result.load, cpus); others > others_max) {
        result.disturbed = format("other processes took %.0f %% of the CPUs", 100 * others);
    } else if (const double stolen = stolen_share(result.load, cpus); stolen > stolen_max) {
        result.disturbed = format("the hypervisor took %.1f %% of the CPUs", 100 * stolen);
    }
    return result;
}

}  // namespace anel_bench
