// 12_race.cpp: bytes and a timeout race on a simulated network.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim_explore.hpp>
using namespace anel;
using namespace std::chrono_literals;

// #region race
task<> sender() {
    auto conn = co_await connect("receiver", 7000);
    co_await conn.send("hello");
}

task<> receiver(sim::world& world) {
    auto listener = co_await tcp_listener::bind("0.0.0.0:7000");
    auto conn = co_await listener.accept();
    char buffer[64];
    auto first = co_await as_result(with_timeout(1ms, conn.recv(buffer)));
    const std::size_t received = first ? *first : 0;
    std::size_t left = 0;
    while (auto data = co_await conn.recv()) left += data.size();
    world.always(received + left == 5, "no byte is lost, none is doubled");
    world.sometimes(!first, "the timeout wins");
    world.sometimes(received == 5, "the bytes win");
}
// #endregion race

// #region world
void race(sim::world& world) {
    world.client("receiver", "10.0.0.1", [&] { return receiver(world); });
    world.client("sender", "10.0.0.2", sender);
    world.run(1min);
}

int main(int argc, char** argv) {
    sim::world_options calm;
    calm.swarm = false;  // nothing breaks: only the moments differ
    return sim::explore(argc, argv, {{"race", race, calm}});
}
// #endregion world
