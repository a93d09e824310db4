// uring_adaptive.cpp: a server on io_uring that chooses for each connection how it waits: the best
// that we know to write by hand.
//
// A connection that waits for its data keeps a multishot receive: nothing is submitted for the next
// message. One whose data is there when it asks takes one-shot receives, which spare the poll. Six
// in a row of the other kind change it over. One whose receive fills a chunk is in bulk: the ring
// only says when there is something, and recv(2) and send(2) move it through the one buffer that
// was used last, while it is in the cache.
//
// One send is in flight for each connection, because two have no order; what arrives meanwhile
// waits in a list. At pieces_max the receive is cancelled until all have gone. Needs Linux 6.1 and
// liburing 2.3.
//
// SPDX-License-Identifier: MIT
#include <poll.h>

#include <memory>
#include <utility>

#include "ring.hpp"

namespace {

constexpr unsigned none = ~0U;
constexpr unsigned pieces_max = 16;           // received and not sent, for each connection
constexpr unsigned same_in_a_row = 6;         // before the kind of receive changes
constexpr std::size_t bulk_size = 128 << 10;  // bytes that recv(2) takes at most
constexpr std::size_t calm_size = 8 << 10;    // so little is not bulk any more,
constexpr unsigned calm_receives = 32;        // after so many in a row

/// Chunks that the kernel receives into: one ring of them for all connections. It is offered about
/// as many as one turn uses, the last used first, so that the same few stay in the cache.
class chunk_ring {
public:
    static constexpr std::size_t size = 32 << 10;
    static constexpr unsigned count_max = 4096;  // address space: memory once it is used

    explicit chunk_ring(server::ring& owner)
        : data_(map(count_max * stride)),
          offers_(reinterpret_cast<io_uring_buf_ring*>(map(count_max * sizeof(io_uring_buf)))) {
        io_uring_buf_reg shared{};
        shared.ring_addr = reinterpret_cast<std::uint64_t>(offers_);
        shared.ring_entries = count_max;
        const int result = io_uring_register_buf_ring(owner.native(), &shared, 0);
        if (result < 0) server::die("io_uring_register_buf_ring", -result);
        io_uring_buf_ring_init(offers_);
        offer();
    }

    /// Chunk `id`, which the kernel has filled.
    char* taken(unsigned id) noexcept {
        --offered_;
        return at(id);
    }
    void give_back(unsigned id) { free_.push_back(id); }

    /// Once a turn: offers as many as the target says.
    void offer() {
        adapt();
        int added = 0;
        for (; offered_ < target_ && (!free_.empty() || made_ < count_max); ++offered_, ++added) {
            if (free_.empty()) free_.push_back(made_++);
            const unsigned id = free_.back();
            free_.pop_back();
            io_uring_buf_ring_add(offers_, at(id), size, static_cast<std::uint16_t>(id),
                                  io_uring_buf_ring_mask(count_max), added);
        }
        if (added > 0) io_uring_buf_ring_advance(offers_, added);
    }

    /// The kernel has found none: from now on it is offered more, as far as there are more.
    void grow(unsigned turn) {
        if (std::exchange(grown_in_, turn) == turn) return;  // one shortage, told by many
        target_ = used_max_ = std::min(2 * target_, count_max);
    }
    [[nodiscard]] unsigned offered() const noexcept { return offered_; }

private:
    // One cache line more than a power of two: page-aligned chunks would share a few sets of the
    // cache.
    static constexpr std::size_t stride = size + 64;
    static constexpr unsigned target_min = 64;

    static char* map(std::size_t bytes) {
        void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) server::die("mmap", errno);
        return static_cast<char*>(memory);
    }

    [[nodiscard]] char* at(unsigned id) const noexcept { return data_ + id * stride; }

    /// Halves the target when for 256 turns most of it has gone unused.
    void adapt() noexcept {
        if (offered_ >= target_) return;
        used_max_ = std::max(used_max_, target_ - offered_);
        if (++turns_ < 256) return;
        if (4 * used_max_ <= target_ && target_ > target_min) target_ /= 2;
        turns_ = used_max_ = 0;
    }

    char* data_;
    io_uring_buf_ring* offers_;
    std::vector<unsigned> free_;
    unsigned target_ = target_min, offered_ = 0, made_ = 0;
    unsigned used_max_ = 0, turns_ = 0, grown_in_ = 0;
};

enum class op : std::uint64_t { accept, recv, poll, send, cancel, close };

struct connection {
    std::unique_ptr<server::protocol> rules;
    std::span<char> answer;              // what is being sent
    unsigned first = none, last = none;  // pieces received: the first one is being answered
    unsigned pieces = 0;
    unsigned asked_in = 0;              // the turn in which it began to want data
    unsigned other_kind = 0, calm = 0;  // in a row
    bool multishot = true;
    bool bulk = false;
    bool armed = false;    // a receive or a poll is in flight
    bool polling = false;  // it is a poll
    bool cancelling = false;
    bool sending = false;
    bool ended = false;  // the peer has finished, or is gone
};

class loop {
public:
    explicit loop(const server::options& given) : given_(given), chunks_(ring_) {}

    [[noreturn]] void run(int listener) {
        accept(listener);
        for (;; ++turn_) {
            ring_.turn([this](const io_uring_cqe& cqe) { handle(cqe); });
            chunks_.offer();
            feed_starved();
        }
    }

private:
    struct piece {
        std::span<char> received;  // not answered yet
        unsigned next = none;
    };

    void handle(const io_uring_cqe& cqe) {
        const auto [operation, fd] = server::tag<op>(cqe);
        switch (operation) {
            case op::accept:
                if ((cqe.flags & IORING_CQE_F_MORE) == 0) accept(fd);
                return accepted(cqe.res);
            case op::recv: return received(fd, cqe);
            case op::poll: return readable(fd, cqe.res);
            case op::send: return sent(fd, cqe.res);
            case op::cancel:  // too late: the receive has ended by itself
            case op::close: return;
        }
    }

    void accept(int listener) {
        io_uring_sqe* sqe = ring_.next();
        io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, 0);
        sqe->user_data = server::tag(op::accept, listener).user_data();
    }

    void accepted(int fd) {
        if (!server::has_come(fd)) return;
        connections_[fd] = {};
        connections_[fd].rules = std::make_unique<server::protocol>(given_);
        receive(fd);
    }

    /// Asks for the next bytes, in the way that suits the connection.
    void receive(int fd) {
        connection& c = connections_[fd];
        if (c.bulk) return receive_bulk(fd);
        io_uring_sqe* sqe = ring_.next();
        if (c.multishot) io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
        else io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->user_data = server::tag(op::recv, fd).user_data();
        c.armed = true;
        c.polling = false;
        c.asked_in = turn_;
    }

    void received(int fd, const io_uring_cqe& cqe) {
        connection& c = connections_[fd];
        if ((cqe.flags & IORING_CQE_F_MORE) == 0) c.armed = c.cancelling = false;
        if (cqe.res == -ENOBUFS) return out_of_chunks(fd);
        if (cqe.res <= 0 && cqe.res != -ECANCELED) return end(fd);
        bool change = false;
        if (cqe.res > 0) {
            const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
            const auto size = static_cast<std::size_t>(cqe.res);
            append(fd, id, {chunks_.taken(id), size});
            if (!c.sending) answer_next(fd);
            c.bulk = c.bulk || size == chunk_ring::size;
            change = better_otherwise(c) || c.bulk || c.pieces >= pieces_max;
        }
        if (c.armed && change) cancel(fd);
        go_on(fd);
    }

    /// One-shot is for those whose data is there when they ask, multishot for those who wait.
    bool better_otherwise(connection& c) const {
        const bool at_once = turn_ == c.asked_in + 1;
        c.other_kind = at_once == c.multishot ? c.other_kind + 1 : 0;
        if (c.other_kind < same_in_a_row) return false;
        c.other_kind = 0;
        c.multishot = !c.multishot;
        return true;
    }

    void out_of_chunks(int fd) {
        chunks_.grow(turn_);
        if (connections_[fd].first == none) starved_.push_back(fd);  // else a send comes back
    }

    /// All of them, since one may find no data and leave its chunk to the next.
    void feed_starved() {
        if (starved_.empty() || chunks_.offered() == 0) return;
        for (const int fd : std::exchange(starved_, {})) go_on(fd);
    }

    void cancel(int fd) {
        connection& c = connections_[fd];
        if (std::exchange(c.cancelling, true)) return;
        io_uring_sqe* sqe = ring_.next();
        const op what = c.polling ? op::poll : op::recv;
        io_uring_prep_cancel64(sqe, server::tag(what, fd).user_data(), 0);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        sqe->user_data = server::tag(op::cancel, fd).user_data();
    }

    /// When all that has been received is sent: asks for more, or finishes.
    void go_on(int fd) {
        connection& c = connections_[fd];
        if (c.first != none) return;
        c.asked_in = turn_;
        if (c.armed) return;
        if (c.ended) end(fd);
        else receive(fd);
    }

    /// Closes the connection as soon as nothing of it is in flight.
    void end(int fd) {
        connection& c = connections_[fd];
        c.ended = true;
        if (c.armed) return cancel(fd);
        if (c.first != none) return;
        io_uring_sqe* sqe = ring_.next();
        io_uring_prep_close(sqe, fd);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        sqe->user_data = server::tag(op::close, fd).user_data();
    }

    /// In bulk: what is there is received and sent at once; a poll tells when there is more.
    void receive_bulk(int fd) {
        connection& c = connections_[fd];
        const unsigned id = take_bulk_buffer();
        char* data = bulk_[id].get();
        const ssize_t n = recv(fd, data, bulk_size, MSG_DONTWAIT);
        if (n > 0) {
            const std::span received(data, static_cast<std::size_t>(n));
            c.calm = received.size() <= calm_size ? c.calm + 1 : 0;
            if (c.calm == calm_receives) {
                c.bulk = false;
                c.calm = 0;
            }
            if (!answer_at_once(fd, id, received)) return;  // the buffer is kept
        }
        bulk_free_.push_back(id);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return end(fd);
        if (!c.bulk) return receive(fd);
        io_uring_sqe* sqe = ring_.next();
        io_uring_prep_poll_add(sqe, fd, POLLIN);
        sqe->user_data = server::tag(op::poll, fd).user_data();
        c.armed = c.polling = true;
    }

    void readable(int fd, int result) {
        connection& c = connections_[fd];
        c.armed = c.cancelling = false;
        if (result < 0 || c.ended) end(fd);
        else receive_bulk(fd);
    }

    unsigned take_bulk_buffer() {
        if (bulk_free_.empty()) {
            bulk_free_.push_back(static_cast<unsigned>(bulk_.size()));
            bulk_.push_back(std::make_unique_for_overwrite<char[]>(bulk_size));
        }
        const unsigned id = bulk_free_.back();
        bulk_free_.pop_back();
        return id;
    }

    /// Sends with send(2). What the socket does not take becomes a piece; then it returns false.
    bool answer_at_once(int fd, unsigned id, std::span<char> received) {
        connection& c = connections_[fd];
        while (!received.empty()) {
            c.answer = c.rules->answer_first(received);
            const ssize_t n =
                ::send(fd, c.answer.data(), c.answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            c.answer = c.answer.subspan(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
            if (c.answer.empty()) continue;
            append(fd, chunk_ring::count_max + id, received);
            send(fd);  // it also tells what error there is
            return false;
        }
        return true;
    }

    void append(int fd, unsigned id, std::span<char> received) {
        connection& c = connections_[fd];
        if (pieces_.size() <= id) pieces_.resize(2 * id + 1);
        pieces_[id] = {received};
        (c.first == none ? c.first : pieces_[c.last].next) = id;
        c.last = id;
        ++c.pieces;
    }

    void answer_next(int fd) {
        connection& c = connections_[fd];
        c.answer = c.rules->answer_first(pieces_[c.first].received);
        send(fd);
    }

    void send(int fd) {
        connection& c = connections_[fd];
        io_uring_sqe* sqe = ring_.next();
        io_uring_prep_send(sqe, fd, c.answer.data(), c.answer.size(), MSG_WAITALL | MSG_NOSIGNAL);
        sqe->user_data = server::tag(op::send, fd).user_data();
        c.sending = true;
    }

    void sent(int fd, int result) {
        connection& c = connections_[fd];
        c.sending = false;
        if (result < 0 || static_cast<std::size_t>(result) < c.answer.size()) {
            while (c.first != none) release_first(c);  // nobody takes the rest
            return end(fd);
        }
        if (pieces_[c.first].received.empty()) release_first(c);
        if (c.first != none) answer_next(fd);
        else go_on(fd);
    }

    void release_first(connection& c) {
        const unsigned id = std::exchange(c.first, pieces_[c.first].next);
        --c.pieces;
        if (id >= chunk_ring::count_max) return bulk_free_.push_back(id - chunk_ring::count_max);
        chunks_.give_back(id);
    }

    const server::options& given_;
    server::ring ring_;
    chunk_ring chunks_;
    server::connections<connection> connections_;
    std::vector<piece> pieces_;                  // by chunk; those of bulk buffers follow
    std::vector<std::unique_ptr<char[]>> bulk_;  // as many as wait to be sent, and one
    std::vector<unsigned> bulk_free_;
    std::vector<int> starved_;  // want data, and found no chunk
    unsigned turn_ = 1;
};

}  // namespace

int main(int argc, char** argv) {
    const auto given = server::start(argc, argv);
    const int listener = server::listening_socket(given, 0);
    const int one = 1;  // connections inherit it
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    server::announce(listener, "uring-adaptive",
                     server::ring_details() + ", multishot or one-shot recv, ring of hot chunks of "
                                              "32 KiB, recv(2) in bulk");
    loop(given).run(listener);
}
