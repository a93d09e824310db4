// 13_exercise.cpp: a chat whose memory grows when a client stops reading.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <deque>
#include <iostream>
#include <string>
#include <vector>

using namespace anel;
using namespace std::chrono_literals;

using room = std::vector<struct member*>;

struct member {
    explicit member(room& all) : in(all) { in.push_back(this); }
    member(const member&) = delete;
    ~member() { std::erase(in, this); }

    room& in;
    std::deque<std::string> unsent;
    event more;
    bool leaving = false;
};

void say(member& to, const std::string& line) {
    to.unsent.push_back(line);
    to.more.set();
}

task<> deliver(member& to, tcp_stream& conn) {
    while (!to.leaving || !to.unsent.empty()) {
        co_await to.more.wait();
        to.more.reset();
        while (!to.unsent.empty()) {
            const std::string line = std::move(to.unsent.front());
            to.unsent.pop_front();
            co_await conn.send(line);
        }
    }
}

task<> session(room& all, tcp_stream conn) {
    member self(all);
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(deliver, std::ref(self), std::ref(conn));
        buffered_reader reader(conn);
        while (auto line = co_await reader.read_line(1024)) {
            const std::string text = std::string(*line) + '\n';
            for (member* to : all)
                if (to != &self) say(*to, text);
            co_await sleep_for(0s);
        }
        self.leaving = true;
        self.more.set();
    });
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    std::cout << "listening on " << listener.local_endpoint() << std::endl;
    room all;
    co_await serve(std::move(listener), [&](tcp_stream conn) {
        return session(all, std::move(conn));
    });
}

int main(int argc, char** argv) {
    const std::string port = argc > 1 ? argv[1] : "7777";
    return run(server("127.0.0.1:" + port));
}
