// poll_host.cpp: an echo server as a guest in a plain poll(2) loop, which answers on its own
// standard input.     poll_host [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iostream>

using namespace anel;

namespace {

task<> echo(tcp_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    co_await serve(std::move(listener), echo);
}

/// What poll(2) takes: milliseconds, rounded up, or -1.
int timeout_of(duration left) {
    if (left == duration::max()) return -1;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::min<std::int64_t>(milliseconds, 1'000'000'000));
}

/// The host's own work: a line asks how often its loop was woken. Returns false at the end.
bool answer(unsigned long woken) {
    std::array<char, 256> line{};
    const ssize_t size = ::read(STDIN_FILENO, line.data(), line.size());
    if (size > 0) std::cout << "woken " << woken << " times" << std::endl;
    return size > 0;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::string_view address = argc > 1 ? argv[1] : "127.0.0.1:7777";
    embedded_loop guest(server(address));  // SIGINT and SIGTERM cancel it, as in run()
    std::array<pollfd, 2> wanted{{{guest.descriptor(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    unsigned long woken = 0;
    guest.step();
    while (!guest.finished()) {
        const int ready = ::poll(wanted.data(), wanted.size(), timeout_of(guest.time_left()));
        if (ready < 0 && errno != EINTR) break;
        woken += 1;
        if (ready > 0 && wanted[1].revents != 0 && !answer(woken)) wanted[1].fd = -1;
        if ((ready > 0 && wanted[0].revents != 0) || guest.time_left() == duration::zero())
            guest.step();
    }
    return guest.result();
} catch (const std::exception& error) {
    std::cerr << "poll_host: " << error.what() << '\n';
    return 1;
}
