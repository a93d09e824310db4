// receive.cpp: receiving into chunks that the kernel picks: the receive belongs to the
// descriptor, and goes on while nobody asks.
//
// An operation that asks takes the oldest unread piece, or waits for the next. A receive that stays
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
bool uring::belongs_to_unread(const operation& op) noexcept {
    if (op.code == opcode::recv_chunk) return true;
    ANEL_ASSERT(op.code == opcode::recv);
    const unread_bytes* unread = all_unread_.find(op.fd);
    return unread && unread->in_use();
}

void uring::open_unread() {
    if (unread_open_) return;
    // Without provided buffers the ring only tells when there is something; recv(2) takes it.
    (void)offers_.open(ring_, chunks());
    unread_open_ = true;
}

bool uring::ask_unread(operation& op) noexcept {
    unread_bytes* unread = nullptr;
    try {
        open_unread();
        unread = &all_unread_.of(op.fd);
    } catch (const std::bad_alloc&) {
        return finished_inline(op, -ENOMEM);
    }
    ANEL_ASSERT(unread->waiting == nullptr);
    if (unread->holds_any() && give_unread(*unread, op)) return finished_inline(op, op.result);
    started(op);
    unread->waiting = &op;
    unread->asked_in = turn_;
    if (!unread->armed && !unread->chunkless) {
        arm(op.fd, *unread, unread->spill ? nullptr : next_sqe());
    }
    return true;
}

// Returns whether it waited there. Bytes that still come stay unread at the descriptor: none
// is lost.
bool uring::leave_unread(const operation& op) noexcept {
    unread_bytes* unread = all_unread_.find(op.fd);
    if (!unread || unread->waiting != &op) return false;
    unread->waiting = nullptr;
    return true;
}

// Gives `op` what is there. Returns whether that is all it wants.
bool uring::give_unread(unread_bytes& unread, operation& op) noexcept {
    std::int32_t copied = 0;
    while (unread.first != unread_bytes::none) {
        piece& oldest = all_unread_.front(unread);
        if (op.code == opcode::recv_chunk) {
            op.data = oldest.data;
            op.result = static_cast<std::int32_t>(oldest.size);
            all_unread_.pop(unread);
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
            all_unread_.pop(unread);
        }
        if (op.size == 0) break;
    }
    if (unread.first == unread_bytes::none && unread.spill) {
        if (op.code == opcode::recv_chunk) {
            op.data = chunks().take();
            if (!op.data) return false;
            op.result =
                static_cast<std::int32_t>(unread.spill->take(op.data, chunk_pool::chunk_bytes));
        } else {
            const std::size_t part = unread.spill->take(op.data, op.size);
            advance(op, part);
            copied += static_cast<std::int32_t>(part);
        }
        if (unread.spill->left() == 0) unread.spill.reset();
        if (op.code == opcode::recv_chunk) return true;
    }
    const bool whole = (op.flags & op_flag::whole) != 0;
    if (op.code == opcode::recv && (whole ? op.size == 0 : copied > 0)) {
        op.result = whole ? 0 : copied;
        return true;
    }
    if (!unread.ended) return false;
    unread.ended = false;  // asked again, the kernel says again how it stands
    op.result = unread.end;
    return true;
}

// Without `sqe` it waits for its turn: for room to submit, or for a chunk.
void uring::arm(int fd, unread_bytes& unread, io_uring_sqe* sqe) noexcept {
    ANEL_ASSERT(!unread.armed && !unread.cancelling && !unread.chunkless);
    if (!sqe) return wait_for_chunk(fd, unread);
    unread.as_multishot = offers_.is_open() && unread.multishot && multishot_works_;
    if (!offers_.is_open()) {
        io_uring_prep_poll_add(sqe, fd, POLLIN);
    } else if (unread.as_multishot) {
        io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    } else {
        io_uring_prep_recv(sqe, fd, nullptr, 0, 0);
    }
    if (offers_.is_open()) {
        io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
        sqe->buf_group = chunk_offers::group;
    }
    io_uring_sqe_set_data64(sqe, with_tag(fd, tag::receive));
    unread.armed = true;
}

// Asks the receive to end. Without room for that it goes on, and the next completion asks again.
void uring::disarm(int fd, unread_bytes& unread) noexcept {
    if (unread.cancelling) return;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (!sqe) return;
    io_uring_prep_cancel64(sqe, with_tag(fd, tag::receive), 0);
    io_uring_sqe_set_data64(sqe, with_tag(fd, tag::disarm));
    unread.cancelling = true;
}

// Puts `fd` last in the line of arm_chunkless(), for want of a chunk or of a submission entry.
void uring::wait_for_chunk(int fd, unread_bytes& unread) noexcept {
    ANEL_ASSERT(!unread.chunkless);
    unread.chunkless = true;
    unread.next_chunkless = -1;
    (first_chunkless_ < 0 ? first_chunkless_ : all_unread_.find(last_chunkless_)->next_chunkless) =
        fd;
    last_chunkless_ = fd;
}

// First come, first served, one for each chunk that there is: a receive armed without any would
// fail at once.
void uring::arm_chunkless() noexcept {
    if (offers_.is_open()) offers_.top_up();
    unsigned chunks_left = offers_.is_open() ? offers_.offered() : chunks().any_free() ? 1 : 0;
    while (first_chunkless_ >= 0 && chunks_left > 0) {
        unread_bytes& unread = *all_unread_.find(first_chunkless_);
        // There may be spilled bytes, and now a chunk to lend them in.
        const bool given = unread.waiting && give_unread(unread, *unread.waiting);
        if (given) ended_.push(*std::exchange(unread.waiting, nullptr));
        // A chunk for which nobody asks any more would be kept from those who do.
        io_uring_sqe* sqe = unread.waiting ? next_sqe() : nullptr;
        if (unread.waiting && !sqe) return;
        const int fd = std::exchange(first_chunkless_, unread.next_chunkless);
        unread.chunkless = false;
        if (!sqe) continue;
        arm(fd, unread, sqe);
        chunks_left -= 1;
    }
}

// Those that were armed for the chunks there are may have nothing to receive: the next ones get
// their chance before the loop sleeps.
bool uring::can_arm_chunkless() noexcept {
    return offers_.is_open() ? offers_.offered() > 0 : chunks().any_free();
}

// One completion of a descriptor's receive: bytes, or why there are none, or both in turn. Only
// F_MORE says whether it is still armed.
void uring::received(int fd, std::int32_t result, std::uint32_t flags) noexcept {
    unread_bytes& unread = *all_unread_.find(fd);
    ANEL_ASSERT(unread.armed);
    if ((flags & IORING_CQE_F_MORE) == 0) {
        unread.armed = false;
        unread.cancelling = false;
    }
    if (!offers_.is_open() && result >= 0) {
        result = receive_now(fd, unread);
    } else if ((flags & IORING_CQE_F_BUFFER) != 0) {
        const auto index = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
        std::byte* data = offers_.filled(index);
        if (result <= 0) give_back(data);
        else if (!lend_at_once(unread, data, result))
            keep(unread, index, data, static_cast<std::uint32_t>(result));
    }
    bool without_chunk = false;
    if (result > 0) {
        const bool changed = unread.consider(turn_ == unread.asked_in + 1);
        if (unread.armed && (changed || unread.full())) disarm(fd, unread);
    } else if (result == -ENOBUFS) {
        without_chunk = !offers_.is_open() || !offers_.ran_out(turn_);
    } else if (result == -EINVAL && unread.as_multishot) {
        // Once more without it, as every other one that was armed before this was known.
        multishot_works_ = false;
    } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
        unread.ended = true;
        unread.end = result;
    }
    if (!unread.waiting) return;
    if (give_unread(unread, *unread.waiting)) {
        ended_.push(*std::exchange(unread.waiting, nullptr));
    } else if (!unread.armed && !unread.chunkless) {
        // Nothing is handed over in the middle of reaping: without room it waits for the next turn.
        const bool must_wait = without_chunk || unread.spill;
        arm(fd, unread, must_wait ? nullptr : io_uring_get_sqe(&ring_));
    }
}

// The answer to disarm(). ENOENT: the receive was between its first attempt and its poll, where the
// kernel cannot find it. We cancel again at its next completion, or in drop_unread().
void uring::disarmed(int fd, std::int32_t answer) noexcept {
    unread_bytes& unread = *all_unread_.find(fd);
    if (answer == -ENOENT && unread.armed) unread.cancelling = false;
}

// Somebody waits for the next piece, and this is it: it need not stand in the queue.
bool uring::lend_at_once(unread_bytes& unread, std::byte* data, std::int32_t size) noexcept {
    operation* op = unread.waiting;
    if (!op || op->code != opcode::recv_chunk || unread.holds_any()) return false;
    op->data = data;
    op->result = size;
    ended_.push(*op);
    unread.waiting = nullptr;
    return true;
}

// Puts received bytes behind those that are there.
void uring::keep(unread_bytes& unread, std::uint16_t chunk, std::byte* data,
                 std::uint32_t size) noexcept {
    ANEL_ASSERT(size > 0 && size <= chunk_pool::chunk_bytes);
    if (!unread.spill && !unread.waiting && all_unread_.crowded()) {
        unread.spill.reset(new (std::nothrow) spilled);
    }
    if (!unread.spill) return all_unread_.push(unread, chunk, data, size);
    if (!unread.spill->append(data, size)) {  // nothing may come after a gap
        unread.ended = true;
        unread.end = -ENOMEM;
    }
    give_back(data);
}

// Told by the ring that there is something. Returns what recv(2) says.
std::int32_t uring::receive_now(int fd, unread_bytes& unread) noexcept {
    std::byte* chunk = chunks().take();
    if (!chunk) return -ENOBUFS;
    const ssize_t count = ::recv(fd, chunk, chunk_pool::chunk_bytes, MSG_DONTWAIT);
    const std::int32_t result = count < 0 ? -errno : static_cast<std::int32_t>(count);
    if (result <= 0) {
        give_back(chunk);
    } else {
        const auto index = static_cast<std::uint16_t>(chunks().index_of(chunk));
        keep(unread, index, chunk, static_cast<std::uint32_t>(result));
    }
    return result;
}

// Before a descriptor is closed: its receive is seen to have ended, or it would go on, and meet
// whatever gets the number next. What nobody asked for is dropped.
void uring::drop_unread(int fd) noexcept {
    unread_bytes* unread = all_unread_.find(fd);
    if (!unread) return;
    ANEL_ASSERT(unread->waiting == nullptr);
    while (unread->armed) {
        disarm(fd, *unread);
        check(enter(unread->cancelling ? 1 : 0, duration::max()));
        reap();
    }
    if (unread->chunkless) {
        int* link = &first_chunkless_;
        int before = -1;
        while (*link != fd) {
            before = *link;
            link = &all_unread_.find(*link)->next_chunkless;
        }
        *link = unread->next_chunkless;
        if (last_chunkless_ == fd) last_chunkless_ = before;
    }
    while (unread->first != unread_bytes::none) {
        give_back(all_unread_.front(*unread).data);
        all_unread_.pop(*unread);
    }
    ANEL_ASSERT(!unread->armed && unread->queued == 0);
    *unread = unread_bytes();
}

}  // namespace anel::detail
