// 04_threads.cpp: an echo server: clients one by one, or each on a thread.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

double ms(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return double(t.tv_sec) * 1e3 + double(t.tv_nsec) / 1e6;
}
// #region serve
void serve(int client, int number) {
    const double start = ms(CLOCK_MONOTONIC);
    const double cpu = ms(CLOCK_THREAD_CPUTIME_ID);
    char buffer[1024];
    for (ssize_t n; (n = recv(client, buffer, sizeof buffer, 0)) > 0;)
        if (send(client, buffer, size_t(n), MSG_NOSIGNAL) != n) break;
    close(client);
    std::printf("client %d: %.1f ms, %.2f ms of them on the CPU\n", number,
        ms(CLOCK_MONOTONIC) - start, ms(CLOCK_THREAD_CPUTIME_ID) - cpu);
}
// #endregion serve
int main(int argc, char** argv) {
    setvbuf(stdout, nullptr, _IOLBF, 0);  // each line at once
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, address, size) || listen(listener, 128))
        return std::perror("04_threads"), 1;
    getsockname(listener, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    // #region accept
    for (int number = 1;; ++number) {
        const int client = accept(listener, nullptr, nullptr);
        if (client < 0) return std::perror("accept"), 1;
        if (argc > 2) std::thread(serve, client, number).detach();
        else serve(client, number);
    }
    // #endregion accept
}
