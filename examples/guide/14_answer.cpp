// 14_answer.cpp: adds over UDP, with a number in each request and retries.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

#include <map>
#include <string>
#include <tuple>

using namespace anel;
using namespace std::chrono_literals;

// Request "NUMBER", answer "NUMBER TOTAL". A number that comes again is not
// added again: it gets the answer that it got before.
task<> server(int& total) {
    auto socket = co_await udp_socket::bind("10.0.0.1:7000");
    std::map<std::string, std::string> done;
    char room[64];
    for (;;) {
        const datagram got = co_await socket.recvfrom(room);
        const std::string number(room, got.size);
        if (!done.contains(number)) {
            total += 1;
            done[number] = number + ' ' + std::to_string(total);
        }
        const std::string answer = done[number];
        auto sent = co_await as_result(socket.sendto(answer, got.from));
        std::ignore = sent;
    }
}

// Makes one add; returns when the server has answered it.
task<> add_one(udp_socket& socket, const endpoint& to, int number) {
    char room[64];
    const std::string request = std::to_string(number);
    co_await socket.sendto(request, to);
    for (;;) {
        auto wait = with_timeout(200ms, socket.recvfrom(room));
        auto got = co_await as_result(std::move(wait));
        if (!got) co_await socket.sendto(request, to);  // ask again
        if (!got) continue;
        // Another number: a late answer to a request before this one.
        const std::string answer(room, got->size);
        if (answer.starts_with(request + ' ')) co_return;
    }
}

task<> client(sim::world& world, int& total) {
    auto socket = co_await udp_socket::bind("10.0.0.2:0");
    const endpoint to("10.0.0.1:7000");
    for (int i = 1; i <= 10; ++i) co_await add_one(socket, to, i);
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
