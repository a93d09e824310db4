// 12_exercise.cpp: 1,000 races in which bytes get lost. Find out where.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <iostream>
using namespace anel;
using namespace std::chrono_literals;

struct ledger {
    std::size_t sent = 0, received = 0, left = 0, timeouts = 0;
};

task<> sender(sim::world& world, ledger& book) {
    auto conn = co_await connect("receiver", 7000);
    for (int i = 0; i < 10; ++i) {
        co_await conn.send("12345678");
        book.sent += 8;
        co_await sleep_for(100us * world.random(20));
    }
}

task<> receiver(ledger& book) {
    auto listener = co_await tcp_listener::bind("0.0.0.0:7000");
    auto conn = co_await listener.accept();
    char record[8];
    for (int i = 0; i < 10; ++i) {
        // Yours to change: what is cut short must not lose a byte.
        auto got = co_await as_result(
            with_timeout(1ms, conn.recv_exact(record)));
        if (got) book.received += sizeof record;
        else book.timeouts += 1;
    }
    while (auto data = co_await conn.recv()) book.left += data.size();
}

int main() {
    sim::world_options options;
    options.swarm = false;
    options.rates[sim::fault::split_segment] = 500'000;  // every second
    ledger all;
    std::size_t wrong = 0;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        ledger book;
        sim::world world(seed, options);
        world.client("receiver", "10.0.0.1",
                     [&] { return receiver(book); });
        world.client("sender", "10.0.0.2",
                     [&] { return sender(world, book); });
        world.run(1min);
        if (book.sent != book.received + book.left) wrong += 1;
        all.sent += book.sent;
        all.received += book.received;
        all.left += book.left;
        all.timeouts += book.timeouts;
    }
    std::cout << "1000 seeds, " << all.timeouts << " timeouts: sent "
              << all.sent << ", received " << all.received << ", left "
              << all.left << "; wrong in " << wrong << " seeds\n";
    return wrong == 0 ? 0 : 1;
}
