// scenarios.hpp: the library's own programs in a simulated network, each with what must hold.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/sim.hpp>

namespace anel::test {

/// Clients ask over TCP and ask again after a failure, until each request has its answer.
void request_reply(sim::world& in);
/// A server is told to stop while it is in use: what it has begun is finished.
void serve_drain(sim::world& in);
/// A name has several addresses, most of which lead nowhere.
void connect_racing(sim::world& in);
/// Datagrams with numbers, sent again until the answer with the same number comes.
void udp_retries(sim::world& in);
/// examples/proxy.cpp between clients and an echo server.
void proxy(sim::world& in);
/// examples/chat.cpp and clients that come, talk and go, some of which read slowly.
void chat(sim::world& in);
/// Whatever can be given up is, at any moment.
void cancel_storm(sim::world& in);
/// The scenario that is measured: 8 clients, 100 requests each, and resets.
void standard(sim::world& in);
sim::world_options standard_options();

}  // namespace anel::test
