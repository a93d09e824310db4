// 15_adder.hpp: a server that adds; a client that asks again after 100 ms.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <string>

using namespace anel;
using namespace std::chrono_literals;

// #region server
task<> session(int& total, tcp_stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        total += 1;
        const std::string answer = std::to_string(total) + '\n';
        co_await conn.send(answer);
    }
}

struct adder {
    int& total;
    task<> operator()(tcp_stream conn) const {
        return session(total, std::move(conn));
    }
};

task<> server(tcp_listener listener, int& total) {
    const adder each{total};
    co_await serve(std::move(listener), each);
}
// #endregion server

// #region client
task<> client(endpoint server, int& answered) {
    auto conn = co_await connect(server);
    buffered_reader reader(conn);
    while (answered < 5) {
        co_await conn.send("add one\n");
        auto wait = with_timeout(100ms, reader.read_line(100));
        auto answer = co_await as_result(std::move(wait));
        if (answer) answered += 1;  // no answer in time: ask again
    }
}
// #endregion client
