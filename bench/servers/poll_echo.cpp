// poll_echo.cpp: a hand-written TCP echo server on poll(2), one thread, any POSIX.1-2008 system.
//
// The same readiness loop as with epoll, but the kernel is handed the whole list of descriptors at
// every wait, and the loop looks at every entry after it: the cost grows with the connections.
// What the socket does not take is kept, and the connection then waits for POLLOUT and receives
// nothing until the rest has gone: a slow reader is bounded by one buffer.
// Same protocol, buffer size and checks as the other servers of this folder; knows nothing of anel.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what, int error) {
    std::fprintf(stderr, "poll_echo: %s: %s\n", what.c_str(), std::strerror(error));
    std::exit(1);
}

int listen_on(const std::string& where) {
    char host[16] = "", excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(where.c_str(), "%15[0-9.]:%5u%c", host, &port, &excess) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die("not an IPv4 ADDRESS:PORT: " + where, EINVAL);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket", errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("SO_REUSEADDR", errno);
    if (bind(fd, generic, length) != 0) die("bind " + where, errno);
    if (listen(fd, 4096) != 0) die("listen " + where, errno);
    if (getsockname(fd, generic, &length) != 0) die("getsockname", errno);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl O_NONBLOCK", errno);
    std::printf("listening on %s:%d (poll)\n", host, ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

struct connection {
    std::vector<char> rest;  // received, not yet sent; while there is some, nothing is received
    std::size_t sent = 0;    // how much of `rest` has gone
};

class server {
public:
    server(int listener, std::size_t buffer_size) : buffer_(buffer_size) {
        polled_.push_back({listener, POLLIN, 0});
        connections_.emplace_back();
    }

    [[noreturn]] void run() {
        for (;;) {
            int ready = poll(polled_.data(), static_cast<nfds_t>(polled_.size()), -1);
            if (ready < 0 && errno != EINTR) die("poll", errno);
            // Backwards, because drop() moves the last entry, already looked at, into the gap;
            // the listener is entry 0 and adds its new ones when all others have had their turn.
            for (std::size_t i = polled_.size(); ready > 0 && i-- > 0;) {
                if (polled_[i].revents == 0) continue;
                --ready;
                if (i == 0) accept_all();
                else if (connections_[i].rest.empty()) receive(i);
                else send_rest(i);
            }
        }
    }

private:
    void accept_all() {
        for (;;) {
            const int fd = accept(polled_[0].fd, nullptr, nullptr);
            if (fd < 0 && errno == EAGAIN) return;
            if (fd < 0 && (errno == ECONNABORTED || errno == EPROTO || errno == EINTR)) continue;
            if (fd < 0) die("accept", errno);
            if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl O_NONBLOCK", errno);
            const int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            polled_.push_back({fd, POLLIN, 0});
            connections_.emplace_back();
        }
    }

    void receive(std::size_t i) {
        const ssize_t n = recv(polled_[i].fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(i);  // end of stream, or the peer is gone
        const auto size = static_cast<std::size_t>(n);
        ssize_t sent = send(polled_[i].fd, buffer_.data(), size, MSG_NOSIGNAL);
        if (sent == n) return;
        if (sent < 0 && errno != EAGAIN) return drop(i);
        if (sent < 0) sent = 0;
        connections_[i].rest.assign(buffer_.data() + sent, buffer_.data() + n);
        polled_[i].events = POLLOUT;
    }

    void send_rest(std::size_t i) {
        connection& c = connections_[i];
        const std::size_t size = c.rest.size() - c.sent;
        const ssize_t n = send(polled_[i].fd, c.rest.data() + c.sent, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return drop(i);
        c.sent += static_cast<std::size_t>(n);
        if (c.sent < c.rest.size()) return;
        c = {};
        polled_[i].events = POLLIN;
    }

    void drop(std::size_t i) {
        close(polled_[i].fd);
        polled_[i] = polled_.back();
        connections_[i] = std::move(connections_.back());
        polled_.pop_back();
        connections_.pop_back();
    }

    std::vector<char> buffer_;
    std::vector<pollfd> polled_;           // entry 0 is the listener
    std::vector<connection> connections_;  // the same indices; entry 0 is unused
};

}  // namespace

int main(int argc, char** argv) {
    std::string where = "127.0.0.1:7777";
    long buffer_size = 4096;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--buffer" && i + 1 < argc) buffer_size = std::atol(argv[++i]);
        else if (argument.starts_with('-')) die("unknown option " + argument, EINVAL);
        else where = argument;
    }
    if (buffer_size < 1 || buffer_size > 1 << 30) die("--buffer takes 1 to 2^30 bytes", EINVAL);
    for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { _exit(0); });
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server(listen_on(where), static_cast<std::size_t>(buffer_size)).run();
}
