// receive.cpp: receiving into chunks that the kernel picks: the receive belongs to the
// descriptor, and goes on while nobody asks.
//
// An operation that asks takes the oldest piece of the inbox, or waits there. A receive that stays
// armed needs no submission per message and holds no memory while nothing comes; one that is made
// per message is cheaper when the bytes are there already. Each descriptor uses what fits what was
// seen of it lately.
// SPDX-License-Identifier: MIT
#include "runtime/uring/uring.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace anel::detail {

// A plain recv must not overtake what a recv_chunk before it left behind.
bool uring::belongs_to_inbox(const operation& op) noexcept {
    if (op.code == opcode::recv_chunk) return true;
    if (op.code != opcode::recv) return false;
    const inbox* box = inboxes_.find(op.fd);
    return box && box->in_use();
}

void uring::open_inboxes() {
    if (inboxes_open_) return;
    // Without provided buffers the ring only tells when there is something; recv(2) takes it.
    (void)offers_.open(ring_, chunks());
    inboxes_open_ = true;
}

bool uring::ask_inbox(operation& op) noexcept {
    inbox* box = nullptr;
    try {
        open_inboxes();
        box = &inboxes_.of(op.fd);
    } catch (const std::bad_alloc&) {
        return finished_inline(op, -ENOMEM);
    }
    ANEL_ASSERT(box->waiting == nullptr);
    if (serve(*box, op)) return finished_inline(op, op.result);
    started(op);
    box->waiting = &op;
    box->asked_in = turn_;
    if (!box->armed && !box->starving) arm(op.fd, *box, box->spill ? nullptr : next_sqe());
    return true;
}

// Returns whether it waited there. The bytes that may still come for it stay in the inbox: nothing
// is lost.
bool uring::leave_inbox(const operation& op) noexcept {
    inbox* box = inboxes_.find(op.fd);
    if (!box || box->waiting != &op) return false;
    box->waiting = nullptr;
    return true;
}

// Gives `op` what is there. Returns whether that is all it wants.
bool uring::serve(inbox& box, operation& op) noexcept {
    std::int32_t copied = 0;
    while (box.first != inbox::none) {
        piece& oldest = inboxes_.front(box);
        if (op.code == opcode::recv_chunk) {
            op.data = oldest.data;
            op.result = static_cast<std::int32_t>(oldest.size);
            inboxes_.pop(box);
            return true;
        }
        const std::size_t part = std::min<std::size_t>(op.size, oldest.size);
        std::memcpy(op.data, oldest.data, part);
        advance(op, part);
        copied += static_cast<std::int32_t>(part);
        oldest.data += part;
        oldest.size -= static_cast<std::uint32_t>(part);
        if (oldest.size == 0) {
            give_back(oldest.data - 1);
            inboxes_.pop(box);
        }
        if (op.size == 0) break;
    }
    if (box.first == inbox::none && box.spill) {
        if (op.code == opcode::recv_chunk) {
            op.data = chunks().take();
            if (!op.data) return false;
            op.result =
                static_cast<std::int32_t>(box.spill->take(op.data, chunk_pool::chunk_bytes));
        } else {
            const std::size_t part = box.spill->take(op.data, op.size);
            advance(op, part);
            copied += static_cast<std::int32_t>(part);
        }
        if (box.spill->left() == 0) box.spill.reset();
        if (op.code == opcode::recv_chunk) return true;
    }
    const bool whole = (op.flags & op_flag::whole) != 0;
    if (op.code == opcode::recv && (whole ? op.size == 0 : copied > 0)) {
        op.result = whole ? 0 : copied;
        return true;
    }
    if (!box.ended) return false;
    box.ended = false;  // asked again, the kernel says again how it stands
    op.result = box.end;
    return true;
}

// Without `sqe` it waits for its turn: for room to submit, or for a chunk.
void uring::arm(int fd, inbox& box, io_uring_sqe* sqe) noexcept {
    if (!sqe) return starve(fd, box);
    box.as_multishot = offers_.is_open() && box.multishot && multishot_works_;
    if (!offers_.is_open()) {
        io_uring_prep_poll_add(sqe, fd, POLLIN);
    } else if (box.as_multishot) {
        io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    } else {
        io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
    }
    if (offers_.is_open()) {
        io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
        sqe->buf_group = chunk_offers::group;
    }
    io_uring_sqe_set_data64(sqe, with_tag(fd, tag::receive));
    box.armed = true;
}

// Asks the receive to end. Without room for that it goes on, and the next completion asks again.
void uring::disarm(int fd, inbox& box) noexcept {
    if (box.cancelling) return;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (!sqe) return;
    io_uring_prep_cancel64(sqe, with_tag(fd, tag::receive), 0);
    io_uring_sqe_set_data64(sqe, with_tag(fd, tag::disarm));
    box.cancelling = true;
}

void uring::starve(int fd, inbox& box) noexcept {
    ANEL_ASSERT(!box.starving);
    box.starving = true;
    box.next_starving = -1;
    (first_starving_ < 0 ? first_starving_ : inboxes_.find(last_starving_)->next_starving) = fd;
    last_starving_ = fd;
}

// First come, first served, one for each chunk that there is: a receive armed without any would
// fail at once.
void uring::feed_starving() noexcept {
    if (!inboxes_open_) return;
    if (offers_.is_open()) offers_.top_up();
    unsigned chunks_left = offers_.is_open() ? offers_.offered() : chunks().any_free() ? 1 : 0;
    while (first_starving_ >= 0 && chunks_left > 0) {
        inbox& box = *inboxes_.find(first_starving_);
        const bool served = box.waiting && serve(box, *box.waiting);  // with what was spilled
        if (served) ended_.push(*std::exchange(box.waiting, nullptr));
        // A chunk for which nobody asks any more would be kept from those who do.
        io_uring_sqe* sqe = box.waiting ? next_sqe() : nullptr;
        if (box.waiting && !sqe) return;
        const int fd = std::exchange(first_starving_, box.next_starving);
        box.starving = false;
        if (!sqe) continue;
        arm(fd, box, sqe);
        chunks_left -= 1;
    }
}

// Those that were armed for the chunks there are may have nothing to receive: the next ones get
// their chance before the loop sleeps.
bool uring::can_feed_more() noexcept {
    if (first_starving_ < 0) return false;
    return offers_.is_open() ? offers_.offered() > 0 : chunks().any_free();
}

// One completion of a descriptor's receive: bytes, or why there are none, or both in turn. Only
// F_MORE says whether it is still armed.
void uring::received(int fd, std::int32_t result, std::uint32_t flags) noexcept {
    inbox& box = *inboxes_.find(fd);
    if ((flags & IORING_CQE_F_MORE) == 0) {
        box.armed = false;
        box.cancelling = false;
    }
    if (!offers_.is_open() && result >= 0) {
        result = receive_now(fd, box);
    } else if ((flags & IORING_CQE_F_BUFFER) != 0) {
        const auto index = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
        std::byte* data = offers_.filled(index);
        if (result <= 0) give_back(data);
        else keep(box, index, data, static_cast<std::uint32_t>(result));
    }
    bool without_chunk = false;
    if (result > 0) {
        const bool changed = box.consider(turn_ == box.asked_in + 1);
        if (box.armed && (changed || box.full())) disarm(fd, box);
    } else if (result == -ENOBUFS) {
        without_chunk = !offers_.is_open() || !offers_.ran_out(turn_);
    } else if (result == -EINVAL && box.as_multishot) {
        // Once more without it, as every other one that was armed before this was known.
        multishot_works_ = false;
    } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
        box.ended = true;
        box.end = result;
    }
    if (!box.waiting) return;
    if (serve(box, *box.waiting)) {
        ended_.push(*std::exchange(box.waiting, nullptr));
    } else if (!box.armed && !box.starving) {
        // Nothing is handed over in the middle of reaping: without room it waits for the next turn.
        const bool must_wait = without_chunk || box.spill;
        arm(fd, box, must_wait ? nullptr : io_uring_get_sqe(&ring_));
    }
}

// The answer to disarm(). A receive on its way from its first try to its poll is not found: then it
// is asked again, at its next completion or by who waits for its end.
void uring::disarmed(int fd, std::int32_t answer) noexcept {
    inbox& box = *inboxes_.find(fd);
    if (answer == -ENOENT && box.armed) box.cancelling = false;
}

// Puts received bytes behind those that are there.
void uring::keep(inbox& box, std::uint16_t chunk, std::byte* data, std::uint32_t size) noexcept {
    if (!box.spill && !box.waiting && inboxes_.crowded()) {
        box.spill.reset(new (std::nothrow) spilled);
    }
    if (!box.spill) return inboxes_.push(box, chunk, data, size);
    if (!box.spill->append(data, size)) {  // nothing may come after a gap
        box.ended = true;
        box.end = -ENOMEM;
    }
    give_back(data);
}

// Told by the ring that there is something. Returns what recv(2) says.
std::int32_t uring::receive_now(int fd, inbox& box) noexcept {
    std::byte* chunk = chunks().take();
    if (!chunk) return -ENOBUFS;
    const ssize_t count = ::recv(fd, chunk, chunk_pool::chunk_bytes, MSG_DONTWAIT);
    const std::int32_t result = count < 0 ? -errno : static_cast<std::int32_t>(count);
    if (result <= 0) {
        give_back(chunk);
    } else {
        const auto index = static_cast<std::uint16_t>(chunks().index_of(chunk));
        keep(box, index, chunk, static_cast<std::uint32_t>(result));
    }
    return result;
}

// Before a descriptor is closed: its receive is seen to have ended, or it would go on, and meet
// whatever gets the number next. What nobody asked for is dropped.
void uring::empty_inbox(int fd) noexcept {
    inbox* box = inboxes_.find(fd);
    if (!box) return;
    ANEL_ASSERT(box->waiting == nullptr);
    while (box->armed) {
        disarm(fd, *box);
        check(enter(box->cancelling ? 1 : 0, duration::max()));
        reap();
    }
    if (box->starving) {
        int* link = &first_starving_;
        int before = -1;
        while (*link != fd) {
            before = *link;
            link = &inboxes_.find(*link)->next_starving;
        }
        *link = box->next_starving;
        if (last_starving_ == fd) last_starving_ = before;
    }
    while (box->first != inbox::none) {
        give_back(inboxes_.front(*box).data);
        inboxes_.pop(*box);
    }
    *box = inbox();
}

}  // namespace anel::detail
