// libev.cpp: the server with libev, on epoll, one thread.
//
// libev tells that a descriptor is ready, and leaves the rest to the program: what is there is
// received and answered at once. What the socket does not take is kept, and until it has gone the
// watcher waits for the socket to take more instead.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "server.hpp"

namespace {

struct shared {
    server::options given;
    std::vector<char> buffer;
};

struct connection {
    connection(const server::options& given, int fd) : rules(given) {
        ev_io_init(&watcher, ready, fd, EV_READ);
        watcher.data = this;
    }
    static void ready(struct ev_loop* loop, ev_io* watcher, int events);

    ev_io watcher{};
    server::protocol rules;
    std::vector<char> rest;  // of an answer, not yet sent
    std::size_t sent = 0;    // how much of `rest` has gone
};

void wait_for(struct ev_loop* loop, connection& c, int events) {
    ev_io_stop(loop, &c.watcher);
    ev_io_modify(&c.watcher, events);
    ev_io_start(loop, &c.watcher);
}

void drop(struct ev_loop* loop, connection& c) {
    ev_io_stop(loop, &c.watcher);
    close(c.watcher.fd);
    delete &c;
}

void receive(struct ev_loop* loop, connection& c) {
    std::vector<char>& buffer = static_cast<shared*>(ev_userdata(loop))->buffer;
    const ssize_t n = recv(c.watcher.fd, buffer.data(), c.rules.receive_max(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return drop(loop, c);  // end of stream, or the peer is gone
    const auto answer = c.rules.answer(std::span(buffer).first(static_cast<std::size_t>(n)));
    ssize_t sent = send(c.watcher.fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return drop(loop, c);
    if (sent < 0) sent = 0;
    if (static_cast<std::size_t>(sent) == answer.size()) return;
    c.rest.assign(answer.begin() + sent, answer.end());
    c.sent = 0;
    wait_for(loop, c, EV_WRITE);
}

void send_rest(struct ev_loop* loop, connection& c) {
    const ssize_t n =
        send(c.watcher.fd, c.rest.data() + c.sent, c.rest.size() - c.sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return drop(loop, c);
    c.sent += static_cast<std::size_t>(n);
    if (c.sent < c.rest.size()) return;
    c.rest = {};
    wait_for(loop, c, EV_READ);
}

void connection::ready(struct ev_loop* loop, ev_io* watcher, int events) {
    auto& c = *static_cast<connection*>(watcher->data);
    if ((events & EV_WRITE) != 0) send_rest(loop, c);
    else receive(loop, c);
}

void accept_all(struct ev_loop* loop, ev_io* listener, int) {
    for (;;) {
        const int fd = server::next_connection(listener->fd, SOCK_NONBLOCK);
        if (fd < 0) return;
        auto* c = new connection(static_cast<shared*>(ev_userdata(loop))->given, fd);
        ev_io_start(loop, &c->watcher);
    }
}

}  // namespace

int main(int argc, char** argv) {
    shared all{server::start(argc, argv), {}};
    all.buffer.resize(all.given.buffer);
    const int fd = server::listening_socket(all.given, SOCK_NONBLOCK);
    struct ev_loop* loop = ev_loop_new(EVBACKEND_EPOLL);
    if (loop == nullptr) server::die("ev_loop_new", errno);
    ev_set_userdata(loop, &all);
    ev_io listener{};
    ev_io_init(&listener, accept_all, fd, EV_READ);
    ev_io_start(loop, &listener);
    server::announce(fd, "libev",
                     "libev " + std::to_string(ev_version_major()) + "." +
                         std::to_string(ev_version_minor()) + ", epoll");
    ev_run(loop, 0);
}
