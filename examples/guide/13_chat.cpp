// 13_chat.cpp: a chat with a limit on the lines that wait for one client.
// SPDX-License-Identifier: MIT
//     13_chat [PORT] [LINES]     with /who, /think and /offload
#include <anel/anel.hpp>
#include <csignal>
#include <iostream>
using namespace anel;
using namespace std::chrono_literals;

// #region member
using room = std::vector<struct member*>;

struct member {
    member(room& all, std::string peer, std::size_t lines)
        : in(all), name(std::move(peer)), unsent(lines) {
        in.push_back(this);
    }
    member(const member&) = delete;
    ~member() { std::erase(in, this); }
    room& in;
    std::string name;
    channel<std::string> unsent;  // the limit: so many lines, then no more
    std::size_t lost = 0;
};

void say(member& to, std::string line) {
    std::string notice = "* " + std::to_string(to.lost) + " lines lost\n";
    if (to.lost > 0 && to.unsent.try_send(std::move(notice))) to.lost = 0;
    if (to.lost > 0 || !to.unsent.try_send(std::move(line))) to.lost += 1;
}
// #endregion member

// #region deliver
task<> deliver(member& to, tcp_stream& conn) {
    while (auto line = co_await to.unsent.recv())
        co_await conn.send(*line);  // a slow reader keeps this task here
}
// #endregion deliver

// #region think
void think() {  // computes for about a second, and never gives way
    for (volatile int i = 0; i < 500'000'000;) i = i + 1;
}

task<> obey(member& self, std::string line) {
    if (line == "/think") think();
    if (line == "/offload") co_await offload(think);
    for (member* to : self.in) {
        const std::string wait = ' ' + std::to_string(to->unsent.size());
        const std::string lost = std::to_string(to->lost) + " lost\n";
        if (line == "/who") say(self, to->name + wait + " wait, " + lost);
        else if (to != &self) say(*to, self.name + ": " + line + '\n');
    }
}
// #endregion think

task<> session(room& all, std::size_t lines, tcp_stream conn) {
    member self(all, conn.peer_endpoint().to_string(), lines);
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(deliver, std::ref(self), std::ref(conn));
        buffered_reader reader(conn);
        while (auto line = co_await reader.read_line(1024)) {
            co_await obey(self, std::string(*line));
            co_await sleep_for(0s);  // a turn: the others get theirs
        }
        self.unsent.close();  // what waits is still delivered
    });
}

task<> server(endpoint address, std::size_t lines) {
    auto listener = co_await tcp_listener::bind(address);
    std::cout << "listening on " << listener.local_endpoint() << std::endl;
    room all;
    co_await serve(std::move(listener), [&](tcp_stream conn) {
        return session(all, lines, std::move(conn));
    });
}

int main(int argc, char** argv) {
    const std::string port = argc > 1 ? argv[1] : "7777";
    const std::size_t lines = argc > 2 ? std::stoul(argv[2]) : 100;
    // #region watch
    return run(server("127.0.0.1:" + port, lines),
               {.dump_on = SIGUSR1, .stall_after = 100ms});
    // #endregion watch
}
