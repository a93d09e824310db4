// poll.cpp: a server on poll(2), one thread, any POSIX.1-2008 system.
//
// The same readiness loop as with epoll, but the kernel is handed the whole list of descriptors at
// every wait, and the loop looks at every entry after it: the cost grows with the connections.
// What the socket does not take is kept, and the connection then waits for POLLOUT and receives
// nothing until the rest has gone: a slow reader is bounded by one answer.
//
// SPDX-License-Identifier: MIT
#include <poll.h>

#include <utility>

#include "server.hpp"

namespace {

struct connection {
    std::vector<char> rest;  // of an answer, not yet sent
    std::size_t sent = 0;    // how much of `rest` has gone
};

class loop {
public:
    loop(int listener, const server::options& given)
        : rules_(given), buffer_(rules_.receive_max()) {
        polled_.push_back({listener, POLLIN, 0});
        connections_.emplace_back();
    }

    [[noreturn]] void run() {
        for (;;) {
            int ready = poll(polled_.data(), static_cast<nfds_t>(polled_.size()), -1);
            if (ready < 0 && errno != EINTR) server::die("poll", errno);
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
            const int fd = server::next_connection(polled_[0].fd, SOCK_NONBLOCK);
            if (fd < 0) return;
            polled_.push_back({fd, POLLIN, 0});
            connections_.emplace_back();
        }
    }

    void receive(std::size_t i) {
        const ssize_t n = recv(polled_[i].fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(i);  // end of stream, or the peer is gone
        const auto answer = rules_.answer(std::span(buffer_).first(static_cast<std::size_t>(n)));
        ssize_t sent = send(polled_[i].fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return drop(i);
        if (sent < 0) sent = 0;
        if (static_cast<std::size_t>(sent) == answer.size()) return;
        connections_[i].rest.assign(answer.begin() + sent, answer.end());
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

    server::protocol rules_;
    std::vector<char> buffer_;
    std::vector<pollfd> polled_;           // entry 0 is the listener
    std::vector<connection> connections_;  // the same indices; entry 0 is unused
};

}  // namespace

int main(int argc, char** argv) {
    const auto given = server::start(argc, argv);
    const int listener = server::listening_socket(given, SOCK_NONBLOCK);
    server::announce(listener, "poll", "one thread");
    loop(listener, given).run();
}
