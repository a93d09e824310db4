// workloads.hpp: what servers are asked to do: each load with a name and a reason.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "load.hpp"

namespace anel_bench {

struct workload {
    std::string name;
    std::string title;
    std::string shows;  // what it is there for
    load_options load;  // without the server and the times
    bool quick = false;
};

std::vector<workload> known_workloads();

/// Connections of all kinds.
std::size_t all_connections(const load_options& load);

}  // namespace anel_bench
