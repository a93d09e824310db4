// uring.cpp: what each operation is for io_uring, and the one system call of a turn.
// SPDX-License-Identifier: MIT
#include "runtime/uring/uring.hpp"

#include "runtime/system/file.hpp"
#include "runtime/system/sanitizer.hpp"

#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace anel::detail {
namespace {

// Newer than the header of liburing 2.3; a value of the kernel's interface.
constexpr unsigned notice = 1U << 3;  // of a completion; IORING_CQE_F_NOTIF, 6.0

// The ring tells when there is room or something to take, and a system call does the rest.
constexpr bool is_attempted(opcode code) noexcept {
    return code == opcode::accept || code == opcode::send_file || code == opcode::recv_batch ||
           code == opcode::send_batch || code == opcode::recv_passed ||
           code == opcode::send_passed || code == opcode::read_input ||
           code == opcode::write_output || code == opcode::poll;
}

// Datagrams hardly ever have to wait: at once they save an entry, a completion, and often an enter
// (2.87 us instead of 3.06 for an echo). So does a reply that is alone in its turn.
constexpr bool goes_at_once(const operation& op, bool alone) noexcept {
    if (op.code == opcode::send_batch || op.code == opcode::send_file ||
        op.code == opcode::write_output || op.code == opcode::send_passed) {
        return true;
    }
    if (op.code != opcode::send) return op.code == opcode::sendmsg && !(op.flags & op_flag::whole);
    return alone && (op.flags & op_flag::zero_copy) == 0 && op.size <= chunk_pool::chunk_bytes;
}

// A ring's poll passes over wake-ups for POLLPRI alone (io_poll_wake() since Linux 5.18): urgent
// data would never be told. Those of a socket's new data say POLLRDBAND too, which no file is
// likely to report.
unsigned events_for_ring(const operation& poll) noexcept {
    const auto events = static_cast<unsigned>(events_of(poll));
    return events == POLLPRI ? events | POLLRDBAND : events;
}

// Whether it receives into memory that is lent, or after such a receive.
constexpr bool may_meet_unread(const operation& op) noexcept {
    return op.code == opcode::recv_chunk || (op.flags & op_flag::after_lent) != 0;
}

// The memory that an operation's completion has filled.
[[maybe_unused]] void tell_memcheck(const operation& op, std::int32_t result) noexcept {
    if (result < 0) return;
    auto left = static_cast<std::size_t>(result);
    if (op.code == opcode::recv) written_by_kernel(op.data, left);
    if (op.code != opcode::recvmsg) return;
    const auto& data = *static_cast<const message*>(op.data);
    written_by_kernel(&data, sizeof data);
    if (data.address) written_by_kernel(data.address, sizeof(socket_address));
    for (std::uint32_t i = 0; i < data.buffer_count; ++i) {
        const std::size_t part = std::min(left, data.buffers[i].size);
        written_by_kernel(data.buffers[i].data, part);
        left -= part;
    }
}

}  // namespace

// --- submitting ---------------------------------------------------------------------------------

// A free submission entry; when the queue is full it is handed over first. Null only when the
// kernel takes none just now: the caller then keeps what it wanted to submit.
io_uring_sqe* uring::next_sqe() noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe) return sqe;
    counters_.waits += 1;
    (void)io_uring_submit(&ring_);
    return io_uring_get_sqe(&ring_);
}

std::int32_t uring::accept_at_once(operation& op) noexcept {
    const std::int32_t result = attempt_here(op);
    bursts_.saw(result >= 0);
    return result;
}

bool uring::start(operation& op) noexcept {
    if (may_meet_unread(op) && belongs_to_unread(op)) return ask_unread(op);
    // Else bytes would be overtaken.
    ANEL_ASSERT(!unread_open_ || op.code != opcode::recv || !belongs_to_unread(op));
    if (op.code == opcode::accept) {
        const std::int32_t result = bursts_.are_likely() ? accept_at_once(op) : would_wait;
        if (result > would_wait) return finished_inline(op, result);
    } else if (goes_at_once(op, reaped_ == 1)) {
        reaped_ = 0;  // what follows is not alone
        const std::int32_t result = attempt_here(op);
        if (result > would_wait) return finished_inline(op, result);
    }
    started(op);
    // First come, first submitted.
    if (!starved_.empty() || !prepare(op)) put_off(op);
    return true;
}

// Two splices through a pipe would send a file in the ring, but each blocks a thread of the kernel
// for as long as the peer does not read. sendfile(2) has no flag for not blocking, and the ring's
// own operations on a descriptor that does not block may end with EAGAIN: so it does not stay that.
std::int32_t uring::attempt_here(operation& op) noexcept {
    const std::size_t before = op.size;
    const bool blocks =
        op.code == opcode::send_file && !is_copied(*static_cast<const file_part*>(op.data), before);
    int on = 1;
    if (op.code == opcode::recv_passed) settle();  // the descriptors need places
    if (blocks && ::ioctl(op.fd, FIONBIO, &on) < 0) return -errno;
    const auto moves = [&] {
        return op.code == opcode::accept ? accept_connection(op, blocking::yes) : attempt(op);
    };
    std::int32_t result = moves();
    if (makes_room(result)) result = moves();
    on = 0;
    if (blocks) (void)::ioctl(op.fd, FIONBIO, &on);
    if (op.size < before) op.flags |= cut_short;
    const effort done = effort_of(op, before, result);
    made_calls(done.calls, done.bytes);
    return result;
}

// What each opcode is for io_uring. user_data comes last: the prep functions of some versions clear
// it, those of others leave what the slot's last user wrote.
bool uring::prepare(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight && (op.flags & in_kernel) == 0);
    io_uring_sqe* sqe = next_sqe();
    if (!sqe) return false;
    const int whole = (op.flags & op_flag::whole) != 0 ? MSG_WAITALL : 0;
    const std::size_t size = std::min(op.size, share_bytes);
    switch (op.code) {
        case opcode::connect: {
            auto* peer = static_cast<socket_address*>(op.data);
            io_uring_prep_connect(sqe, op.fd, reinterpret_cast<sockaddr*>(peer->bytes), peer->size);
            break;
        }
        case opcode::recv: io_uring_prep_recv(sqe, op.fd, op.data, size, whole); break;
        case opcode::send:
            if (prepare_zero_copy(op, *sqe, size)) break;
            io_uring_prep_send(sqe, op.fd, op.data, size, whole | no_signal);
            break;
        case opcode::send_file: prepare_wait(op, *sqe, POLLOUT); break;
        case opcode::recvmsg:
            io_uring_prep_recvmsg(sqe, op.fd, native_message(*static_cast<message*>(op.data)), 0);
            break;
        case opcode::sendmsg:
            if (const io_buffer piece = oversized_part(op); piece.size > 0) {
                io_uring_prep_send(sqe, op.fd, piece.data, piece.size, whole | no_signal);
                break;
            }
            io_uring_prep_sendmsg(sqe, op.fd, native_message(*static_cast<message*>(op.data)),
                                  static_cast<unsigned>(whole | no_signal));
            break;
        // The ring waits and one call moves them all: 2.37 us for a datagram that is echoed, 2.52
        // with a multishot receive and queued sends.
        case opcode::accept:
        case opcode::recv_batch:
        case opcode::recv_passed:  // a ring refused descriptors before Linux 5.12
        case opcode::read_input: prepare_wait(op, *sqe, POLLIN); break;
        case opcode::write_output:
        case opcode::send_passed:
        case opcode::send_batch: prepare_wait(op, *sqe, POLLOUT); break;
        case opcode::poll: prepare_wait(op, *sqe, events_for_ring(op)); break;
        default: assertion_failed("a known opcode", __FILE__, __LINE__);
    }
    io_uring_sqe_set_data64(sqe, reinterpret_cast<std::uintptr_t>(&op));
    op.owed += 1;
    op.flags = (op.flags & ~in_starved) | in_kernel;
    return true;
}

// A poll; or a pause, when the last one told of nothing but an error that the attempt did not take
// away, as those in an error queue (IP_RECVERR) are: a poll would tell of it again and again.
void uring::prepare_wait(operation& op, io_uring_sqe& sqe, unsigned events) noexcept {
    static constexpr __kernel_timespec pause{0, pause_after_error.count()};
    if ((op.flags & told_in_vain) == 0) return io_uring_prep_poll_add(&sqe, op.fd, events);
    io_uring_prep_timeout(&sqe, const_cast<__kernel_timespec*>(&pause), 0, 0);
}

bool uring::prepare_cancel(operation& op) noexcept {
    io_uring_sqe* sqe = next_sqe();
    if (!sqe) return false;
    const auto target = reinterpret_cast<std::uintptr_t>(&op);
    io_uring_prep_cancel64(sqe, target, 0);
    io_uring_sqe_set_data64(sqe, target | static_cast<std::uint64_t>(tag::cancel));
    return true;
}

void uring::stop(operation& op) noexcept {
    if (needs_helper(op.code)) return stop_helper(op);
    if ((op.flags & in_kernel) != 0) {
        ANEL_ASSERT(op.owed > op.notices && (op.flags & in_starved) == 0);
        op.owed += 1;
        if (!unsent_cancels_.empty() || !prepare_cancel(op)) unsent_cancels_.push(op);
        return;
    }
    // Where nothing waits any more it has ended, in this turn, while a close waited for the end of
    // its own receive: that result wins. Or the kernel has sent all of it and still reads it.
    if ((may_meet_unread(op) && leave_unread(op)) || starved_.remove(op)) {
        op.flags &= ~in_starved;
        op.result = -ECANCELED;
        if (op.owed == 0) ended_.push(op);
    }
    let_go_of_memory(op);
}

// Moves to the submission queue what found no room before.
void uring::flush_waiting() noexcept {
    if (!waker_armed_) {
        if (io_uring_sqe* sqe = next_sqe()) {
            io_uring_prep_poll_add(sqe, waker_.descriptor(), POLLIN);
            io_uring_sqe_set_data64(sqe, static_cast<std::uint64_t>(tag::wake));
            waker_armed_ = true;
        }
    }
    if (!being_cancelled_.empty() && now() >= ask_again_at_) {
        unsent_cancels_.splice(being_cancelled_);
    }
    while (suspension* first = unsent_cancels_.front()) {
        auto& op = static_cast<operation&>(*first);
        const bool arrived = (op.flags & in_kernel) == 0;  // there is nothing to cancel any more
        if (!arrived && !prepare_cancel(op)) break;
        unsent_cancels_.pop();
        if (arrived) owed_one_less(op);
    }
    if (unread_open_) arm_chunkless();
    while (suspension* first = starved_.front()) {
        if (!prepare(static_cast<operation&>(*first))) break;
        starved_.pop();
    }
}

// --- waiting ------------------------------------------------------------------------------------

// Hands over what was filled in, and waits. Returns what io_uring_enter(2) returned: how many
// entries it took, or -errno.
int uring::enter(unsigned wait_for, duration patience) noexcept {
    counters_.waits += 1;
    if (wait_for == 0) return io_uring_submit_and_get_events(&ring_);
    if (patience == forever) return io_uring_submit_and_wait(&ring_, wait_for);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
    __kernel_timespec limit{seconds.count(), (patience - seconds).count()};
    io_uring_cqe* first = nullptr;
    return io_uring_submit_and_wait_timeout(&ring_, &first, wait_for, &limit, nullptr);
}

// Whether a system call would show more than the completion queue does. liburing has a function for
// one of these two bits only; both are in the word that it reads.
bool uring::kernel_has_news() const noexcept {
    if (must_enter_to_reap_) return true;
    return (io_uring_smp_load_acquire(ring_.sq.kflags) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

// What can pass by itself: what was not submitted is counted again at the next enter, and the loop
// comes back. Anything else can't be lived with: operations are with the kernel, and nobody would
// ever be told of them.
void uring::check(int returned) noexcept {
    const bool passing = returned >= 0 || returned == -EINTR || returned == -ETIME ||
                         returned == -EAGAIN || returned == -EBUSY || returned == -ENOMEM;
    if (!passing) system_refused("io_uring_enter", -returned);
}

// What the kernel has not been told of cannot wake a sleeper.
bool uring::all_told() noexcept {
    return waker_armed_ && starved_.empty() && unsent_cancels_.empty() &&
           (first_chunkless_ < 0 || !can_arm_chunkless());
}

// A ring can be polled: with deferred task work it can be read before there is a completion, and
// wait() enters it for that. What was filled in since the last enter is not the kernel's yet.
time_point uring::due() noexcept {
    const bool chunk_came = first_chunkless_ >= 0 && offers_.is_open() && offers_.can_top_up();
    const bool idle = all_told() && ended_.empty() && io_uring_cq_ready(&ring_) == 0 &&
                      io_uring_sq_ready(&ring_) == 0 && !chunk_came;
    if (!idle) return time_point::min();
    return being_cancelled_.empty() ? never : ask_again_at_;
}

void uring::wait(time_point until, op_queue& done) noexcept {
    turn_ += 1;
    flush_waiting();
    if (!being_cancelled_.empty()) until = std::min(until, ask_again_at_);
    bool may_sleep = until != time_point::min() && all_told() && ended_.empty() &&
                     io_uring_cq_ready(&ring_) == 0;
    duration patience = forever;
    if (may_sleep && until != never) {
        // A wait for no time at all would put the thread to sleep all the same: 35 us of slack.
        patience = until - now();
        may_sleep = patience > duration::zero();
    }
    if (may_sleep && keeps_signals_back) {
        let_signals_through();
        patience = std::min<duration>(patience, std::chrono::milliseconds(50));
    }
    if (may_sleep || io_uring_sq_ready(&ring_) > 0 || kernel_has_news()) {
        check(enter(may_sleep ? 1 : 0, patience));
    }
    closing_ = closing_ && io_uring_sq_ready(&ring_) > 0;
    reaped_ = reap();
    // Completions that did not fit are kept by the kernel until an enter brings them over.
    while (io_uring_cq_has_overflow(&ring_)) {
        if (enter(0, forever) < 0) break;
        reaped_ += reap();
    }
    finished(ended_, done);
}

// Takes the whole batch, and then releases the queue. Returns how many. Nobody is resumed in here.
unsigned uring::reap() noexcept {
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        seen += 1;
        const std::uint64_t data = cqe->user_data;
        const auto kind = static_cast<tag>(data & static_cast<std::uint64_t>(tag::mask));
        auto* op = reinterpret_cast<operation*>(data & ~static_cast<std::uint64_t>(tag::mask));
        switch (kind) {
            case tag::own: completed(*op, cqe->res, cqe->flags); break;
            case tag::cancel: cancelled(*op, cqe->res); break;
            case tag::receive: received(static_cast<int>(data >> 3), cqe->res, cqe->flags); break;
            case tag::close: break;  // an error: the descriptor is gone as well
            case tag::disarm: disarmed(static_cast<int>(data >> 3), cqe->res); break;
            case tag::wake:
                waker_armed_ = false;
                woken();
                break;
            case tag::mask: break;  // the removal of the waker's poll
        }
    }
    io_uring_cq_advance(&ring_, seen);
    return seen;
}

void uring::completed(operation& op, std::int32_t result, std::uint32_t flags) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight);
    if ((flags & notice) != 0) return noticed(op, result);
    ANEL_ASSERT((op.flags & in_kernel) != 0 && op.owed > op.notices);
    if constexpr (memcheck) tell_memcheck(op, result);
    op.flags &= ~in_kernel;
    if (op.cancel_wanted && being_cancelled_.remove(op)) op.owed -= 1;
    if ((flags & IORING_CQE_F_MORE) != 0) op.notices += 1;  // owed in its place
    else op.owed -= 1;
    // EINTR: from a worker thread of the kernel, where a connect to a full backlog sits: a cancel
    // interrupts it. A signal that was not meant for it does too.
    if (result == -EINTR || ((op.flags & in_place) != 0 && zero_copy_refused(op, result))) {
        if (!op.cancel_wanted) return put_off(op);
        result = -ECANCELED;
    }
    if (is_attempted(op.code) && (result >= 0 || result == -ETIME)) {
        const bool error_alone = result > 0 && (result & (POLLIN | POLLOUT)) == 0;
        op.flags = error_alone ? op.flags | told_in_vain : op.flags & ~told_in_vain;
        // A ring tells of a peer that sends no more although nobody asked: then it is told in vain.
        // New bytes come as POLLPRI and POLLRDBAND, whether they are urgent or not.
        if (op.code != opcode::poll || (result > 0 && (result & POLLRDBAND) != 0))
            result = attempt_here(op);
        else result = answer_to(op, std::max(result, 0));
        // More to move; or woken for nothing: a datagram with a wrong checksum, or somebody else
        // took it.
        if (result <= would_wait && !op.cancel_wanted) return put_off(op);
        if (result <= would_wait) result = -ECANCELED;
    }
    // With MSG_WAITALL the kernel tells what had moved before an error, and forgets the error; the
    // rest then meets a pipe that is broken. All that is left to be seen is that the connection is
    // gone, for which a reset is the usual reason. Who receives looks for himself: here an end of
    // both sides would look the same.
    const bool forgotten =
        result == -EPIPE && !is_attempted(op.code) && (op.flags & cut_short) != 0;
    if (forgotten && is_disconnected(op.fd)) result = -ECONNRESET;
    op.result = result;
    if (op.code == opcode::recvmsg && result >= 0) {
        read_native_message(*static_cast<message*>(op.data));
    }
    if ((op.flags & op_flag::whole) != 0 && result >= 0 && !is_attempted(op.code)) {
        const bool partial = static_cast<std::size_t>(result) < std::min(op.size, share_bytes);
        if (partial) op.flags |= cut_short;
        advance(op, static_cast<std::size_t>(result));
        // Cut short: by a cancel, which wants no more; or by the kernel (before 5.19 a send did not
        // wait for all), and then it goes on.
        const bool more = op.size > 0 && result > 0;
        op.result = more && op.cancel_wanted ? -ECANCELED : 0;
        if (more && !op.cancel_wanted) return put_off(op);
    }
    if (op.owed == 0) ended_.push(op);
    else let_go_of_memory(op);
}

// Submits it, or the rest of it, with the next turn.
void uring::put_off(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight && (op.flags & (in_kernel | in_starved)) == 0);
    op.flags |= in_starved;
    starved_.push(op);
}

// The operation's own completion tells how it ended. The kernel may not find one that is on its way
// from the first try to where it will wait, as a connect to a unix listener whose backlog is full
// is: then it is asked again with the next turn, or the operation would stay for ever. A thread of
// the kernel that is about to wait may miss that it was interrupted (seen on 6.1): where the answer
// is only that one is at it (EALREADY), it is asked again after a pause.
void uring::cancelled(operation& op, std::int32_t answer) noexcept {
    ANEL_ASSERT(op.cancel_wanted && op.owed > op.notices);
    const bool still_there = (op.flags & in_kernel) != 0;
    if (answer == -ENOENT && still_there) return unsent_cancels_.push(op);
    if (answer != -EALREADY || !still_there) return owed_one_less(op);
    if (being_cancelled_.empty()) ask_again_at_ = after(now(), std::chrono::milliseconds(1));
    being_cancelled_.push(op);
}

void uring::owed_one_less(operation& op) noexcept {
    ANEL_ASSERT(op.owed > 0);
    op.owed -= 1;
    if (op.owed == 0 && (op.flags & in_starved) == 0) ended_.push(op);
}

}  // namespace anel::detail
