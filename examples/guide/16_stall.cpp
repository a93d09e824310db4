// 16_stall.cpp: asks a server by two plans and stops it for one second.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

using namespace anel;
using namespace std::chrono_literals;
using times = std::vector<std::chrono::duration<double, std::milli>>;

task<> ask(tcp_stream& conn, time_point since, times& latencies) {
    char reply[3];
    co_await conn.send("oi\n");
    co_await conn.recv_exact(reply);
    auto answered = co_await current_time();
    latencies.push_back(answered - since);
}
// #region loops
task<> closed_loop(endpoint server, time_point end, times& latencies) {
    auto conn = co_await connect(server);
    auto sent = co_await current_time();
    while (sent < end) {
        co_await ask(conn, sent, latencies);
        co_await sleep_for(1ms);  // counts from the answer
        sent = co_await current_time();
    }
}

task<> open_loop(endpoint server, time_point end, times& latencies) {
    auto conn = co_await connect(server);
    for (auto due = end - 4s; due < end; due += 1ms) {
        co_await sleep_until(due);  // goes on at once when it is late
        co_await ask(conn, due, latencies);
    }
}
// #endregion loops
// #region plan
task<> measure(endpoint server, pid_t process, times& closed, times& open) {
    auto start = co_await current_time();
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(closed_loop, server, start + 4s, std::ref(closed));
        group.spawn(open_loop, server, start + 4s, std::ref(open));
        co_await sleep_until(start + 1s);
        kill(process, SIGSTOP);
        co_await sleep_until(start + 2s);
        kill(process, SIGCONT);
    });
}
// #endregion plan
void print(const char* plan, times& all) {
    std::sort(all.begin(), all.end());
    std::printf("%s: %zu questions\n", plan, all.size());
    for (auto from = all.begin(); int limit : {1, 250, 500, 750, 10000}) {
        auto to = std::upper_bound(from, all.end(), limit * 1ms);
        std::printf("  up to %5d ms %6td\n", limit, to - from);
        from = to;
    }
    std::printf("  p99 %9.1f ms\n", all[all.size() * 99 / 100].count());
}

int main(int argc, char** argv) try {
    if (argc != 3) return std::puts("usage: 16_stall ADDRESS:PORT PID"), 2;
    times closed, open;
    run(measure(argv[1], std::stoi(argv[2]), closed, open));
    print("closed loop", closed);
    print("open loop", open);
} catch (const std::exception& error) {
    return std::fprintf(stderr, "16_stall: %s\n", error.what()), 1;
}
