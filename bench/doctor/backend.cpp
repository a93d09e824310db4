// backend.cpp: which backend anel itself takes here, by running a task that asks.
//
// The one place of the doctor that runs anel. So it says what every program of anel's would.
//
// SPDX-License-Identifier: MIT
#include <anel/run.hpp>

#include <cstdlib>
#include <exception>
#include <string_view>

#include "doctor/parts.hpp"

namespace anel_bench::doctor {
namespace {

anel::task<anel::backend_report> ask() {
    auto report = co_await anel::current_backend();
    co_return report;
}

// A ring can be set up, and anel does not take it.
refusal explain_choice(const std::string& reason) {
    if (!built_with_io_uring) return {"anel was built without liburing", build_with_io_uring};
    return {reason, "allow io_uring_enter, io_uring_register and every opcode: a ring can be set "
                    "up, and its use is refused"};
}

}  // namespace

anel_choice ask_anel() {
    try {
        anel::run_options options;
        options.signals = false;
        const anel::backend_report report = anel::run(ask(), options);
        return {std::string(report.name), report.reason};
    } catch (const std::exception& error) {
        return {"", error.what()};
    }
}

finding examine_backend(const anel_choice& chosen, int ring_error) {
    const char* wish = std::getenv("ANEL_BACKEND");
    const std::string_view named = wish ? wish : "";
    const bool by_name = !named.empty() && named != name_of(anel::backend_kind::automatic);
    const bool best = chosen.name == name_of(anel::backend_kind::io_uring);
    if (chosen.name.empty()) {
        return {state::bad, "backend", "none", chosen.reason,
                by_name ? "unset ANEL_BACKEND" : "ulimit -n 1024, or allow more in the filter"};
    }
    if (by_name) {
        return {best ? state::ok : state::note, "backend", chosen.name + ", by ANEL_BACKEND",
                "the environment chose it", best ? "" : "unset ANEL_BACKEND"};
    }
    if (best) return {state::ok, "backend", chosen.name, "the first choice of auto", ""};
    if (ring_error != 0) {
        return {state::bad, "backend", chosen.name, chosen.reason,
                "mend io_uring, the line before"};
    }
    auto [means, mend] = explain_choice(chosen.reason);
    return {state::bad, "backend", chosen.name, means, mend};
}

}  // namespace anel_bench::doctor
