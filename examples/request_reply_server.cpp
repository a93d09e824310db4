// request_reply_server.cpp: answers one line with one line, over TCP and UDP on the same port.
//
//   request_reply_server [ADDRESS:PORT]
//
//   upper TEXT | reverse TEXT | add A B | count | quit     ->     ok RESULT | error REASON
//
// A connection may send several requests, also before the first is answered; many clients are
// served at once. Over UDP a datagram is a request, and its answer a datagram.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <deque>
#include <iostream>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

using namespace anel;

constexpr std::size_t line_max = 64 * 1024;     // bytes of a request, without its line end
constexpr std::size_t replies_max = 16 * 1024;  // bytes of replies gathered before they are sent

// --- the protocol: no network here --------------------------------------------------------------

std::string_view take_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

bool parse(std::string_view text, std::int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

std::string add(std::string_view numbers) {
    const std::string_view first = take_word(numbers);
    std::int64_t a = 0;
    std::int64_t b = 0;
    std::int64_t sum = 0;
    if (!parse(first, a) || !parse(numbers, b)) return "error add takes two 64-bit integers";
    if (__builtin_add_overflow(a, b, &sum)) return "error the sum does not fit into 64 bits";
    return "ok " + std::to_string(sum);
}

/// The reply to one request. `count` is the number of requests of this client, this one included.
std::string answer(std::string_view request, std::uint64_t count) {
    std::string_view rest = request;
    const std::string_view command = take_word(rest);
    std::string text(rest);
    if (command == "upper") {
        const auto upper = [](unsigned char c) { return static_cast<char>(std::toupper(c)); };
        std::transform(text.begin(), text.end(), text.begin(), upper);
        return "ok " + text;
    }
    if (command == "reverse") {
        std::reverse(text.begin(), text.end());
        return "ok " + text;
    }
    if (command == "add") return add(rest);
    if (command == "count") return "ok " + std::to_string(count);
    if (command == "quit") return "ok bye";
    return "error unknown command";
}

// --- TCP, or any other stream of bytes ----------------------------------------------------------

template <byte_stream Stream>
task<> session(Stream conn, const event& draining) {
    buffered_reader reader(conn);
    std::string replies;
    std::uint64_t count = 0;
    bool open = true;
    while (open) {
        auto request = co_await as_result(reader.read_line(line_max));
        if (!request && request.error() == errc::message_too_long) {
            replies += "error line too long\n";
            open = false;
        } else if (!request && request.error() == errc::unexpected_eof && !draining.is_set()) {
            // The client's last line has no end. When we are to stop, the rest may be on its way.
            auto last = co_await reader.read_exact(reader.buffered(), reader.buffered());
            replies += answer(last, ++count) + '\n';
            open = false;
        } else if (auto& line = request.value()) {
            replies += answer(*line, ++count) + '\n';
            open = *line != "quit";
        } else {
            co_return;  // the client has finished
        }
        // Replies to requests that arrived together leave together.
        if (open && reader.line_ready() && replies.size() < replies_max) continue;
        co_await conn.send(replies);
        replies.clear();
    }
    co_await lingering_close(conn);  // the client may still send
}

task<> serve_tcp(tcp_listener listener) {
    event draining;
    serve_options options;
    options.draining = &draining;
    co_await serve(
        std::move(listener), [&](tcp_stream conn) { return session(std::move(conn), draining); },
        options);
}

// --- UDP ----------------------------------------------------------------------------------------

/// Requests by sender. Remembers the last senders only: anybody can make up new ones.
class sender_counts {
public:
    std::uint64_t next(const endpoint& sender) {
        const auto [place, is_new] = counts_.try_emplace(sender, 0);
        if (is_new) order_.push_back(sender);
        if (order_.size() > senders_max) {
            counts_.erase(order_.front());
            order_.pop_front();
        }
        return ++place->second;
    }

private:
    static constexpr std::size_t senders_max = 4096;
    std::unordered_map<endpoint, std::uint64_t> counts_;
    std::deque<endpoint> order_;
};

task<> serve_udp(udp_socket socket) {
    std::vector<char> buffer(65536);
    sender_counts counts;
    for (;;) {
        auto received = co_await socket.recvfrom(buffer);
        std::string_view request(buffer.data(), received.size);
        if (request.ends_with('\n')) request.remove_suffix(1);
        if (request.ends_with('\r')) request.remove_suffix(1);
        const std::string reply = answer(request, counts.next(received.from)) + '\n';
        // A reply may be lost like any datagram.
        std::ignore = co_await as_result(socket.sendto(reply, received.from));
    }
}

// --- both ---------------------------------------------------------------------------------------

/// A UDP socket on the port of `listener`. With port 0, TCP may have been given one that UDP uses
/// elsewhere: then both try another.
task<udp_socket> bind_beside(tcp_listener& listener, endpoint address) {
    for (int tries = 0; address.port() == 0 && tries < 20; ++tries) {
        auto socket = co_await as_result(udp_socket::bind(listener.local_endpoint()));
        if (socket) co_return std::move(*socket);
        if (socket.error() != std::errc::address_in_use) break;
        auto other = co_await tcp_listener::bind(address);
        listener = std::move(other);
    }
    auto socket = co_await udp_socket::bind(listener.local_endpoint());
    co_return socket;
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto socket = co_await bind_beside(listener, address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;

    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(serve_tcp, std::move(listener));
        group.spawn(serve_udp, std::move(socket));
        co_return;
    });
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: request_reply_server [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "request_reply_server: " << error.what() << '\n';
    return 1;
}
