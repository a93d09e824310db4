// 13_answer.cpp: a chat where a client that stops reading costs 64 KiB.
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
    std::size_t bytes = 0;  // of the lines in `unsent`
    std::size_t lost = 0;
    event more;
    bool leaving = false;
};

constexpr std::size_t bytes_max = 64 * 1024;  // for one client

void say(member& to, const std::string& line) {
    std::string text = line;
    if (to.lost > 0)
        text = "* " + std::to_string(to.lost) + " lines lost\n" + line;
    if (to.bytes + text.size() > bytes_max) {
        to.lost += 1;
        return;
    }
    to.lost = 0;
    to.bytes += text.size();
    to.unsent.push_back(std::move(text));
    to.more.set();
}

task<> deliver(member& to, tcp_stream& conn) {
    while (!to.leaving || !to.unsent.empty()) {
        co_await to.more.wait();
        to.more.reset();
        while (!to.unsent.empty()) {
            const std::string line = std::move(to.unsent.front());
            to.unsent.pop_front();
            to.bytes -= line.size();
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
