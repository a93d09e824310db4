// servers.hpp: the servers a comparison can name, and how each is started.
//
// The table is the only place that knows where the programs are. All of them take the address to
// listen on as their argument, print `listening on ADDRESS:PORT (NAME)` when they do, where NAME
// says how they wait, and end with exit code 0 on SIGTERM: that is the whole contract.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "process.hpp"

namespace anel_bench {

struct server_spec {
    std::string name;
    std::string program;    // an absolute path
    std::string announces;  // the NAME it must print: a silent change of backend is an error
    std::vector<std::pair<std::string, std::string>> environment;
    std::string what;  // one line for a reader
};

/// All servers, hand-written ones first; `program` is absolute, whether it has been built or not.
std::vector<server_spec> known_servers();

/// Whether the program is there and may be executed.
bool is_built(const server_spec& spec);

/// A server that is running and listening.
struct running_server {
    child process;
    std::string address;  // ADDRESS:PORT
    unique_fd output;     // kept open: a server that prints must not die of a broken pipe
};

/// Starts a server on a free port of 127.0.0.1.
/// Errors  std::runtime_error or std::system_error that names the program.
running_server start_server(const server_spec& spec, std::optional<int> cpu,
                            const interrupts& ctrl_c);

}  // namespace anel_bench
