// uring.cpp: a server on io_uring through liburing, one operation at a time for each connection.
//
// One ring, one io_uring_enter per turn: it submits everything the last turn queued, and waits.
// Connections come from one multishot accept; each has one operation in flight, a one-shot receive
// into its own buffer or the send of the answer, whose short sends the kernel goes on with itself
// (MSG_WAITALL). Needs Linux 6.1 (DEFER_TASKRUN) and liburing 2.3.
//
// SPDX-License-Identifier: MIT
#include <poll.h>

#include <memory>

#include "datagrams.hpp"
#include "ring.hpp"

namespace {

enum class op : std::uint64_t { accept, recv, send };  // in user_data, below the descriptor

struct connection {
    std::unique_ptr<server::protocol> rules;
    std::vector<char> buffer;
    std::span<char> answer;  // what has not been sent yet
};

class loop {
public:
    explicit loop(const server::options& given) : given_(given) {}

    [[noreturn]] void run(int listener) {
        queue(op::accept, listener);
        for (;;) ring_.turn([this](const io_uring_cqe& cqe) { handle(cqe); });
    }

private:
    void queue(op operation, int fd) {
        io_uring_sqe* sqe = ring_.next();
        connection& c = connections_[fd];
        switch (operation) {
            case op::accept: io_uring_prep_multishot_accept(sqe, fd, nullptr, nullptr, 0); break;
            case op::recv: io_uring_prep_recv(sqe, fd, c.buffer.data(), c.buffer.size(), 0); break;
            case op::send:
                io_uring_prep_send(sqe, fd, c.answer.data(), c.answer.size(),
                                   MSG_WAITALL | MSG_NOSIGNAL);
                break;
        }
        sqe->user_data = server::tag(operation, fd).user_data();
    }

    void handle(const io_uring_cqe& cqe) {
        const auto [operation, fd] = server::tag<op>(cqe);
        if (operation == op::accept) {
            if ((cqe.flags & IORING_CQE_F_MORE) == 0) queue(op::accept, fd);
            return accepted(cqe.res);
        }
        if (cqe.res <= 0) return drop(fd);  // end of stream, or the peer is gone
        const auto size = static_cast<std::size_t>(cqe.res);
        connection& c = connections_[fd];
        c.answer = operation == op::recv ? c.rules->answer(std::span(c.buffer).first(size))
                                         : c.answer.subspan(size);
        queue(c.answer.empty() ? op::recv : op::send, fd);
    }

    void accepted(int fd) {
        if (!server::is_connection(fd)) return;
        connection& c = connections_[fd];
        c.rules = std::make_unique<server::protocol>(given_);
        c.buffer.resize(c.rules->receive_max());
        queue(op::recv, fd);
    }

    void drop(int fd) {
        connections_[fd] = {};
        close(fd);  // nothing of this connection is in flight any more
    }

    const server::options& given_;
    server::ring ring_;
    server::connections<connection> connections_;
};

// The ring waits, and one call moves all the datagrams that are there. With 64 receives in
// flight, or a multishot one, each datagram costs a completion and a submission of its own.
[[noreturn]] void serve_datagrams(int fd) {
    server::ring ring;
    server::datagrams batch;
    for (;;) {
        io_uring_prep_poll_add(ring.next(), fd, POLLIN);
        ring.turn([](const io_uring_cqe&) {});
        batch.answer(fd);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto given = server::start(argc, argv);
    if (given.udp) {
        const int fd = server::bound_socket(given, 0);
        server::announce(fd, "uring", server::ring_details() + ", poll, recvmmsg, sendmmsg");
        serve_datagrams(fd);
    }
    const int listener = server::listening_socket(given, 0);
    server::announce(listener, "uring", server::ring_details() + ", one-shot recv, own buffers");
    loop(given).run(listener);
}
