// epoll.cpp: a server on epoll, level-triggered, or edge-triggered with --edge; one thread.
//
// The classic readiness loop: wait, receive what is there, answer at once. What the socket does not
// take is kept, and until it has gone nothing more is received: a slow reader is bounded by one
// answer. Level: interest changes with EPOLL_CTL_MOD. Edge: both interests once and for all, but a
// receive has to be repeated while it fills the buffer, and once more when the peer has hung up:
// data and the end that arrive together make one edge.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include <array>

#include "datagrams.hpp"
#include "server.hpp"

namespace {

struct connection {
    std::vector<char> rest;  // of an answer, not yet sent
    std::size_t sent = 0;    // how much of `rest` has gone
};

class loop {
public:
    loop(int socket, const server::options& given, bool edge)
        : socket_(socket), rules_(given), edge_(edge), buffer_(rules_.receive_max()) {
        if (epoll_ < 0) server::die("epoll_create1", errno);
        watch(EPOLL_CTL_ADD, socket_, EPOLLIN);
    }

    [[noreturn]] void run(bool udp) {
        std::array<epoll_event, 1024> events{};
        for (;;) {
            const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (n < 0 && errno != EINTR) server::die("epoll_wait", errno);
            for (int i = 0; i < n; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd != socket_) serve(fd, events[static_cast<std::size_t>(i)].events);
                else if (udp) datagrams_.answer(socket_);
                else accept_all();
            }
        }
    }

private:
    static constexpr std::uint32_t hang_up = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    static constexpr std::uint32_t edge_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

    connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

    void watch(int operation, int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (epoll_ctl(epoll_, operation, fd, &event) != 0) server::die("epoll_ctl", errno);
    }

    void accept_all() {
        for (;;) {
            const int fd = server::next_connection(socket_, SOCK_NONBLOCK);
            if (fd < 0) return;
            const auto index = static_cast<std::size_t>(fd);
            if (connections_.size() <= index) connections_.resize(2 * index);
            watch(EPOLL_CTL_ADD, fd, edge_ ? edge_events : EPOLLIN);
        }
    }

    void serve(int fd, std::uint32_t events) {
        const bool resumed = !at(fd).rest.empty();
        if (resumed && !send_rest(fd)) return;
        if (!edge_ && resumed) return;  // the next wait tells whether there is something
        // After a pause nobody knows what has arrived meanwhile: until it would wait.
        const bool drain = resumed || (events & hang_up) != 0;
        while (receive(fd, drain) && edge_) {}
    }

    /// Returns whether there may be more to receive at once.
    bool receive(int fd, bool drain) {
        const ssize_t n = recv(fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return false;
        if (n <= 0) return drop(fd);  // end of stream, or the peer is gone
        const auto size = static_cast<std::size_t>(n);
        const auto answer = rules_.answer(std::span(buffer_).first(size));
        ssize_t sent = send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return drop(fd);
        if (sent < 0) sent = 0;
        if (static_cast<std::size_t>(sent) == answer.size()) {
            return drain || size == buffer_.size();
        }
        at(fd).rest.assign(answer.begin() + sent, answer.end());
        if (!edge_) watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
        return false;
    }

    /// Returns whether the connection may go on with receiving.
    bool send_rest(int fd) {
        connection& c = at(fd);
        const ssize_t n = send(fd, c.rest.data() + c.sent, c.rest.size() - c.sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return false;
        if (n < 0) return drop(fd);
        c.sent += static_cast<std::size_t>(n);
        if (c.sent < c.rest.size()) return false;
        c = {};
        if (!edge_) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
        return true;
    }

    bool drop(int fd) {
        at(fd) = {};
        close(fd);  // also leaves the epoll set
        return false;
    }

    int socket_;  // listens, or takes datagrams
    server::protocol rules_;
    bool edge_;
    int epoll_ = epoll_create1(0);
    std::vector<char> buffer_;
    std::vector<connection> connections_;  // by descriptor
    server::datagrams datagrams_;
};

}  // namespace

int main(int argc, char** argv) {
    const bool edge = argc > 1 && std::string(argv[1]) == "--edge";
    const auto given = server::start(edge ? argc - 1 : argc, edge ? argv + 1 : argv);
    const int socket = given.udp ? server::bound_socket(given, SOCK_NONBLOCK)
                                 : server::listening_socket(given, SOCK_NONBLOCK);
    std::string details = edge ? "edge-triggered" : "level-triggered";
    if (given.udp) details += ", recvmmsg, sendmmsg";
    server::announce(socket, edge ? "epoll-edge" : "epoll", details + ", one thread");
    loop(socket, given, edge).run(given.udp);
}
