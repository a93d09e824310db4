// machine.hpp: a host of a simulated world: its addresses, its program, its present life.
//
// With each start it gets a new loop and a new backend; what they held is gone after a crash.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/address.hpp"

#include "runtime/core/root_task.hpp"

#include <anel/detail/loop.hpp>
#include <anel/sim.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace anel::sim {
using namespace detail;

class machine_backend;
struct descriptor;

/// The file of a unix socket, or an abstract name.
struct socket_file {
    std::uint64_t number = 0;
    descriptor* bound = nullptr;  // null once that socket is closed
};

/// A port that was used by a connection which ended here first: TIME_WAIT.
struct lingering_port {
    address name;
    time_point until;
};

struct machine {
    std::uint32_t index = 0;
    std::string name;
    std::vector<address> addresses;
    world::program start;
    bool must_end = false;     // a client
    bool may_restart = false;  // its program is a function, not a task that can run only once

    std::uint32_t life = 0;  // counts its starts
    std::unique_ptr<loop> turning;
    machine_backend* backend = nullptr;  // the loop owns it
    std::unique_ptr<root_task> root;     // null: down, or ended

    bool listed = false;  // among those that have something to do now
    bool crashing = false;
    bool crash_wanted = false;
    bool restart_wanted = false;
    bool down = false;        // crashed, and not started again
    bool comes_back = false;  // it will be: a swarm's crash
    time_point wakes_at = never;
    time_point paused_until{};

    std::size_t descriptors_max = 0;
    std::uint16_t next_port = 0;
    std::uint64_t next_file = 1;
    std::map<std::string, socket_file> files;  // ordered: it is iterated
    std::vector<lingering_port> lingering;

    /// Whether packets reach it. A host whose program has ended still answers: with a reset.
    [[nodiscard]] bool is_up() const noexcept { return !down && backend != nullptr; }
};

}  // namespace anel::sim
