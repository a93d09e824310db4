// task_tree.hpp: a listing of what every task waits for, and where: for a program that hangs.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/cancel_scope.hpp>

#include <string>

namespace anel {

/// Lists the waits in `scope` and below: one line each, with the places of the chain of awaits that
/// leads to it, the innermost first: `  recv at server.cpp:31 <- server.cpp:57`.
/// Returns  the lines, in the order in which the tasks were started; empty when nothing waits.
/// Thread   the loop's own.
[[nodiscard]] std::string task_tree(const detail::cancel_scope& scope);

}  // namespace anel
