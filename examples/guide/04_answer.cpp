// 04_answer.cpp: answers in capital letters, each client on a thread.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <thread>

void serve(int client) {
    char text[1024];
    for (ssize_t n; (n = recv(client, text, sizeof text, 0)) > 0;) {
        for (char& c : text) c = char(std::toupper(c & 0x7f));
        if (send(client, text, size_t(n), MSG_NOSIGNAL) != n) break;
    }
    close(client);
}

int main(int argc, char** argv) {
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, address, size) || listen(listener, 128))
        return std::perror("bind"), 1;
    getsockname(listener, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    std::fflush(stdout);
    for (;;) {
        const int client = accept(listener, nullptr, nullptr);
        if (client < 0) return std::perror("accept"), 1;
        std::thread(serve, client).detach();
    }
}
