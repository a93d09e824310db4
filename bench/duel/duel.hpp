// duel.hpp: two servers that live side by side, asked in turn for a short slice each.
//
// What drifts on a machine is slower than a slice, so it meets both slices of a pair alike and
// cancels in their ratio. Both servers start once per start, on the CPU that a comparison gives to
// servers, and keep their connections: a server with a history is measured, not a fresh one.
// A second process of A takes part in every round, and what it needs of A is the floor.
// What the figures say is for ratio.hpp, rounds.hpp and causes.hpp.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/process.hpp"
#include "duel/causes.hpp"
#include "duel/rounds.hpp"
#include "load/load.hpp"

namespace anel_bench {

struct duel_options {
    std::string a, b;  // names of known servers, or commands with {port}
    load_options load;
    std::chrono::nanoseconds slice = std::chrono::milliseconds(100);
    double within = 0.02;    // ends when the interval of the CPU ratio reaches no further …
    std::size_t starts = 5;  // … after so many starts at least …
    std::chrono::nanoseconds time = std::chrono::seconds(60);  // … or when this is over
    std::uint64_t seed = 1;                                    // of the order in each round
    bool causes = true;  // afterwards, where the difference comes from
};

struct duel_result {
    std::vector<duel_start> starts;
    duel_figures b, again;  // against A
    bool narrow = false;    // whether it ended because the interval was; else time was up
    std::chrono::nanoseconds took{0};
    std::optional<duel_causes> causes;
};

/// Errors  std::invalid_argument for servers and loads that cannot be; std::runtime_error or
///         std::system_error, with the server's name, when one fails; throws `interrupted`. No
///         server is left running.
duel_result run_duel(const duel_options& options, const interrupts& ctrl_c);

}  // namespace anel_bench
