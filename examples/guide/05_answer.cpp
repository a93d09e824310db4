// 05_answer.cpp: sends 1 MiB to every client that asks, at its own pace.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

std::string file(1 << 20, ' ');  // what every client gets

struct client {
    int fd;
    bool asked = false;
    size_t sent = 0;
    short wants() const { return asked ? POLLOUT : POLLIN; }
};

bool go_on(client& c) {  // false: this client is over
    if (!c.asked) {
        char request[64];
        ssize_t n = recv(c.fd, request, sizeof request, MSG_DONTWAIT);
        if (n <= 0) return n < 0 && errno == EAGAIN;
        c.asked = true;
    }
    ssize_t n = send(c.fd, file.data() + c.sent, file.size() - c.sent,
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    c.sent += size_t(n);
    return c.sent < file.size();
}

int main(int argc, char** argv) {
    for (size_t i = 0; i < file.size(); ++i) file[i] = char('a' + i % 23);
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1, small = 65536;  // a small buffer in the kernel
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    if (bind(listener, address, size) || listen(listener, 128))
        return std::perror("bind"), 1;
    getsockname(listener, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    std::fflush(stdout);
    for (std::vector<client> clients;;) {
        std::vector<pollfd> set{{listener, POLLIN, 0}};
        for (auto& c : clients) set.push_back({c.fd, c.wants(), 0});
        poll(set.data(), set.size(), -1);
        for (size_t i = clients.size(); i-- > 0;) {
            if (!set[i + 1].revents || go_on(clients[i])) continue;
            close(clients[i].fd);
            clients.erase(clients.begin() + long(i));
        }
        if (!set[0].revents) continue;
        int fd = accept(listener, nullptr, nullptr);
        if (fd >= 0) clients.push_back({fd});
    }
}
