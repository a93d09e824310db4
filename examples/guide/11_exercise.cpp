// 11_exercise.cpp: asks servers one after another; should ask all at once.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <iostream>
using namespace anel;

task<> fetch(endpoint server) {
    auto conn = co_await connect(server);
    char answer[3];
    co_await conn.recv_exact(answer);  // throws if the server hangs up
    std::cout << server << ": " << std::string_view(answer, 3) << std::endl;
}

task<> program(std::vector<endpoint> servers) {
    // Yours to change: ask all of them at once, in a group.
    for (const endpoint& server : servers) co_await fetch(server);
}

int main(int argc, char** argv) try {
    std::vector<endpoint> servers(argv + 1, argv + argc);
    return run(program(servers));
} catch (const std::exception& error) {
    std::cout << "the first error: " << error.what() << '\n';
    return 1;
}
