// seed_runner.hpp: many seeds of one scenario in parallel processes, and what they came to
// together.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/sim_explore.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace anel::sim {

/// How one seed ended.
struct outcome {
    std::uint64_t seed = 0;
    bool failed = false;
    std::string text;  // why
    std::uint64_t events = 0;
    std::uint64_t operations = 0;
    std::uint64_t time = 0;  // virtual nanoseconds
    std::uint64_t hash = 0;
    std::array<std::uint64_t, fault_count> faults{};
};

/// What may be kept of a run.
struct kept_record {
    std::vector<trace_record> lines;
    std::string json;  // world::record()
};

/// Runs one seed in this process. `kept`: receives the whole record.
outcome run_seed(const scenario& what, std::uint64_t seed,
                 std::map<std::string, bool, std::less<>>& sometimes, kept_record* kept = nullptr);

struct batch_options {
    std::uint64_t from = 1;
    std::uint64_t count = 100;
    unsigned jobs = 1;
    unsigned patience = 60;  // seconds that one seed may take
};

struct batch_result {
    std::vector<outcome> outcomes;  // in the order of their ending
    std::map<std::string, bool, std::less<>> sometimes;
    bool stopped = false;  // at the first failure, which is the last outcome
};

/// Runs the seeds until one fails. `progress(done)` is called now and then.
batch_result run_batch(const scenario& what, const batch_options& how,
                       const std::function<void(std::uint64_t)>& progress);

/// The whole trace of one seed, run in a process of its own; printed, one line each.
std::vector<std::string> trace_of(const scenario& what, std::uint64_t seed, unsigned patience);

std::string in_hex(std::uint64_t number);

}  // namespace anel::sim
