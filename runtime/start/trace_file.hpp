// trace_file.hpp: the record of a loop as a file, which share/trace draws.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>

#include <string>

namespace anel::detail {

/// The file that a run is recorded to: `asked_for`, or what ANEL_TRACE says; "": none.
std::string trace_path(const std::string& asked_for);

/// `run.json` becomes `run.2.json`: a file of its own for each loop of a process but the first.
std::string trace_path_of(const std::string& path, unsigned loop);

/// Writes the record of `of`, which has one. Errors: io_error.
void write_record(const loop& of);

}  // namespace anel::detail
