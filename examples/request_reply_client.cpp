// request_reply_client.cpp: sends requests to request_reply_server, prints the replies.
//
//   request_reply_client [--udp] [ADDRESS:PORT] [REQUEST...]
//
// Without a request it reads them from standard input, one a line. Over UDP, where a datagram can
// be lost on either way, it asks again: three times, a second apart. A request that begins with
// "--" stands after a lone "--".
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace anel;
using namespace std::chrono_literals;

struct inquiry {
    std::string host = "127.0.0.1";
    std::uint16_t port = 7777;
    std::vector<std::string> requests;
    bool interactive = true;
    std::size_t next = 0;
    standard_input input;

    inquiry() = default;  // a constructor: g++ 12 destroys aggregates twice beside a co_await
};

/// The next request, from the command line or from standard input.
task<std::optional<std::string>> next_request(inquiry& given) {
    if (given.next < given.requests.size()) co_return given.requests[given.next++];
    if (!given.interactive) co_return std::nullopt;
    co_return co_await given.input.read_line();
}

struct conversation {
    explicit conversation(tcp_stream with) : conn(std::move(with)) {}
    tcp_stream conn;
    std::size_t asked = 0;
    std::size_t answered = 0;
    semaphore replies{0};  // that were printed and not waited for yet
};

/// Prints the replies. Receives also while nobody asks: so it is seen when the server goes away.
task<> print_replies(conversation& with, const inquiry& given, task_group& all) {
    buffered_reader reader(with.conn);
    while (auto reply = co_await reader.read_line(128 * 1024)) {
        std::cout << *reply << std::endl;
        with.answered += 1;
        with.replies.release();
    }
    if (with.asked > with.answered || given.next < given.requests.size()) {
        throw io_error(errc::unexpected_eof, "recv", with.conn.peer_endpoint().to_string());
    }
    all.cancel();  // the server has finished, after "quit" say
}

task<> ask_over_tcp(inquiry& given) {
    auto conn = co_await connect(given.host, given.port);
    conversation with(std::move(conn));
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(print_replies, std::ref(with), std::cref(given), std::ref(group));
        while (auto request = co_await next_request(given)) {
            with.asked += 1;
            co_await with.conn.send(*request, "\n");
            co_await with.replies.acquire();
        }
        group.cancel();
    });
}

// A fresh socket after a retry: a late reply to an earlier try then goes to a port that nobody has,
// and cannot be taken for the reply to a later request.
task<udp_socket> open_udp(endpoint server) {
    const bool v6 = server.family() == address_family::ipv6;
    auto socket = co_await udp_socket::bind(v6 ? endpoint::any_ipv6(0) : endpoint::any_ipv4(0));
    co_await socket.connect(server);
    co_return socket;
}

task<> ask_over_udp(inquiry& given) {
    constexpr int tries_max = 3;
    auto addresses = co_await resolve(given.host, given.port);
    const endpoint server = addresses.front();
    auto socket = co_await open_udp(server);
    std::vector<char> buffer(65536);
    while (auto request = co_await next_request(given)) {
        for (int tries = 1;; ++tries) {
            co_await socket.send(*request);
            auto reply = co_await as_result(with_timeout(1s, socket.recvfrom(buffer)));
            if (reply) {
                std::string_view text(buffer.data(), reply->size);
                if (text.ends_with('\n')) text.remove_suffix(1);
                std::cout << text << std::endl;
                if (tries > 1) socket = co_await open_udp(server);
                break;
            }
            if (reply.error() != std::errc::timed_out || tries == tries_max) {
                throw io_error(reply.error(), "recv", server.to_string());
            }
        }
    }
}

// A first argument with a colon and no space is the address. Every other argument is a request.
inquiry parse(const std::vector<std::string>& positional) {
    inquiry asked;
    asked.requests = positional;
    const std::string text = positional.empty() ? "" : positional.front();
    const std::size_t colon = text.rfind(':');
    if (colon != text.npos && text.find(' ') == text.npos) {
        std::string_view host = std::string_view(text).substr(0, colon);
        const bool bracketed = host.starts_with('[') && host.ends_with(']');
        if (bracketed) host = host.substr(1, host.size() - 2);
        const std::string_view port = std::string_view(text).substr(colon + 1);
        const auto [end, error] =
            std::from_chars(port.data(), port.data() + port.size(), asked.port);
        if (error != std::errc() || end != port.data() + port.size() || host.empty() ||
            bracketed != (host.find(':') != std::string_view::npos)) {
            throw std::invalid_argument("bad address \"" + text + "\"");
        }
        asked.host = host;
        asked.requests.erase(asked.requests.begin());
    }
    asked.interactive = asked.requests.empty();
    return asked;
}

int main(int argc, char** argv) try {
    const std::string usage = "usage: request_reply_client [--udp] [ADDRESS:PORT] [REQUEST...]";
    const arguments given(argc, argv, usage, 0, argc);
    inquiry asked = parse(given.positional);
    return run(given.has("--udp") ? ask_over_udp(asked) : ask_over_tcp(asked));
} catch (const std::exception& error) {
    std::cerr << "request_reply_client: " << error.what() << '\n';
    return 1;
}
