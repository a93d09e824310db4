// chat.cpp: every line that a client sends goes to all others.     chat [ADDRESS:PORT]
//
// Who reads too slowly loses lines, and is told how many. Waiting for the slowest would let one
// client silence the room; closing its connection would let whoever talks fastest empty it.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

using namespace anel;
using namespace std::chrono_literals;

constexpr std::size_t line_max = 1024;    // bytes; a longer line ends its connection
constexpr std::size_t unsent_max = 1000;  // lines for one client: more than come in one turn

using room = std::vector<struct member*>;  // in the order in which they joined

struct member {
    explicit member(room& everybody) : in(everybody) { in.push_back(this); }
    member(const member&) = delete;
    ~member() { std::erase(in, this); }

    room& in;
    channel<std::string> unsent{unsent_max};
    std::size_t lost = 0;
};

/// Puts `line` into the queue of everyone but `speaker`; where it is full, counts the loss.
void say(const room& everybody, const std::string& line, const member* speaker = nullptr) {
    for (member* to : everybody) {
        if (to == speaker) continue;
        std::string notice = "* " + std::to_string(to->lost) + " lines lost\n";
        if (to->lost > 0 && to->unsent.try_send(std::move(notice))) to->lost = 0;
        if (to->lost > 0 || !to->unsent.try_send(std::string(line))) to->lost += 1;
    }
}

template <byte_stream Stream>
task<> deliver(member& to, Stream& conn) {
    while (auto text = co_await to.unsent.recv()) {
        while (auto more = to.unsent.try_recv()) *text += *more;  // in one packet
        co_await conn.send(*text);
    }
}

template <byte_stream Stream>
task<> session(room& everybody, Stream conn) {
    const std::string name = conn.peer_text();
    member self(everybody);
    say(everybody, "* " + name + " joined\n");
    auto ended = co_await as_result(with_task_group([&](task_group& group) -> task<> {
        group.spawn(deliver<Stream>, std::ref(self), std::ref(conn));
        buffered_reader reader(conn);
        while (auto line = co_await reader.read_line(line_max)) {
            say(everybody, name + ": " + std::string(*line) + '\n', &self);
            co_await sleep_for(0s);  // a turn, in which this line is sent before the next is read
        }
        self.unsent.close();  // what is in it is still delivered
    }));
    const std::string why = ended ? "" : ": " + ended.error().message();
    say(everybody, "* " + name + " left" + why + '\n', &self);
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    room everybody;
    co_await serve(std::move(listener),
                   [&](tcp_stream conn) { return session(everybody, std::move(conn)); });
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: chat [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "chat: " << error.what() << '\n';
    return 1;
}
