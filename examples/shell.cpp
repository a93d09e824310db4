// shell.cpp: runs each line as a command and sends back what it says.
//     shell [ADDRESS:PORT [SECONDS]]
//
// Whoever can connect can run anything as this user: bind it to an address that only you reach. A
// command has SECONDS, 10 by default, then it is killed with all that it started; so it is when its
// client goes or the server stops. After each command comes a line in brackets: how it ended.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <csignal>
#include <iostream>

using namespace anel;
using namespace std::chrono_literals;

constexpr std::size_t line_max = 64 * 1024;

task<std::string> run_command(std::string line, tcp_stream& conn) {
    spawn_options options;
    options.input = child_stream::null;
    options.output = child_stream::pipe;
    options.errors = child_stream::same_as_output;
    options.own_group = true;
    const std::vector<std::string> words{"/bin/sh", "-c", std::move(line)};
    auto child = co_await spawn_process(words, options);
    std::array<std::byte, 16 * 1024> buffer;
    while (auto n = co_await child.output().recv(buffer)) {
        co_await conn.send(std::span(buffer).first(n));
    }
    const exit_status ended = co_await child.wait();
    co_return ended.text();
}

task<> session(std::chrono::seconds limit, tcp_stream conn) {
    buffered_reader reader(conn);
    while (auto line = co_await reader.read_line(line_max)) {
        std::string how;
        try {
            how = co_await with_timeout(limit, run_command(std::string(*line), conn));
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::timed_out) throw;
            how = "killed after " + std::to_string(limit.count()) + " s";
        }
        const std::string last = "[" + how + "]\n";
        co_await conn.send(last);
    }
}

void report(const endpoint& client, std::exception_ptr error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& failed) {
        std::cerr << "shell: " << client << ": " << failed.what() << std::endl;
    }
}

task<> server(endpoint address, std::chrono::seconds limit) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    const auto serve_one = [&](tcp_stream conn) { return session(limit, std::move(conn)); };
    serve_options options;
    options.session_failed = report;
    options.drain_time = 1s;  // for commands that run when the server is told to stop
    co_await serve(std::move(listener), serve_one, options);
}

std::chrono::seconds seconds_in(const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    if (!digits || text.size() > 6 || std::stoi(text) == 0)
        throw std::invalid_argument("\"" + text + "\" is no number of seconds");
    return std::chrono::seconds(std::stoi(text));
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: shell [ADDRESS:PORT [SECONDS]]", 0, 2);
    const auto limit = seconds_in(given.get(1, "10"));
    return run(server(given.get(0, "127.0.0.1:7777"), limit), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "shell: " << error.what() << '\n';
    return 1;
}
