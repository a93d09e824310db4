// 15_by_hand.cpp: the server and the client of 15_adder.hpp, on loopback.
// SPDX-License-Identifier: MIT
#include "15_adder.hpp"

#include <iostream>

// #region by_hand
task<> by_hand() {
    auto listener = co_await tcp_listener::bind("127.0.0.1:0");
    const endpoint at = listener.local_endpoint();
    int total = 0, answered = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(server, std::move(listener), std::ref(total));
        co_await client(at, answered);
        group.cancel();
    });
    std::cout << answered << " answered, " << total << " done\n";
}
// #endregion by_hand

int main() { return run(by_hand()); }
