// own_server.hpp: a server of the user's own, given as a command with the place of its port.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/process.hpp"
#include "common/topology.hpp"
#include "run/servers.hpp"

namespace anel_bench {

/// Whether the text is a command, `CMD {port}`, not a name.
bool is_server_command(const std::string& text);

/// Starts it with a free port, and with the path of a certificate and its key for {certificate}.
/// Waits until that port of 127.0.0.1 takes a connection. The command is split at spaces and
/// started without a shell, so that its process is the server's: the CPU time of that is measured.
/// What it prints to stdout is thrown away.
/// Errors  std::runtime_error or std::system_error that names the command.
running_server start_server_command(const std::string& text, const placement& places,
                                    const interrupts& ctrl_c);

}  // namespace anel_bench
