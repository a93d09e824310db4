// c_ares.cpp: c-ares asks name servers, anel waits.     c_ares SERVER[:PORT] NAME…
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <ares.h>
#include <netdb.h>

#include <iostream>
#include <stdexcept>
#include <vector>

using namespace anel;

namespace {

struct ready {
    ares_socket_t reading = ARES_SOCKET_BAD, writing = ARES_SOCKET_BAD;
};

/// The socket is given back before c-ares can close it.
task<ready> wait_for(ares_socket_t fd, bool reading, bool writing) {
    auto held = co_await descriptor::borrow(fd);
    if (reading && writing) co_await when_any(held.readable(), held.writable());
    else if (reading) co_await held.readable();
    else co_await held.writable();
    co_return ready{reading ? fd : ARES_SOCKET_BAD, writing ? fd : ARES_SOCKET_BAD};
}

task<ready> wait_until_late(timeval time) {
    co_await sleep_for(std::chrono::microseconds(time.tv_sec * 1'000'000 + time.tv_usec));
    co_return ready{};
}

task<> process(ares_channel channel) {
    for (;;) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM]{};
        const int wanted = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        std::vector<task<ready>> waits;
        for (std::size_t i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
            const bool reading = (wanted >> i & 1) != 0;
            const bool writing = (wanted >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
            if (reading || writing) waits.push_back(wait_for(sockets[i], reading, writing));
        }
        if (waits.empty()) co_return;
        timeval time{};
        if (ares_timeout(channel, nullptr, &time)) waits.push_back(wait_until_late(time));
        auto told = co_await when_any(std::move(waits));
        const ready first = *told.results[told.first];
        ares_process_fd(channel, first.reading, first.writing);
    }
}

void print(void* name, int status, int, ares_addrinfo* found) {
    std::cout << static_cast<const char*>(name);
    if (status != ARES_SUCCESS) std::cout << ": " << ares_strerror(status);
    for (auto* at = found ? found->nodes : nullptr; at; at = at->ai_next) {
        char text[64]{};
        ::getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
        std::cout << ' ' << text;
    }
    std::cout << std::endl;
    if (found) ares_freeaddrinfo(found);
}

}  // namespace

int main(int argc, char** argv) try {
    ares_channel made = nullptr;
    int failed = ares_init(&made);
    const std::unique_ptr<ares_channeldata, void (*)(ares_channel)> channel(made, &ares_destroy);
    if (failed == 0 && argc > 1) failed = ares_set_servers_ports_csv(made, argv[1]);
    if (failed != 0) throw std::runtime_error(ares_strerror(failed));
    const ares_addrinfo_hints hints{0, AF_INET, SOCK_STREAM, 0};
    for (int i = 2; i < argc; ++i) ares_getaddrinfo(made, argv[i], nullptr, &hints, print, argv[i]);
    return run(process(made));
} catch (const std::exception& error) {
    std::cerr << "c_ares: " << error.what() << '\n';
    return 1;
}
