// race.hpp: connecting to whichever of several addresses answers first, RFC 8305.
//
// What connect(host, port) does with the addresses it has resolved; apart from it, so that a race
// can be run over addresses that no name has.
// Must not know: names.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/endpoint.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>

#include <chrono>
#include <span>
#include <vector>

namespace anel::detail {

/// The next attempt begins that long after the one before. RFC 8305, section 8: the recommended
/// Connection Attempt Delay.
inline constexpr auto attempt_delay = std::chrono::milliseconds(250);

/// The order in which to try what the resolver found: families take turns, beginning with that of
/// its first answer. RFC 8305, section 4.
std::vector<endpoint> interleaved(std::span<const endpoint> found);

/// Connects to the first of `addresses`, which must not be empty, that answers. The others are
/// cancelled, waited for and closed.
/// Errors    that of the attempt which failed last, when all have; task_cancelled, unless a
///           connection was made before: that one is returned.
/// Lifetime  `addresses` must outlive the co_await.
task<tcp_stream> connect_first(std::span<const endpoint> addresses, connect_options options = {});

}  // namespace anel::detail
