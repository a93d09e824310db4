// start.hpp: one start of some servers: all live at once and are asked in turn.
//
// In a round the servers other than the reference are dealt at random into heats of three at most,
// and the reference has a slice in each heat. So no slice is further than three from that of the
// reference it is compared with, however many servers there are.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "duel/living.hpp"
#include "duel/rounds.hpp"

namespace anel_bench {

struct start_plan {
    std::vector<contestant> servers;  // the reference first
    load_options load;
    std::chrono::nanoseconds slice{0}, warmup{0};
    std::size_t rounds = 0;
    std::chrono::nanoseconds counting{0};  // a slice more of each in which calls are counted; or 0
};

/// How long that takes about.
std::chrono::nanoseconds expected(const start_plan& plan);

/// What one start found of each server, in their order.
struct start_result {
    duel_start meetings;
    std::vector<server_life> lives;
    std::vector<std::optional<call_counts>> counts;
    std::vector<std::string> errors;  // why one takes no part, from then on; empty where it does
};

/// `enough`: asked before each round whether to end.
/// Errors  of a server in the result; with the reference's the start ends. Throws `interrupted`.
start_result play_start(const start_plan& plan, const placement& places, std::mt19937_64& order,
                        const std::function<bool()>& enough, const interrupts& ctrl_c);

}  // namespace anel_bench
