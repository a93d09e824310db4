// workloads.hpp: what servers are asked to do: each load with a name and a reason.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "load/load.hpp"

namespace anel_bench {

struct workload {
    std::string name;
    std::string title;
    std::string shows;  // what it is there for
    load_options load;  // without the server and the times
    bool quick = false;
    /// Open loop: the rate is this share of what the reference serves of another load, in a closed
    /// loop; 0: a closed loop, or a rate that is known.
    double share = 0;
    std::string share_of{};
    bool some_servers = false;  // unless others are named, only those of a quick comparison
};

std::vector<workload> known_workloads();

/// One that is known.
workload workload_named(const std::string& name);

/// A load that somebody describes, under the name "yours".
workload own_workload(const load_options& load);

/// Connections of all kinds.
std::size_t all_connections(const load_options& load);

}  // namespace anel_bench
