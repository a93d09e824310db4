// 10_client.cpp: sends the lines you type and prints what comes back.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <iostream>
using namespace anel;

// #region talk
task<> talk(tcp_stream& conn) {
    standard_input keyboard;
    while (auto line = co_await keyboard.read_line())
        co_await conn.send(*line, "\n");  // both, and all of both
    co_await conn.shutdown_send();        // no more lines: tell the server
}
// #endregion talk

// #region show
task<> show(tcp_stream& conn) {
    while (auto data = co_await conn.recv())  // empty: the server has ended
        std::cout << data.text() << std::flush;
}
// #endregion show

// #region client
task<> client(endpoint server) {
    auto conn = co_await connect(server);
    co_await when_all(talk(conn), show(conn));  // both at the same time
}

int main(int argc, char** argv) try {
    return run(client(argc > 1 ? argv[1] : "127.0.0.1:7777"));
} catch (const std::exception& error) {
    std::cerr << "10_client: " << error.what() << '\n';
    return 1;
}
// #endregion client
