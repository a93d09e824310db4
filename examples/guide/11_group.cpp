// 11_group.cpp: three fetches in a group; the error of one ends the others.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <filesystem>
#include <iostream>
using namespace anel;

// #region fetch
struct farewell {
    int number;
    ~farewell() { std::cout << "fetch " << number << " ends\n"; }
};

task<> fetch(int number, endpoint server) {
    farewell at_the_end{number};
    auto conn = co_await connect(server);
    char answer[3];
    co_await conn.recv_exact(answer);  // throws if the server hangs up
}
// #endregion fetch

// #region group
task<> fetch_all(tcp_listener& silent, tcp_listener& rude) {
    auto body = [&](task_group& group) -> task<> {
        group.spawn(fetch, 1, silent.local_endpoint());
        group.spawn(fetch, 2, silent.local_endpoint());
        group.spawn(fetch, 3, rude.local_endpoint());
        auto conn = co_await rude.accept();
        std::filesystem::directory_iterator threads("/proc/self/task");
        std::cout << group.size() << " children, "
                  << std::distance(threads, {}) << " thread\n";
    };  // here the connection of fetch 3 is closed
    co_await with_task_group(body);  // ends when all of them have ended
}
// #endregion group

// #region program
task<> program() {
    auto silent = co_await tcp_listener::bind("127.0.0.1:0");
    auto rude = co_await tcp_listener::bind("127.0.0.1:0");
    auto fetched = co_await as_result(fetch_all(silent, rude));
    std::cout << "the group: " << fetched.error().message() << '\n';
}
// #endregion program

int main() { return run(program()); }
