// 15_answer.cpp: requests with numbers, and a client that reads them.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>

#include <map>
#include <string>

using namespace anel;
using namespace std::chrono_literals;

// Request "NUMBER", answer "NUMBER TOTAL". A number that comes again is not
// added again: it gets the answer that it got before.
task<> session(std::map<std::string, std::string>& done, tcp_stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(100)) {
        const std::string number(*line);
        const std::string total = std::to_string(done.size() + 1) + '\n';
        if (!done.contains(number)) done[number] = number + ' ' + total;
        co_await conn.send(done[number]);
    }
}

task<> server(std::map<std::string, std::string>& done) {
    auto listener = co_await tcp_listener::bind("10.0.0.1:7000");
    co_await serve(std::move(listener), [&](tcp_stream conn) {
        return session(done, std::move(conn));
    });
}

// Makes one add; returns the total that the server answered.
task<int> add(tcp_stream& conn, buffered_reader& reader, int number) {
    const std::string request = std::to_string(number) + '\n';
    co_await conn.send(request);
    for (;;) {
        auto wait = with_timeout(100ms, reader.read_line(100));
        auto answer = co_await as_result(std::move(wait));
        if (!answer) co_await conn.send(request);  // not in time: ask again
        if (!answer || !*answer) continue;
        const std::string text(**answer);
        const std::size_t blank = text.find(' ');
        // Another number: a late answer to a request before this one.
        if (text.substr(0, blank) == std::to_string(number))
            co_return std::stoi(text.substr(blank));
    }
}

// From here on nothing needs to change.
task<> client(sim::world& world) {
    auto conn = co_await connect("10.0.0.1:7000");
    buffered_reader reader(conn);
    for (int i = 1; i <= 5; ++i) {
        const int total = co_await add(conn, reader, i);
        world.always(total == i, "the answer is that of this request");
    }
}

void each_its_answer(sim::world& world) {
    std::map<std::string, std::string> done;
    world.host("server", "10.0.0.1", [&] { return server(done); });
    world.client("client", "10.0.0.2", [&] { return client(world); });
    world.run(10min);
}

int main(int argc, char** argv) {
    sim::world_options faults;
    faults.swarm = false;
    faults.rates[sim::fault::slow_segment] = 1'000;  // of 1,000,000
    faults.rates[sim::fault::split_segment] = 100'000;
    return sim::explore(argc, argv,
                        {{"each_its_answer", each_its_answer, faults}});
}
