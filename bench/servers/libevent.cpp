// libevent.cpp: the server with libevent's bufferevents, on epoll, one thread.
//
// Answers are sent at once, and only what the socket does not take goes through the output buffer,
// which is libevent's fastest way: it else waits for epoll to say that the socket takes something.
//
// SPDX-License-Identifier: MIT
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "server.hpp"

namespace {

void drop(bufferevent* stream, void* rules) {
    bufferevent_free(stream);  // closes the descriptor
    delete static_cast<server::protocol*>(rules);
}

void ended(bufferevent* stream, short, void* rules) { drop(stream, rules); }

void received(bufferevent* stream, void* data) {
    auto& rules = *static_cast<server::protocol*>(data);
    evbuffer* input = bufferevent_get_input(stream);
    const int fd = bufferevent_getfd(stream);
    while (const std::size_t size =
               std::min(evbuffer_get_contiguous_space(input), rules.receive_max())) {
        auto* bytes = reinterpret_cast<char*>(evbuffer_pullup(input, static_cast<ssize_t>(size)));
        const auto answer = rules.answer({bytes, size});
        ssize_t sent = send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return drop(stream, data);
        if (sent < 0) sent = 0;
        const auto rest = answer.subspan(static_cast<std::size_t>(sent));
        if (!rest.empty()) bufferevent_write(stream, rest.data(), rest.size());
        evbuffer_drain(input, size);
        if (rest.empty()) continue;
        bufferevent_disable(stream, EV_READ);  // until it has gone: a slow reader
        return;
    }
}

void written(bufferevent* stream, void* rules) {
    bufferevent_enable(stream, EV_READ);
    received(stream, rules);  // what had been read already
}

void accepted(evconnlistener* listener, int fd, sockaddr*, int, void* data) {
    auto* rules = new server::protocol(*static_cast<server::options*>(data));
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bufferevent* stream =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (stream == nullptr) server::die("bufferevent_socket_new", ENOMEM);
    bufferevent_set_max_single_read(stream, rules->receive_max());
    bufferevent_setcb(stream, received, written, ended, rules);
    bufferevent_enable(stream, EV_READ);
}

}  // namespace

int main(int argc, char** argv) {
    auto given = server::start(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);  // its own writes have no MSG_NOSIGNAL
    const int fd = server::listening_socket(given, SOCK_NONBLOCK);
    event_base* base = event_base_new();
    if (base == nullptr) server::die("event_base_new", ENOMEM);
    // A backlog of 0: the socket listens already.
    if (evconnlistener_new(base, accepted, &given, LEV_OPT_CLOSE_ON_EXEC, 0, fd) == nullptr) {
        server::die("evconnlistener_new", errno);
    }
    server::announce(fd, "libevent",
                     std::string("libevent ") + event_get_version() + ", bufferevent, " +
                         event_base_get_method(base));
    return event_base_dispatch(base) == 0 ? 0 : 1;
}
