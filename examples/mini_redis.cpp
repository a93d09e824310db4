// mini_redis.cpp: a small part of Redis, in memory.     mini_redis [ADDRESS:PORT]
//
//   PING ECHO SET GET DEL INCR EXPIRE PUBLISH SUBSCRIBE QUIT, over RESP2, pipelined
//
// Commands are parsed where they were received: no byte of one is copied before it is stored.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace anel;
using namespace std::chrono_literals;

constexpr std::size_t words_max = 64;           // of a command
constexpr std::size_t word_max = 512U << 10;    // bytes
constexpr std::size_t command_max = 1U << 20;   // bytes, with its marks
constexpr std::size_t replies_max = 64U << 10;  // bytes gathered before they are sent
constexpr std::size_t unsent_max = 4U << 20;    // bytes for a subscriber, who is cut off then
constexpr std::size_t channels_max = 1000;      // of one subscriber
constexpr std::size_t stored_max = 64U << 20;   // bytes of keys, values, limits and channels
constexpr std::size_t key_costs = 256;          // bytes that a key needs besides
constexpr std::size_t limit_costs = 1024;       // bytes of a task that waits
constexpr std::size_t channel_costs = 256;      // bytes of a subscription, which has the name twice
constexpr std::size_t line_max = 22;  // bytes: a mark, the digits of a length, the line's end
constexpr std::int64_t seconds_max = 10'000'000'000;  // of EXPIRE: 300 years

// --- the protocol: no network here --------------------------------------------------------------

struct protocol_error : std::runtime_error {
    using runtime_error::runtime_error;
};

/// Takes `mark`, a number of at most `most`, and the end of the line off `text`.
/// Returns  nothing while the line is not whole.
std::optional<std::size_t> take_number(std::string_view& text, char mark, std::size_t most,
                                       const char* what) {
    if (text.empty()) return std::nullopt;
    if (text[0] != mark) {
        const bool print = std::isprint(static_cast<unsigned char>(text[0])) != 0;
        throw protocol_error(std::string("expected '") + mark + "', got " +
                             (print ? std::string("'") + text[0] + '\'' : "a control character"));
    }
    const std::size_t end = text.substr(0, line_max).find('\r');
    if (end == text.npos && text.size() < line_max) return std::nullopt;
    if (end + 1 == text.size()) return std::nullopt;
    std::size_t number = 0;
    const auto [stop, error] =
        std::from_chars(text.data() + 1, text.data() + std::min(end, line_max), number);
    if (end == text.npos || text[end + 1] != '\n' || stop != text.data() + end ||
        error != std::errc() || number > most)
        throw protocol_error(std::string("invalid ") + what);
    text.remove_prefix(end + 2);
    return number;
}

/// Parses one command at the start of `held` into `words`, which point into it.
/// Returns  its bytes; 0 while it is not whole. An empty line is a command of no words.
/// Errors   protocol_error.
std::size_t parse(std::string_view held, std::vector<std::string_view>& words) {
    std::string_view text = held;
    words.clear();
    if (held.starts_with("\r\n")) return 2;  // no command: redis-cli --pipe sends that
    if (held == "\r") return 0;
    const auto count = take_number(text, '*', words_max, "multibulk length");
    if (!count) return 0;
    if (*count == 0) throw protocol_error("invalid multibulk length");
    while (words.size() < *count) {
        const auto size = take_number(text, '$', word_max, "bulk length");
        if (!size || text.size() < *size + 2) return 0;
        if (text.substr(*size, 2) != "\r\n") throw protocol_error("a word is not as long as said");
        words.push_back(text.substr(0, *size));
        text.remove_prefix(*size + 2);
    }
    return held.size() - text.size();
}

void put_number(std::string& out, char mark, std::int64_t number) {
    out += mark;
    out += std::to_string(number);
    out += "\r\n";
}

void put_word(std::string& out, std::string_view word) {
    put_number(out, '$', static_cast<std::int64_t>(word.size()));
    out += word;
    out += "\r\n";
}

std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// --- what is stored -----------------------------------------------------------------------------

/// The time limit of a key, which is a task. Key and limit know each other while both are there.
struct expiry {
    expiry(struct store& everything, struct entry& key, std::size_t size)
        : all(everything), of(&key), bytes(size) {}
    expiry(const expiry&) = delete;
    ~expiry();
    store& all;
    entry* of;
    std::size_t bytes;
    event dropped;
};

struct entry {
    entry() = default;
    entry(const entry&) = delete;
    ~entry() { drop_limit(); }
    void drop_limit() {
        if (!limit) return;
        limit->of = nullptr;
        limit->dropped.set();
        limit = nullptr;
    }
    std::string value;
    expiry* limit = nullptr;
};

struct store {
    std::map<std::string, entry, std::less<>> keys;
    std::map<std::string, std::set<struct client*>, std::less<>> channels;
    std::size_t bytes = 0;
    task_group* limits = nullptr;

    /// Returns  false when so many bytes more would be too much.
    bool take(std::size_t more) {
        if (more > stored_max - bytes) return false;
        bytes += more;
        return true;
    }
    /// Returns  false when that would be too much: nothing has changed.
    bool set(std::string_view key, std::string_view value) {
        const auto found = keys.find(key);
        const std::size_t before = found == keys.end() ? 0 : found->second.value.size();
        const std::size_t more = value.size() + (found == keys.end() ? key.size() + key_costs : 0);
        if (more > before && !take(more - before)) return false;
        if (more < before) bytes -= before - more;
        entry& changed = found == keys.end() ? keys[std::string(key)] : found->second;
        std::string(value).swap(changed.value);  // an assignment would keep the memory
        return true;
    }
    bool erase(std::string_view key) {
        const auto found = keys.find(key);
        if (found == keys.end()) return false;
        bytes -= found->first.size() + key_costs + found->second.value.size();
        keys.erase(found);
        return true;
    }
};

expiry::~expiry() {
    if (of) of->limit = nullptr;
    all.bytes -= bytes;
}

/// Erases a key after `seconds`, unless its limit is dropped before.
task<> erase_after(store& all, std::string key, std::unique_ptr<expiry> limit,
                   std::chrono::seconds seconds) {
    auto dropped = co_await as_result(with_timeout(seconds, limit->dropped.wait()));
    if (!dropped && limit->of) all.erase(key);
}

// --- a client -----------------------------------------------------------------------------------

std::size_t subscription_size(std::string_view name) { return channel_costs + 2 * name.size(); }

struct client {
    explicit client(store& everything) : all(everything) {}
    client(const client&) = delete;
    ~client() {
        for (const std::string& name : subscribed) {
            const auto found = all.channels.find(name);
            all.bytes -= subscription_size(name);
            found->second.erase(this);
            if (found->second.empty()) all.channels.erase(found);
        }
    }
    /// Has a subscriber's replies sent; who does not read them is cut off.
    void wake() {
        something.set();
        if (replies.size() > unsent_max && group) group->cancel();
    }

    store& all;
    task_group* group = nullptr;  // its session, while it reads
    std::string replies;          // not sent yet; of a subscriber, with the messages
    event something;              // is in them, or the end has come
    std::set<std::string, std::less<>> subscribed;
    bool ended = false;
};

/// A client whose session reads.
struct reading {
    reading(client& who, task_group& group) : of(who) { of.group = &group; }
    reading(const reading&) = delete;
    ~reading() {
        of.group = nullptr;
        of.ended = true;
        of.something.set();
    }
    client& of;
};

using words = std::vector<std::string_view>;

void ping(client& to, const words& said) {
    if (!to.subscribed.empty()) {
        to.replies += "*2\r\n";
        put_word(to.replies, "pong");
        put_word(to.replies, said.size() > 1 ? said[1] : "");
    } else if (said.size() > 1) {
        put_word(to.replies, said[1]);
    } else {
        to.replies += "+PONG\r\n";
    }
}

void echo(client& to, const words& said) { put_word(to.replies, said[1]); }

void quit(client& to, const words&) {
    to.replies += "+OK\r\n";
    to.ended = true;
}

constexpr std::string_view no_memory =
    "-OOM command not allowed when used memory > 'maxmemory'\r\n";

void set(client& to, const words& said) {
    const bool done = to.all.set(said[1], said[2]);
    if (done) to.all.keys.find(said[1])->second.drop_limit();
    to.replies += done ? "+OK\r\n" : no_memory;
}

void get(client& to, const words& said) {
    const auto found = to.all.keys.find(said[1]);
    if (found == to.all.keys.end()) to.replies += "$-1\r\n";
    else put_word(to.replies, found->second.value);
}

void del(client& to, const words& said) {
    std::int64_t erased = 0;
    for (std::size_t i = 1; i < said.size(); ++i) erased += to.all.erase(said[i]) ? 1 : 0;
    put_number(to.replies, ':', erased);
}

void incr(client& to, const words& said) {
    const auto found = to.all.keys.find(said[1]);
    const auto before = found == to.all.keys.end() ? 0 : integer(found->second.value);
    if (!before) {
        to.replies += "-ERR value is not an integer or out of range\r\n";
    } else if (*before == std::numeric_limits<std::int64_t>::max()) {
        to.replies += "-ERR increment or decrement would overflow\r\n";
    } else if (!to.all.set(said[1], std::to_string(*before + 1))) {
        to.replies += no_memory;
    } else {
        put_number(to.replies, ':', *before + 1);
    }
}

void expire(client& to, const words& said) {
    const auto seconds = integer(said[2]);
    const auto found = to.all.keys.find(said[1]);
    if (!seconds) {
        to.replies += "-ERR value is not an integer or out of range\r\n";
    } else if (*seconds > seconds_max) {
        to.replies += "-ERR invalid expire time in 'expire' command\r\n";
    } else if (found == to.all.keys.end()) {
        to.replies += ":0\r\n";
    } else if (*seconds <= 0) {
        to.all.erase(said[1]);
        to.replies += ":1\r\n";
    } else if (const std::size_t size = limit_costs + said[1].size(); to.all.take(size)) {
        found->second.drop_limit();
        auto limit = std::make_unique<expiry>(to.all, found->second, size);
        found->second.limit = limit.get();
        to.all.limits->spawn(erase_after, std::ref(to.all), std::string(said[1]), std::move(limit),
                             std::chrono::seconds(*seconds));
        to.replies += ":1\r\n";
    } else {
        to.replies += no_memory;
    }
}

void publish(client& to, const words& said) {
    const auto found = to.all.channels.find(said[1]);
    std::string message = "*3\r\n$7\r\nmessage\r\n";
    put_word(message, said[1]);
    put_word(message, said[2]);
    std::int64_t receivers = 0;
    if (found != to.all.channels.end()) {
        for (client* each : found->second) {
            if (each->ended) continue;
            receivers += 1;
            each->replies += message;
            each->wake();
        }
    }
    put_number(to.replies, ':', receivers);
}

void subscribe(client& to, const words& said) {
    for (std::size_t i = 1; i < said.size(); ++i) {
        if (to.subscribed.size() >= channels_max) {
            to.replies += "-ERR too many channels\r\n";
            continue;
        }
        if (!to.subscribed.contains(said[i])) {
            if (!to.all.take(subscription_size(said[i]))) {
                to.replies += no_memory;
                continue;
            }
            to.subscribed.emplace(said[i]);
            const auto found = to.all.channels.find(said[i]);
            if (found != to.all.channels.end()) found->second.insert(&to);
            else to.all.channels[std::string(said[i])].insert(&to);
        }
        to.replies += "*3\r\n$9\r\nsubscribe\r\n";
        put_word(to.replies, said[i]);
        put_number(to.replies, ':', static_cast<std::int64_t>(to.subscribed.size()));
    }
}

struct command {
    std::string_view name;
    std::size_t words_least;
    std::size_t words_most;
    void (*run)(client&, const words&);
};
constexpr command commands[] = {
    {"get", 2, 2, get},           {"set", 3, 3, set},
    {"ping", 1, 2, ping},         {"echo", 2, 2, echo},
    {"incr", 2, 2, incr},         {"del", 2, words_max, del},
    {"expire", 3, 3, expire},     {"publish", 3, 3, publish},
    {"quit", 1, words_max, quit}, {"subscribe", 2, words_max, subscribe},
};

/// The word for an error reply, which is one line.
std::string printable(std::string_view word) {
    std::string text(word.substr(0, 32));
    for (char& c : text) c = std::isprint(static_cast<unsigned char>(c)) ? c : '?';
    return text;
}

void execute(client& by, const words& said) {
    const auto same = [](char a, char b) {
        return a == std::tolower(static_cast<unsigned char>(b));
    };
    const auto* const found =
        std::find_if(std::begin(commands), std::end(commands), [&](const command& each) {
            return std::equal(each.name.begin(), each.name.end(), said[0].begin(), said[0].end(),
                              same);
        });
    if (found == std::end(commands)) {
        by.replies += "-ERR unknown command '" + printable(said[0]) + "'\r\n";
    } else if (said.size() < found->words_least || said.size() > found->words_most) {
        by.replies +=
            "-ERR wrong number of arguments for '" + std::string(found->name) + "' command\r\n";
    } else if (!by.subscribed.empty() && found->run != subscribe && found->run != ping &&
               found->run != quit) {
        by.replies += "-ERR Can't execute '" + std::string(found->name) +
                      "': only SUBSCRIBE / PING / QUIT are allowed in this context\r\n";
    } else {
        found->run(by, said);
    }
}

/// Sends to a subscriber what others put into its replies, and its own.
template <byte_stream Stream>
task<> deliver(client& to, Stream& conn) {
    while (!to.ended || !to.replies.empty()) {
        co_await to.something.wait();
        to.something.reset();
        const std::string sent = std::exchange(to.replies, {});
        co_await conn.send(sent);
        if (to.ended) to.something.set();
    }
}

template <byte_stream Stream>
task<> send_replies(client& to, Stream& conn, bool& delivers) {
    if (to.subscribed.empty()) {
        co_await conn.send(to.replies);
        to.replies.clear();
        co_return;
    }
    if (!delivers) to.group->spawn(deliver<Stream>, std::ref(to), std::ref(conn));
    delivers = true;
    to.wake();
}

template <byte_stream Stream>
task<> converse(client& self, Stream& conn) {
    buffered_reader reader(conn);
    words said;
    bool delivers = false;
    while (!self.ended) {
        std::size_t size = 0;
        try {
            size = parse(reader.held(), said);
        } catch (const protocol_error& error) {
            self.replies += std::string("-ERR Protocol error: ") + error.what() + "\r\n";
            self.ended = true;
        }
        if (size > 0 && !said.empty()) execute(self, said);
        reader.consume(size);
        // Replies to commands that arrived together leave together.
        if (size > 0 && !self.ended && self.replies.size() < replies_max) continue;
        co_await send_replies(self, conn, delivers);
        if (size > 0 || self.ended) continue;
        auto received = co_await as_result(reader.fill(command_max));
        if (!received && received.error() == errc::message_too_long) {
            self.replies += "-ERR Protocol error: command longer than 1048576 bytes\r\n";
            self.ended = true;
            co_await send_replies(self, conn, delivers);
        } else if (received.value() == 0) {
            self.ended = true;  // what is in it of a command is dropped
        }
    }
}

template <byte_stream Stream>
task<> session(store& all, Stream conn) {
    client self(all);
    co_await with_task_group([&](task_group& group) -> task<> {
        const reading here(self, group);
        co_await converse(self, conn);
    });
    co_await lingering_close(conn);
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    serve_options options;
    options.request_timeout = 10s;  // from the first byte of a command to its reply
    store all;
    co_await with_task_group([&](task_group& limits) -> task<> {
        all.limits = &limits;
        co_await serve(
            std::move(listener), [&](tcp_stream conn) { return session(all, std::move(conn)); },
            options);
    });
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: mini_redis [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "mini_redis: " << error.what() << '\n';
    return 1;
}
