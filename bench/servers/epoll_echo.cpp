// epoll_echo.cpp: a hand-written TCP echo server on level-triggered epoll, one thread.
//
// The classic readiness loop: wait, receive what is there, send it back at once. Level-triggered,
// because edge-triggered must receive until EAGAIN, which costs one more system call a request.
// What the socket does not take is kept, and the connection then waits for EPOLLOUT and receives
// nothing until the rest has gone: a slow reader is bounded by one buffer.
// Same protocol, buffer size and checks as the other servers of this folder; knows nothing of anel.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what, int error) {
    std::fprintf(stderr, "epoll_echo: %s: %s\n", what.c_str(), std::strerror(error));
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
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) die("socket", errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("SO_REUSEADDR", errno);
    if (bind(fd, generic, length) != 0) die("bind " + where, errno);
    if (listen(fd, 4096) != 0) die("listen " + where, errno);
    if (getsockname(fd, generic, &length) != 0) die("getsockname", errno);
    std::printf("listening on %s:%d (epoll)\n", host, ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

struct connection {
    std::vector<char> rest;  // received, not yet sent; while there is some, nothing is received
    std::size_t sent = 0;    // how much of `rest` has gone
};

class server {
public:
    server(int listener, std::size_t buffer_size) : listener_(listener), buffer_(buffer_size) {
        if (epoll_ < 0) die("epoll_create1", errno);
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 1024> events{};
        for (;;) {
            const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (n < 0 && errno != EINTR) die("epoll_wait", errno);
            for (int i = 0; i < n; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) accept_all();
                else if (at(fd).rest.empty()) receive(fd);
                else send_rest(fd);
            }
        }
    }

private:
    connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

    void watch(int operation, int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (epoll_ctl(epoll_, operation, fd, &event) != 0) die("epoll_ctl", errno);
    }

    void accept_all() {
        for (;;) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0 && errno == EAGAIN) return;
            if (fd < 0 && (errno == ECONNABORTED || errno == EPROTO || errno == EINTR)) continue;
            if (fd < 0) die("accept", errno);
            const int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            const auto index = static_cast<std::size_t>(fd);
            if (connections_.size() <= index) connections_.resize(2 * index);
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    void receive(int fd) {
        const ssize_t n = recv(fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(fd);  // end of stream, or the peer is gone
        ssize_t sent = send(fd, buffer_.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
        if (sent == n) return;
        if (sent < 0 && errno != EAGAIN) return drop(fd);
        if (sent < 0) sent = 0;
        at(fd).rest.assign(buffer_.data() + sent, buffer_.data() + n);
        watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
    }

    void send_rest(int fd) {
        connection& c = at(fd);
        const ssize_t n = send(fd, c.rest.data() + c.sent, c.rest.size() - c.sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return drop(fd);
        c.sent += static_cast<std::size_t>(n);
        if (c.sent < c.rest.size()) return;
        c = {};
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    }

    void drop(int fd) {
        at(fd) = {};
        close(fd);  // also leaves the epoll set
    }

    int listener_;
    int epoll_ = epoll_create1(0);
    std::vector<char> buffer_;
    std::vector<connection> connections_;  // by descriptor
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
