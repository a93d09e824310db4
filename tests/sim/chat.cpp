// chat.cpp: the very text of examples/chat.cpp and clients that come, talk and go: what each hears
// is what was said from its joining on, but for its own lines and those it is told it has lost.
// SPDX-License-Identifier: MIT

// g++ takes what an included file defines for something that other files define as well, and says
// so at the templates that use it: this must stand before them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace chat_example {
#define main chat_main
#include "examples/chat.cpp"  // what it includes is included above
#undef main
}  // namespace chat_example

namespace anel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t clients = 4;
constexpr std::size_t last_lines = 5;  // of each client, when nothing goes wrong any more
constexpr duration limit = 240s;

// One connection of a client.
struct visit {
    std::string name;           // what the server calls it
    std::size_t padding = 0;    // bytes that make its lines longer
    bool last = false;          // of its client
    std::size_t said = 0;       // lines that were handed to send()
    std::size_t passed_on = 0;  // those that the server told the others
};

struct minutes {
    std::vector<visit> visits;
    std::vector<std::string> lines;  // all that was said in the room, in order, without "\n"
    std::size_t present = 0;         // clients whose last visit has begun
    int whole = 0;
    int cut = 0;
    std::size_t lost = 0;
};

// Different for every line, so that one that comes twice or from another is seen.
std::string text_of(const minutes& all, std::size_t who, std::size_t number) {
    const char letter = static_cast<char>('a' + (who + number) % 26);
    return std::to_string(who) + ' ' + std::to_string(number) + ' ' +
           std::string(all.visits[who].padding, letter);
}

std::size_t number_in(std::string_view text) {
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

bool is_note(std::string_view line) { return line.starts_with("* "); }

// Whose line "NAME: WHO NUMBER PADDING" is.
std::size_t speaker_of(std::string_view line) {
    return number_in(line.substr(line.find(": ") + 2));
}

// A member of the room that hears everything.
task<> take_minutes(sim::world& in, minutes& all, chat_example::member& secretary) {
    while (auto line = co_await secretary.unsent.recv()) {
        line->pop_back();
        in.always(secretary.lost == 0, "who reads at once loses nothing");
        if (!is_note(*line)) {
            const std::size_t who = speaker_of(*line);
            in.always(who < all.visits.size(), "a line has a speaker");
            visit& speaker = all.visits[who];
            in.always(speaker.passed_on < speaker.said, "a line was said before it is passed on");
            in.always(*line == speaker.name + ": " + text_of(all, who, speaker.passed_on),
                      "lines are passed on whole, once, and in order");
            speaker.passed_on += 1;
        }
        all.lines.push_back(std::move(*line));
    }
}

task<> chat_host(sim::world& in, minutes& all) {
    tcp_listener listener;
    while (!listener.is_open()) {
        auto bound = co_await as_result(tcp_listener::bind("0.0.0.0:1"));
        if (bound) listener = std::move(*bound);
        else co_await sleep_for(100ms);
    }
    chat_example::room everybody;
    chat_example::member secretary(everybody);
    const auto session = [&](tcp_stream conn) {
        return chat_example::session(everybody, std::move(conn));
    };
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(take_minutes, std::ref(in), std::ref(all), std::ref(secretary));
        try {
            co_await serve(std::move(listener), session);
        } catch (const task_cancelled&) {
            in.always(everybody.size() == 1, "nobody stays in the room of a server that has ended");
            throw;
        }
    });
}

// Compares what a client hears with the minutes.
class hearing {
public:
    hearing(sim::world& in, minutes& all, std::size_t who) : in_(in), all_(all), who_(who) {}

    void hears(std::string_view line) {
        if (next_ == 0) joins(line);
        else if (line.ends_with(" lines lost")) skip(number_in(line.substr(2)));
        else {
            pass_own();
            in_.always(next_ < all_.lines.size() && all_.lines[next_] == line,
                       "what is heard is what was said next");
            next_ += 1;
            if (!is_note(line) && all_.visits[speaker_of(line)].last) last_heard_ += 1;
        }
    }
    [[nodiscard]] bool joined() const { return next_ > 0; }
    /// Lines of others' last visits.
    [[nodiscard]] std::size_t last_heard() const { return last_heard_; }

private:
    const std::string& name() const { return all_.visits[who_].name; }

    void joins(std::string_view line) {
        in_.always(line == "* " + name() + " joined", "the first line tells of one's own joining");
        const auto found = std::find(all_.lines.rbegin(), all_.lines.rend(), line);
        in_.always(found != all_.lines.rend(), "what is heard was said");
        next_ = static_cast<std::size_t>(all_.lines.rend() - found);
    }
    void skip(std::size_t count) {
        all_.lost += count;
        in_.always(count > 0, "a note of loss tells of a loss");
        for (; count > 0; --count) {
            pass_own();
            in_.always(next_ < all_.lines.size(), "what was lost was said");
            next_ += 1;
        }
    }
    void pass_own() {
        const std::string own = name() + ": ";
        while (next_ < all_.lines.size() && all_.lines[next_].starts_with(own)) next_ += 1;
    }

    sim::world& in_;
    minutes& all_;
    std::size_t who_;
    std::size_t next_ = 0;  // in the minutes; 0: not joined yet
    std::size_t last_heard_ = 0;
};

struct plan {
    std::size_t lines = 0;
    std::size_t padding = 0;
    duration deaf_for{0};  // reads nothing for so long
    bool last = false;
};

task<> take_part(sim::world& in, minutes& all, plan intent) {
    auto conn = co_await connect("server", 1);
    const std::size_t who = all.visits.size();
    visit& made = all.visits.emplace_back();
    made.name = conn.local_endpoint().to_string();
    made.padding = intent.padding;
    made.last = intent.last;
    hearing ear(in, all, who);
    event may_talk;
    event may_leave;
    if (!intent.last) may_talk.set();
    if (!intent.last) may_leave.set();

    const auto talk = [&]() -> task<> {
        co_await may_talk.wait();
        for (std::size_t i = 0; i < intent.lines; ++i) {
            const std::string line = text_of(all, who, i) + '\n';
            all.visits[who].said += 1;
            co_await conn.send(line);
            if (intent.lines < 100 && in.random(4) == 0)
                co_await sleep_for(std::chrono::milliseconds(in.random(100)));
        }
        co_await may_leave.wait();
        co_await conn.shutdown_send();
    };
    const auto listen = [&]() -> task<> {
        co_await sleep_for(intent.deaf_for);
        buffered_reader reader(conn);
        while (auto line = co_await reader.read_line(2000)) {
            const bool first = !ear.joined();
            ear.hears(*line);
            if (first && intent.last) {
                all.present += 1;
                while (all.present < clients) co_await sleep_for(10ms);
                may_talk.set();
            }
            if (ear.last_heard() == (clients - 1) * last_lines) may_leave.set();
        }
    };
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(talk);
        group.spawn(listen);
        co_return;
    });
    const visit& over = all.visits[who];
    in.always(over.said == intent.lines && over.passed_on == over.said,
              "what was said before a regular end is passed on");
    in.always(!intent.last || ear.last_heard() == (clients - 1) * last_lines,
              "without faults everybody hears all that others say");
}

task<> chat_client(sim::world& in, minutes& all, std::size_t self, bool talkative) {
    for (int i = 0; i < 3; ++i) {
        plan intent;
        intent.lines = in.random(30);
        intent.padding = in.random(4) == 0 ? 900 : in.random(50);
        if (in.random(4) == 0) intent.deaf_for = std::chrono::milliseconds(in.random(5000));
        // More than queues and buffers hold for who is deaf meanwhile.
        if (talkative && self == 0) {
            intent.lines = 3500;
            intent.padding = 900;
        }
        if (talkative && self == 1) intent.deaf_for = 10s;
        auto done = co_await as_result(with_timeout(20s, take_part(in, all, intent)));
        (done ? all.whole : all.cut) += 1;
        if (!done) co_await sleep_for(200ms);
    }
    co_await sleep_for(limit / 2 + 5s - in.now());  // no fault happens any more
    plan intent;
    intent.lines = last_lines;
    intent.last = true;
    co_await take_part(in, all, intent);
}

}  // namespace

void chat(sim::world& in) {
    minutes all;
    const bool talkative = in.random(8) == 0;
    in.host("server", "10.0.0.1", [&] { return chat_host(in, all); });
    for (std::size_t i = 0; i < clients; ++i) {
        const std::string number = std::to_string(i + 2);
        in.client("client" + number, "10.0.0." + number,
                  [&, i] { return chat_client(in, all, i, talkative); });
    }
    in.run(limit);
    in.sometimes(all.cut > 0, "a visit is cut short");
    in.sometimes(all.cut == 0 && all.lost == 0, "nothing goes wrong");
    in.sometimes(all.lost > 0, "a slow reader loses lines");
}

}  // namespace anel::test
