// pool.cpp: a server with a fixed pool of blocking threads, each of which accepts for itself.
//
// No thread is started for a connection, which short connections gain from; a thread serves one
// connection to its end, so connections beyond the pool wait in the backlog.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>

#include "blocking.hpp"

namespace {

constexpr int workers = 1024;  // more than the busiest workload has connections

struct work {
    int listener;
    server::options given;
};

void* run_worker(void* argument) {
    const work& shared = *static_cast<const work*>(argument);
    server::protocol rules(shared.given);
    std::vector<char> buffer(rules.receive_max());
    for (;;) {
        const int fd = server::next_connection(shared.listener, 0);
        if (fd >= 0) server::serve_connection(fd, rules, buffer);
    }
}

}  // namespace

int main(int argc, char** argv) {
    work shared{-1, server::start(argc, argv)};
    shared.listener = server::listening_socket(shared.given, 0);
    pthread_attr_t attributes{};
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (int i = 0; i < workers; ++i) {
        pthread_t thread{};
        if (const int error = pthread_create(&thread, &attributes, run_worker, &shared)) {
            server::die("pthread_create", error);
        }
    }
    server::announce(shared.listener, "pool", "1024 threads, each accepts and serves");
    for (;;) pause();
}
