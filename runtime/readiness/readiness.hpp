// readiness.hpp: the backend for systems that tell when a descriptor is ready: epoll and poll(2).
//
// An operation is tried at once, unless the last one showed that there is nothing; if the kernel
// would wait it is parked at its descriptor, and tried again when the poller says so. One reader
// and one writer per descriptor, and any number of polls, which are tried with poll(2). The
// operation means exactly what it means on io_uring.
//
// `Poller` has
//   int watch(int fd, wanted_of what)                what is wanted of fd now; 0 or -errno
//   void forget(int fd)                              fd is about to be closed, or to go
//   bool wait(time_point until, time_point now, F)   calls F(fd, readable, writable, hung_up, told)
//                                                    with what poll(2) would tell, also when it is
//                                                    urgent data alone; false: interrupted,
//                                                    nothing was called
//   int descriptor() const                           can be read when wait() has news; -1: none can
//   static constexpr bool edges                      watch() tells what is wanted for good
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/backend/chunk_pool.hpp"
#include "runtime/backend/kernel_backend.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace anel::detail {

/// What a failed wait of a poller means, by errno. Returns its answer: false when interrupted,
/// true when the reason may pass.
inline bool wait_failed(const char* call) noexcept {
    const bool refused = errno == EPERM || errno == EACCES || errno == ENOSYS;
    if (refused) system_refused(call, errno);
    return errno != EINTR;
}

/// What is waited for at a descriptor.
struct wanted_of {
    bool reading = false;
    bool writing = false;
    bool urgent = false;
    [[nodiscard]] bool any() const noexcept { return reading || writing || urgent; }
};

template <class Poller>
class readiness final : public kernel_backend {
public:
    readiness(backend_kind kind, const backend_options& options)
        : kernel_backend(options), kind_(kind), poller_(waker_.descriptor()) {}
    ~readiness() override { ANEL_ASSERT(in_flight() == 0); }

    std::int32_t control(operation& op) noexcept override {
        made_calls(1);
        const bool goes = op.code == opcode::close || op.code == opcode::give_up;
        if (goes && static_cast<std::size_t>(op.fd) < slots_.size()) {
            slot& place = slots_[static_cast<std::size_t>(op.fd)];
            const bool waits = place.parked[0] || place.parked[1] || polls_at(op.fd);
            const bool nobody_waits_on_a_descriptor_that_goes = !waits;
            ANEL_ASSERT(nobody_waits_on_a_descriptor_that_goes);
            if (!Poller::edges || place.watched) poller_.forget(op.fd);
            place = slot{};
        }
        const std::int32_t result = control_call(op, blocking::no);
        if (result >= 0 && (op.code == opcode::open_socket || op.code == opcode::take_over)) {
            const auto made = static_cast<socket_kind>(op.flags);
            const int fd = op.code == opcode::take_over ? op.fd : result;
            is_new(fd, made == socket_kind::tcp4 || made == socket_kind::tcp6);
        }
        return result;
    }

    bool start(operation& op) noexcept override {
        try {
            if (op.code == opcode::recv_chunk) (void)chunks();  // fails here, or never
            const std::int32_t result = op.code == opcode::poll ? poll(op) : try_or_park(op);
            if (result != would_wait) return finished_inline(op, result);
        } catch (const std::bad_alloc&) {
            return finished_inline(op, -ENOMEM);
        }
        started(op);
        return true;
    }

    void stop(operation& op) noexcept override {
        if (needs_helper(op.code)) return stop_helper(op);
        slot& place = slot_of(op.fd);
        if (op.code == opcode::poll) {
            const bool found = polls_[static_cast<std::size_t>(op.fd)].remove(op);
            ANEL_ASSERT(found);
        } else {
            ANEL_ASSERT(place.parked[is_outgoing(op.code)] == &op);
            unpark(op, place);
        }
        watch(op.fd, place);
        op.result = -ECANCELED;
        ended_.push(op);
    }

    void wait(time_point until, op_queue& done) noexcept override {
        // Nothing sleeps while something has ended, but the kernel is asked all the same: a busy
        // program must not hold up what arrives.
        if (!chunkless_.empty() && chunks().any_free()) retry_.splice(chunkless_);
        if (!numb_.empty() && now() >= numb_until_) retry_.splice(numb_);
        if (!numb_.empty()) until = std::min(until, numb_until_);
        if (!ended_.empty() || !retry_.empty()) until = time_point::min();
        const auto tell = [this](int fd, bool readable, bool writable, bool hung_up, int told) {
            if (fd == waker_.descriptor()) return woken();
            on_ready(fd, readable, writable, hung_up, told);
        };
        // Interrupted by a signal, or by the kernel itself while it tears down a ring that the
        // process had: it is not over.
        do {
            counters_.waits += 1;
        } while (!poller_.wait(until, now(), tell));
        retry_parked();
        finished(ended_, done);
    }

    [[nodiscard]] int pollable_descriptor() const noexcept override { return poller_.descriptor(); }
    [[nodiscard]] time_point due() noexcept override {
        const bool has_chunk = !chunkless_.empty() && chunks().any_free();
        if (!ended_.empty() || !retry_.empty() || has_chunk) return time_point::min();
        return numb_.empty() ? never : numb_until_;
    }
    [[nodiscard]] backend_kind kind() const noexcept override { return kind_; }

private:
    struct slot {
        operation* parked[2] = {};  // [0] taking something in, [1] moving something out
        bool exhausted[2] = {};     // the last try left nothing behind: do not try, park
        bool retry[2] = {};         // in retry_, chunkless_ or numb_: is tried without being told
        bool internet = false;      // a TCP socket: only there a short read means that it is empty
        bool hung_up = false;       // an end, an error or urgent data: then not even there
        bool watched = false;       // with edges: the poller knows the descriptor
        bool watched_out = false;   // … and tells when it can be written to
        std::int32_t late_error = 0;  // for the next receive: it came after the last of a batch
    };

    std::int32_t try_or_park(operation& op) {
        slot& place = slot_of(op.fd);
        operation*& parked = place.parked[is_outgoing(op.code)];
        ANEL_ASSERT(parked == nullptr);
        if (!place.exhausted[is_outgoing(op.code)]) {
            // A batch is tried after the poller was asked: it may be 64 datagrams every time, and
            // nothing else would get its turn.
            const std::int32_t result =
                op.code == opcode::recv_batch ? retry_later(op, place) : try_now(op, place);
            if (result != would_wait) return result;
        }
        parked = &op;
        try {
            const int error = watch(op.fd, place);
            if (error == 0) return would_wait;
            unpark(op, place);
            return error;
        } catch (...) {
            unpark(op, place);
            throw;
        }
    }

    void unpark(operation& op, slot& place) noexcept {
        place.parked[is_outgoing(op.code)] = nullptr;
        if (!std::exchange(place.retry[is_outgoing(op.code)], false)) return;
        const bool found = retry_.remove(op) || chunkless_.remove(op) || numb_.remove(op);
        ANEL_ASSERT(found);
    }

    slot& slot_of(int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= slots_.size()) slots_.resize(index + index / 2 + 16);
        return slots_[index];
    }

    // The number may have been that of a descriptor which its owner closed without a word. Without
    // memory for it the socket is read with one call more.
    void is_new(int fd, bool internet) noexcept {
        if (!internet && static_cast<std::size_t>(fd) >= slots_.size()) return;
        try {
            slot& place = slot_of(fd);
            place = slot{};
            place.internet = internet;
        } catch (const std::bad_alloc&) {}
    }

    // Returns 0, -errno or would_wait. Errors: std::bad_alloc.
    std::int32_t poll(operation& op) {
        made_calls(1);
        const std::int32_t told = attempt(op);
        if (told != would_wait) return told;
        slot& place = slot_of(op.fd);
        const auto index = static_cast<std::size_t>(op.fd);
        if (index >= polls_.size()) polls_.resize(index + index / 2 + 16);
        polls_[index].push(op);
        int error = -ENOMEM;
        try {
            error = watch(op.fd, place);
        } catch (const std::bad_alloc&) {}
        if (error == 0) return would_wait;
        (void)polls_[index].remove(op);
        return error;
    }

    // The first that waits at `fd`; null: none does.
    [[nodiscard]] const suspension* polls_at(int fd) const noexcept {
        const auto index = static_cast<std::size_t>(fd);
        return index < polls_.size() ? polls_[index].front() : nullptr;
    }

    // The poller's word counts. A file may tell of a change once, to whoever asks first, as
    // /proc/self/mounts does: to ask again would be to lose it.
    void advance_polls(int fd, int told) noexcept {
        if (!polls_at(fd)) return;
        op_queue& waiting = polls_[static_cast<std::size_t>(fd)];
        op_queue asked;
        asked.splice(waiting);
        while (suspension* first = asked.pop()) {
            auto& op = static_cast<operation&>(*first);
            op.result = answer_to(op, told);
            (op.result == would_wait ? waiting : ended_).push(op);
        }
    }

    // A TCP stream that gave less than was asked for is empty: the next try would only be told to
    // wait. Any news about the descriptor ends that, and once the peer has hung up there is none to
    // wait for. A unix stream stops at descriptors that were passed along; datagrams and
    // connections say nothing about the next one.
    std::int32_t try_now(operation& op, slot& place) noexcept {
        if (!is_outgoing(op.code) && place.late_error != 0)
            return std::exchange(place.late_error, 0);
        const bool lending = op.code == opcode::recv_chunk;
        if (lending && !lend(op)) {
            place.retry[0] = true;  // until a chunk comes back
            chunkless_.push(op);
            return would_wait;
        }
        const std::size_t wanted = std::min(op.size, share_bytes);
        const std::size_t before = op.size;
        const std::int32_t result = attempt(op);
        const effort done = effort_of(op, before, result);
        made_calls(done.calls, done.bytes);
        if (lending && result <= 0) give_back(op.data);
        if (result == had_its_share) return retry_later(op, place);
        if (op.code == opcode::accept && result >= 0) {
            is_new(result, place.internet);  // may move the slots: `place` is not used after it
            return result;
        }
        const bool stream =
            lending || (op.code == opcode::recv && (op.flags & op_flag::whole) == 0);
        const bool partial =
            stream && place.internet && result > 0 && static_cast<std::size_t>(result) < wanted;
        // Only with edges: the poller must have been watching when the rest did not come.
        const bool known = Poller::edges ? place.watched : true;
        place.exhausted[is_outgoing(op.code)] =
            (partial || took_all(op, place)) && known && !place.hung_up;
        return result;
    }

    // A batch that is not full took the last datagram that there was.
    static bool took_all(const operation& op, slot& place) noexcept {
        if (op.code != opcode::recv_batch) return false;
        const auto& batch = *static_cast<const message_batch*>(op.data);
        place.late_error = batch.late_error;
        return batch.spoiled > 0 && batch.spoiled < message_batch::capacity &&
               batch.late_error == 0;
    }

    std::int32_t retry_later(operation& op, slot& place) noexcept {
        place.retry[is_outgoing(op.code)] = true;
        retry_.push(op);
        return would_wait;
    }

    // A descriptor that waits holds no memory: it gets some for the moment of a try.
    bool lend(operation& op) {
        op.data = chunks().take();
        op.size = chunk_pool::chunk_bytes;
        return op.data != nullptr;
    }

    void on_ready(int fd, bool readable, bool writable, bool hung_up, int told) noexcept {
        slot_of(fd).hung_up |= hung_up;
        if (readable) advance_parked(slot_of(fd), 0);
        if (writable) advance_parked(slot_of(fd), 1);
        advance_polls(fd, told);
        if (Poller::edges) return;
        if (hung_up) pause_those_told_in_vain(slot_of(fd));
        watch(fd, slot_of(fd));
    }

    // An error that no attempt takes away, as those in an error queue (IP_RECVERR) are, would be
    // told again and again. Only a poller with edges tells it once.
    void pause_those_told_in_vain(slot& place) noexcept {
        for (const std::size_t direction : {0U, 1U}) {
            operation* op = place.parked[direction];
            if (!op || place.retry[direction]) continue;
            place.retry[direction] = true;
            if (numb_.empty()) numb_until_ = after(now(), pause_after_error);
            numb_.push(*op);
        }
    }

    void advance_parked(slot& place, std::size_t direction) noexcept {
        place.exhausted[direction] = false;
        operation* op = place.parked[direction];
        if (!op || place.retry[direction]) return;
        ANEL_ASSERT(op->state == op_state::in_flight && is_outgoing(op->code) == (direction == 1));
        place.parked[direction] = nullptr;
        const std::int32_t result = try_now(*op, place);
        if (result == would_wait) {
            place.parked[direction] = op;
            return;
        }
        op->result = result;
        ended_.push(*op);
    }

    // Those that moved their share last time go on; others have had their turn in between. As many
    // as a turn can bear: what has just become ready need not wait for all of them.
    void retry_parked() noexcept {
        constexpr std::uint32_t bearable = 1024;
        const std::uint32_t before = charged();
        op_queue again;
        again.splice(retry_);
        while (suspension* item = charged() - before < bearable ? again.pop() : nullptr) {
            auto& op = static_cast<operation&>(*item);
            slot& place = slot_of(op.fd);
            ANEL_ASSERT(place.parked[is_outgoing(op.code)] == &op);
            place.retry[is_outgoing(op.code)] = false;
            const int fd = op.fd;
            advance_parked(place, is_outgoing(op.code));
            if (!Poller::edges) watch(fd, slot_of(fd));
        }
        again.splice(retry_);
        retry_.splice(again);
    }

    // A TCP socket tells that it can be written to only after it has refused, so with edges it is
    // asked at once. A datagram socket, a unix stream and a pipe tell it each time that a peer
    // takes something: a server would be woken by every reply. They are asked from the first
    // refusal on.
    int watch(int fd, slot& place) {
        if (Poller::edges && place.watched && place.watched_out) return 0;
        // An operation in one of the queues is tried again anyway. Asked for it as well, a poller
        // without edges would not sleep.
        const auto waits = [&place](std::size_t direction) {
            return place.parked[direction] && (Poller::edges || !place.retry[direction]);
        };
        wanted_of what{waits(0), waits(1) || (Poller::edges && place.internet)};
        for (const suspension* each = polls_at(fd); each; each = each->next) {
            const short events = events_of(static_cast<const operation&>(*each));
            what.reading |= events == POLLIN;
            what.writing |= events == POLLOUT;
            what.urgent |= events == POLLPRI;
        }
        if (Poller::edges && place.watched && !what.writing) return 0;
        if (Poller::edges) made_calls(1);
        const int error = poller_.watch(fd, what);
        place.watched = error == 0;
        place.watched_out = error == 0 && what.writing;
        return error;
    }

    backend_kind kind_;
    Poller poller_;
    std::vector<slot> slots_;
    std::vector<op_queue> polls_;  // that wait, by descriptor
    op_queue retry_;               // parked, and to be tried again without waiting
    op_queue chunkless_;           // parked, and to be tried again once a chunk has come back
    op_queue numb_;                // parked, and to be tried again after a pause
    time_point numb_until_{};
};

}  // namespace anel::detail
