// threads.cpp: a server with one blocking thread per connection, and a blocking loop for UDP.
//
// Accept, start a thread, and in it receive and send until the peer has finished. Stacks are
// 64 KiB, so that thousands of connections fit.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <memory>

#include "blocking.hpp"

namespace {

struct connection {
    int fd;
    server::protocol rules;
    std::vector<char> buffer;
};

void* run_connection(void* argument) {
    const std::unique_ptr<connection> c(static_cast<connection*>(argument));
    server::serve_connection(c->fd, c->rules, c->buffer);
    return nullptr;
}

[[noreturn]] void serve_datagrams(const server::options& given) {
    const int fd = server::bound_socket(given, 0);
    server::announce(fd, "threads", "one thread, recvfrom and sendto");
    std::vector<char> buffer(65536);
    for (;;) {
        sockaddr_in peer{};
        socklen_t length = sizeof peer;
        auto* from = reinterpret_cast<sockaddr*>(&peer);
        const ssize_t n = recvfrom(fd, buffer.data(), buffer.size(), 0, from, &length);
        if (n >= 0) sendto(fd, buffer.data(), static_cast<std::size_t>(n), 0, from, length);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const server::options given = server::start(argc, argv);
    if (given.udp) serve_datagrams(given);
    const int listener = server::listening_socket(given, 0);
    server::announce(listener, "threads", "a thread per connection, stacks of 64 KiB");
    pthread_attr_t attributes{};
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (;;) {
        const int fd = server::next_connection(listener, 0);
        if (fd < 0) continue;
        server::protocol rules(given);
        const std::size_t size = rules.receive_max();
        auto c =
            std::make_unique<connection>(connection{fd, std::move(rules), std::vector<char>(size)});
        pthread_t thread{};
        if (const int error = pthread_create(&thread, &attributes, run_connection, c.get())) {
            server::die("pthread_create", error);
        }
        static_cast<void>(c.release());  // the thread's now
    }
}
