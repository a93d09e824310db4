// servers.hpp: the servers a comparison can name, and how each is started.
//
// The table is the only place that knows where the programs are. All of them take the address to
// listen on and the options of servers/server.hpp, print `listening on ADDRESS:PORT (NAME) DETAILS`
// when they do, where NAME says how they wait, and end with exit code 0 on SIGTERM.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/process.hpp"
#include "common/topology.hpp"
#include "load/load.hpp"

namespace anel_bench {

struct server_spec {
    std::string name;
    std::string what;       // one line for a reader
    std::string program;    // an absolute path
    std::string announces;  // the NAME it must print: a silent change of backend is an error
    std::vector<std::string> arguments{};
    std::vector<std::pair<std::string, std::string>> environment{};
    bool udp = false;
    std::size_t connections_max = 60'000;
    bool quick = false;    // takes part in a quick comparison
    bool computes = true;  // for each answer, when the load says so
    bool resumes = true;   // sends the rest of what a socket has not taken at once
    bool tls = false;
};

/// All servers, hand-written ones first; `program` is absolute, whether it has been built or not.
std::vector<server_spec> known_servers();

/// Why this server cannot take part in that load; empty when it can.
std::string cannot_serve(const server_spec& spec, const load_options& load);

/// Whether the program is there and may be executed.
bool is_built(const server_spec& spec);

/// A server that is running and listening.
struct running_server {
    child process;
    std::string address;  // ADDRESS:PORT
    std::string details;  // versions and flags, in its own words
    unique_fd output;     // kept open: a server that prints must not die of a broken pipe
};

/// Starts a server on a free port, set for that load.
/// Errors  std::runtime_error or std::system_error that names the program.
running_server start_server(const server_spec& spec, const load_options& load,
                            const placement& places, const interrupts& ctrl_c);

}  // namespace anel_bench
