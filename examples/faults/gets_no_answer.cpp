// gets_no_answer.cpp: a client with a fault: now and then it waits for ever. Client and server run
// in a simulated network, with many seeds.
//
// Run it:     gets_no_answer --seeds=100 [--filter=mended]
// Repeat one: ANEL_SIM_SEED=0x2a gets_no_answer --filter=asks_once --record=run.json
// docs/seeing_inside.md finds the fault in five steps.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

#include <string>
#include <string_view>

using namespace anel;
using namespace std::chrono_literals;

namespace {

// Tells everybody the time of day, in seconds of the run.
task<> server() {
    auto socket = co_await udp_socket::bind("0.0.0.0:1300");
    char request[16];
    for (;;) {
        auto asked = co_await socket.recvfrom(request);
        auto now = co_await current_time();
        const std::string reply = std::to_string(now.time_since_epoch() / 1s);
        co_await socket.sendto(reply, asked.from);
    }
}

task<> ask(udp_socket& socket, endpoint whom) {
    char reply[32];
    co_await socket.sendto("time?", whom);
    co_await socket.recvfrom(reply);
}

// The mend: what may get lost is asked for again.
task<> ask_again(udp_socket& socket, endpoint whom) {
    for (;;) {
        auto answered = co_await as_result(with_timeout(500ms, ask(socket, whom)));
        if (answered) co_return;
    }
}

task<> client(bool mended, int& answers) {
    auto socket = co_await udp_socket::bind("0.0.0.0:0");
    const endpoint whom("10.0.0.1:1300");
    for (int i = 0; i < 10; ++i) {
        if (mended) co_await ask_again(socket, whom);
        else co_await ask(socket, whom);
        answers += 1;
        co_await sleep_for(1s);
    }
}

void asks(sim::world& world, bool mended) {
    int answers = 0;
    world.host("server", "10.0.0.1", [] { return server(); });
    world.client("client", "10.0.0.2", [&] { return client(mended, answers); });
    world.run(1min);
    world.always(answers == 10, "each question is answered");
}

void asks_once(sim::world& world) { asks(world, false); }
void mended(sim::world& world) { asks(world, true); }

}  // namespace

int main(int argc, char** argv) {
    sim::world_options losses;
    losses.swarm = false;
    losses.rates[sim::fault::datagram_lost] = 10'000;  // one in a hundred
    return sim::explore(argc, argv, {{"asks_once", asks_once, losses}, {"mended", mended, losses}});
}
