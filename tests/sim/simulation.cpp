// simulation.cpp: runs the scenarios with as many seeds as the command line says.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/sim_explore.hpp>

int main(int argc, char** argv) {
    using namespace anel::test;
    return anel::sim::explore(argc, argv,
                              {{"request_reply", request_reply},
                               {"serve_drain", serve_drain},
                               {"connect_racing", connect_racing},
                               {"udp_retries", udp_retries},
                               {"proxy", proxy},
                               {"chat", chat},
                               {"cancel_storm", cancel_storm},
                               {"standard", standard, standard_options()}});
}
