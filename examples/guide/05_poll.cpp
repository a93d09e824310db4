// 05_poll.cpp: an echo server: one thread and poll serve all clients.
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

struct { int poll = 0, recv = 0, send = 0; } calls;
// #region client
struct client {
    int fd;
    std::string out;  // received, not sent yet
    short wants() const { return out.empty() ? POLLIN : POLLOUT; }
};
// #endregion client
// #region go_on
bool go_on(client& c) {  // false: this client is over
    if (c.out.empty()) {
        char part[65536];
        calls.recv += 1;
        ssize_t n = recv(c.fd, part, sizeof part, MSG_DONTWAIT);
        if (n <= 0) return n < 0 && errno == EAGAIN;
        c.out.assign(part, size_t(n));
    }
    calls.send += 1;
    ssize_t n = send(c.fd, c.out.data(), c.out.size(),
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    if (size_t(n) < c.out.size())
        std::printf("send took %zd of %zu bytes\n", n, c.out.size());
    c.out.erase(0, size_t(n));
    return true;
}
// #endregion go_on
int main(int argc, char** argv) {
    setvbuf(stdout, nullptr, _IOLBF, 0);  // each line at once
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, address, size) || listen(listener, 128))
        return std::perror("05_poll"), 1;
    getsockname(listener, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    // #region loop
    for (std::vector<client> clients;;) {
        std::vector<pollfd> set{{listener, POLLIN, 0}};
        for (auto& c : clients) set.push_back({c.fd, c.wants(), 0});
        calls.poll += 1;
        poll(set.data(), set.size(), -1);  // the only place that waits
        for (size_t i = clients.size(); i-- > 0;) {
            if (!set[i + 1].revents || go_on(clients[i])) continue;
            close(clients[i].fd);
            clients.erase(clients.begin() + long(i));
            std::printf("a client left; calls: %d poll, %d recv, %d send\n",
                calls.poll, calls.recv, calls.send);
        }
        if (!set[0].revents) continue;
        int fd = accept(listener, nullptr, nullptr);
        if (fd >= 0) clients.push_back({fd, {}});
    }
    // #endregion loop
}
