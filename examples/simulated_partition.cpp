// simulated_partition.cpp: a key-value server and its clients in a simulated network, with many
// seeds: does a client ever see an older value than one it has written itself?
//
// Run it:     simulated_partition --seeds=500
// Repeat one: ANEL_SIM_SEED=0x2a simulated_partition
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <tuple>

using namespace anel;
using namespace std::chrono_literals;

namespace {

// --- the server: as it would run on a real network ----------------------------------------------

// "set 7" -> "ok", "get" -> "7".
task<> session(tcp_stream conn, int& value) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        std::string answer = "ok\n";
        // Not simply `value = ...`: a request that was given up may still be on its way, and
        // arrive after newer ones. A few seeds of this simulation show it.
        if (line->starts_with("set ")) value = std::max(value, std::atoi(line->data() + 4));
        else answer = std::to_string(value) + "\n";
        co_await conn.send(answer);
    }
}

task<tcp_listener> patient_bind(endpoint address) {
    for (;;) {
        auto bound = co_await as_result(tcp_listener::bind(address));
        if (bound) co_return std::move(*bound);
        co_await sleep_for(100ms);
    }
}

// `value` is what a disk would keep: it outlives a crash.
task<> server(int& value) {
    auto listener = co_await patient_bind("0.0.0.0:7000");
    const auto serve_one = [&](tcp_stream conn) { return session(std::move(conn), value); };
    co_await serve(std::move(listener), serve_one);
}

// --- the client ---------------------------------------------------------------------------------

task<std::string> ask_once(std::string question) {
    auto conn = co_await connect("server", 7000);
    co_await conn.send(question + "\n");
    buffered_reader reader(conn);
    auto answer = co_await reader.read_line(100);
    co_return answer ? std::string(*answer) : std::string();
}

task<std::string> ask(std::string question) {
    for (;;) {
        auto answer = co_await as_result(with_timeout(2s, ask_once(question)));
        if (answer && !answer->empty()) co_return std::move(*answer);
        co_await sleep_for(100ms);
    }
}

task<> client(sim::world& world) {
    for (int i = 1; i <= 20; ++i) {
        auto done = co_await ask("set " + std::to_string(i));
        auto value = co_await ask("get");
        world.always(done == "ok" && std::atoi(value.c_str()) == i, "a client reads what it wrote");
    }
}

// --- the world they live in ---------------------------------------------------------------------

void reads_own_writes(sim::world& world) {
    int value = 0;
    world.host("server", "10.0.0.1", [&] { return server(value); });
    world.client("client", "10.0.0.2", [&] { return client(world); });
    world.at(1s, [&] { world.partition("server", "client"); });
    world.at(5s, [&] { world.heal(); });
    world.run(10min);
    world.sometimes(world.now() > 5s, "the partition is felt");
}

}  // namespace

int main(int argc, char** argv) {
    return sim::explore(argc, argv, {{"reads_own_writes", reads_own_writes}});
}
