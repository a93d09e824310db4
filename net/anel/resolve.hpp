// resolve.hpp: from a host's name to its addresses.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/endpoint.hpp>
#include <anel/task.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace anel {

/// Looks up the addresses of `host`, a name or a numeric address, in the order in which they should
/// be tried. A numeric address is answered at once; a name on a helper thread, because getaddrinfo
/// can block for seconds: the call that everyone forgets.
/// The zone of an IPv6 address may be an interface's name: fe80::1%eth0.
/// Returns  at least one endpoint, at most 16, each with `port`.
/// Errors   EINVAL for a name that is empty, too long or has a byte no name has: it is refused,
///          never cut; name_category() codes such as EAI_NONAME; ENODEV for an interface that is
///          not there; EAGAIN when 256 lookups are waiting. A cancel is immediate; the late answer
///          is thrown away.
/// Source   getaddrinfo(3).
task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port);

}  // namespace anel
