// 14_exercise.cpp: adds over UDP; the network loses 20 % of the datagrams.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

#include <string>
#include <tuple>

using namespace anel;
using namespace std::chrono_literals;

// Every datagram "add" adds one; the answer is the total.
task<> server(int& total) {
    auto socket = co_await udp_socket::bind("10.0.0.1:7000");
    char room[64];
    for (;;) {
        const datagram got = co_await socket.recvfrom(room);
        total += 1;
        const std::string answer = std::to_string(total);
        auto sent = co_await as_result(socket.sendto(answer, got.from));
        std::ignore = sent;
    }
}

// Makes one add; returns when the server has answered it.
task<> add_one(udp_socket& socket, const endpoint& to) {
    char room[64];
    co_await socket.sendto("add", to);
    auto wait = with_timeout(200ms, socket.recvfrom(room));
    co_await std::move(wait);
}

// From here on nothing needs to change.
task<> client(sim::world& world, int& total) {
    auto socket = co_await udp_socket::bind("10.0.0.2:0");
    const endpoint to("10.0.0.1:7000");
    for (int i = 1; i <= 10; ++i) co_await add_one(socket, to);
    co_await sleep_for(1s);  // virtual: whatever is late has come by then
    world.always(total == 10, "10 adds are answered, none is done twice");
}

void adds(sim::world& world) {
    int total = 0;
    world.host("server", "10.0.0.1", [&] { return server(total); });
    world.client("client", "10.0.0.2",
                 [&] { return client(world, total); });
    world.run(10min);
}

int main(int argc, char** argv) {
    sim::world_options faults;
    faults.swarm = false;
    faults.rates[sim::fault::datagram_lost] = 200'000;  // of 1,000,000
    faults.rates[sim::fault::datagram_doubled] = 50'000;
    faults.rates[sim::fault::datagram_late] = 50'000;
    return sim::explore(argc, argv, {{"adds", adds, faults}});
}
