// uring_multishot.cpp: a server on io_uring with everything modern: multishot accept and receive,
// and one ring of buffers for all connections.
//
// A receive is armed once and completes again and again; the kernel picks a buffer when there is
// data, so a connection that waits holds none. One send is in flight for each connection, because
// two have no order; pieces that arrive meanwhile wait in line. At pieces_max the receive is
// cancelled until they have gone. Needs Linux 6.1 and liburing 2.3.
// SPDX-License-Identifier: MIT
#include <deque>
#include <memory>
#include <utility>

#include "ring.hpp"

namespace {

constexpr std::size_t pieces_max = 16;
constexpr unsigned buffers = 1024;  // a power of two; fewer stay warm in the cache

enum class op : std::uint64_t { accept, recv, send, cancel };

struct connection {
    std::unique_ptr<server::protocol> rules;
    std::deque<std::span<char>> pieces;  // received; the first one is being answered
    std::span<char> answer;              // what has not been sent yet of the answer to the first
    bool receiving = false;              // the receive is armed
    bool ended = false;                  // the peer has finished, or is gone
    bool broken = false;                 // a send failed
};

class loop {
public:
    explicit loop(const server::options& given)
        : given_(given), free_(ring_, buffers, given.buffer) {}

    [[noreturn]] void run(int listener) {
        queue(op::accept, listener);
        for (;;) {
            ring_.turn([this](const io_uring_cqe& cqe) { handle(cqe); });
            for (const int fd : std::exchange(starved_, {})) go_on(fd);  // buffers have come back
        }
    }

private:
    void queue(op operation, int fd) {
        io_uring_sqe* sqe = ring_.next();
        connection& c = connections_[fd];
        switch (operation) {
            case op::accept: io_uring_prep_multishot_accept(sqe, fd, nullptr, nullptr, 0); break;
            case op::recv:
                io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
                sqe->flags |= IOSQE_BUFFER_SELECT;
                sqe->buf_group = 0;
                c.receiving = true;
                break;
            case op::send:
                io_uring_prep_send(sqe, fd, c.answer.data(), c.answer.size(),
                                   MSG_WAITALL | MSG_NOSIGNAL);
                break;
            case op::cancel:
                io_uring_prep_cancel64(sqe, server::tag(op::recv, fd).user_data(), 0);
                break;
        }
        sqe->user_data = server::tag(operation, fd).user_data();
    }

    void handle(const io_uring_cqe& cqe) {
        const auto [operation, fd] = server::tag<op>(cqe);
        const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
        switch (operation) {
            case op::accept:
                if (!more) queue(op::accept, fd);
                return accepted(cqe.res);
            case op::recv: return received(fd, cqe, more);
            case op::send: return sent(fd, cqe.res);
            case op::cancel: return;  // the receive itself tells
        }
    }

    void accepted(int fd) {
        if (!server::is_connection(fd)) return;
        connections_[fd].rules = std::make_unique<server::protocol>(given_);
        queue(op::recv, fd);
    }

    void received(int fd, const io_uring_cqe& cqe, bool more) {
        connection& c = connections_[fd];
        c.receiving = more;
        if (cqe.res == -ENOBUFS) return starved_.push_back(fd);
        if (cqe.res > 0) {
            c.pieces.push_back(free_.filled_by(cqe));
            if (c.pieces.size() == 1) answer_first(fd);
            else if (c.pieces.size() == pieces_max && more) queue(op::cancel, fd);
        } else if (cqe.res != -ECANCELED) {
            c.ended = true;
        }
        if (!more) go_on(fd);
    }

    void answer_first(int fd) {
        connection& c = connections_[fd];
        c.answer = c.rules->answer(c.pieces.front());
        queue(op::send, fd);
    }

    void sent(int fd, int result) {
        connection& c = connections_[fd];
        c.broken = c.broken || result <= 0;
        if (!c.broken) c.answer = c.answer.subspan(static_cast<std::size_t>(result));
        if (!c.broken && !c.answer.empty()) return queue(op::send, fd);
        do {  // of a broken connection nothing will be answered any more
            free_.give_back(c.pieces.front());
            c.pieces.pop_front();
        } while (c.broken && !c.pieces.empty());
        if (!c.pieces.empty()) return answer_first(fd);
        if (c.broken && c.receiving && !c.ended) shutdown(fd, SHUT_RDWR);  // the receive ends
        go_on(fd);
    }

    /// Arms the receive again when it has ended before the stream; closes when all is done.
    void go_on(int fd) {
        connection& c = connections_[fd];
        if (!c.rules || c.receiving) return;
        if (c.ended || c.broken) {
            if (!c.pieces.empty()) return;
            c = {};
            close(fd);
        } else if (c.pieces.size() < pieces_max / 2) {
            queue(op::recv, fd);
        }
    }

    const server::options& given_;
    server::ring ring_;
    server::buffer_ring free_;
    server::connections<connection> connections_;
    std::vector<int> starved_;  // found no buffer
};

}  // namespace

int main(int argc, char** argv) {
    auto given = server::start(argc, argv);
    given.buffer = server::protocol(given).receive_max();
    const int listener = server::listening_socket(given, 0);
    server::announce(listener, "uring-multishot",
                     server::ring_details() + ", multishot accept and recv, ring of 1024 buffers");
    loop(given).run(listener);
}
