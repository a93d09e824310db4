// sim_explore.hpp: the main() of a simulation: runs scenarios with many seeds, in parallel
// processes, and says how to repeat the one that fails.
//
//     void requests_are_answered(sim::world& world) { ... world.run(60s); }
//     int main(int argc, char** argv) {
//         return sim::explore(argc, argv, {{"requests_are_answered", requests_are_answered}});
//     }
//
// Must not know: how worlds work.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/sim.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace anel::sim {

/// A test that runs once for each seed.
struct scenario {
    std::string name;
    void (*run)(world& in);  ///< adds hosts and calls world::run; throws when something is wrong
    world_options options;

    /// A test with this name and function; `how` is how its worlds are made.
    scenario(std::string called, void (*what)(world&), const world_options& how = {})
        : name(std::move(called)), run(what), options(how) {}
};

/// Runs `scenarios` as the command line says; see `--help`. ANEL_SIM_SEED=0x... in the environment
/// runs that one seed and nothing else.
/// Returns  an exit code: 0 when every seed passed, 1 when one failed, 2 for a wrong command line.
int explore(int argc, char** argv, const std::vector<scenario>& scenarios);

}  // namespace anel::sim
