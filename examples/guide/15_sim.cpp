// 15_sim.cpp: the same server and client, in a network that a seed drives.
// SPDX-License-Identifier: MIT
#include "15_adder.hpp"

#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

// #region world
task<> bind_and_serve(int& total) {
    auto listener = co_await tcp_listener::bind("10.0.0.1:7000");
    co_await server(std::move(listener), total);
}

task<> ask_and_check(sim::world& world, int& total) {
    int answered = 0;
    co_await client("10.0.0.1:7000", answered);
    co_await sleep_for(1s);  // virtual: whatever is late has come by then
    world.always(total == answered, "each add is done once");
}

void each_add_once(sim::world& world) {
    int total = 0;
    world.host("server", "10.0.0.1",
               [&] { return bind_and_serve(total); });
    world.client("client", "10.0.0.2",
                 [&] { return ask_and_check(world, total); });
    world.run(10min);
}
// #endregion world

// #region main
int main(int argc, char** argv) {
    sim::world_options faults;
    faults.swarm = false;  // these, and no others
    faults.rates[sim::fault::slow_segment] = 2'000;  // of 1,000,000
    faults.rates[sim::fault::split_segment] = 100'000;
    return sim::explore(argc, argv,
                        {{"each_add_once", each_add_once, faults}});
}
// #endregion main
