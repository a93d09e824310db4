// memory_stream.cpp: two rings of bytes, and who waits at their ends.
// SPDX-License-Identifier: MIT
#include <anel/memory_stream.hpp>

#include <anel/detail/assert.hpp>
#include <anel/detail/loop.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace anel {
namespace detail {
namespace {

std::error_code system_error(int code) noexcept { return {code, std::system_category()}; }

}  // namespace

/// One direction: bytes on their way from a sender to a receiver.
struct memory_pipe {
    std::vector<std::byte> ring;
    std::size_t first = 0;
    std::size_t size = 0;
    std::size_t left = SIZE_MAX;  // bytes until it breaks
    std::error_code breaks_with;
    std::error_code error;  // what is received behind the last byte; none: an end
    bool ended = false;     // no more is sent
    bool receiver_gone = false;
    memory_wait* receiver = nullptr;  // from its start to its finish()
    memory_wait* sender = nullptr;

    void end_input(std::error_code with) noexcept {
        ended = true;
        error = with;
        if (is_waiting(sender)) sender->end(with ? with : system_error(EPIPE));
        pump();
    }
    void drop_receiver() noexcept {
        receiver_gone = true;
        size = 0;
        if (is_waiting(sender)) sender->end(system_error(EPIPE));
    }
    /// Moves what can be moved, and ends the waits that are over.
    void pump() noexcept {
        while (is_waiting(sender)) {
            const std::size_t moved = size == 0 && is_waiting(receiver) ? hand_over() : push();
            if (moved == 0) break;
            if (sender->size_ == 0) sender->end();
            pop();
        }
        pop();
        if (left == 0 && !ended) end_input(breaks_with);
        else if (size == 0 && ended && is_waiting(receiver)) receiver->end(error);
    }

private:
    static bool is_waiting(const memory_wait* wait) noexcept {
        return wait && wait->state_ == memory_wait::state::waiting;
    }
    [[nodiscard]] std::size_t allowed() const noexcept { return std::min(sender->size_, left); }
    void taken(std::size_t count) noexcept {
        sender->data_ = static_cast<std::byte*>(sender->data_) + count;
        sender->size_ -= count;
        if (left != SIZE_MAX) left -= count;
    }
    /// From the sender's memory into the receiver's.
    std::size_t hand_over() noexcept {
        const std::size_t count = std::min(allowed(), receiver->size_);
        if (count == 0) return 0;
        std::memcpy(receiver->data_, sender->data_, count);
        taken(count);
        receiver->moved_ = count;
        receiver->end();
        return count;
    }
    std::size_t push() noexcept {
        const std::size_t count = std::min(allowed(), ring.size() - size);
        for (std::size_t done = 0; done < count;) {
            const std::size_t at = (first + size) % ring.size();
            const std::size_t piece = std::min(count - done, ring.size() - at);
            std::memcpy(ring.data() + at, static_cast<std::byte*>(sender->data_) + done, piece);
            done += piece;
            size += piece;
        }
        taken(count);
        return count;
    }
    void pop() noexcept {
        if (size == 0 || !is_waiting(receiver)) return;
        const std::size_t count = std::min(size, receiver->size_);
        for (std::size_t done = 0; done < count;) {
            const std::size_t piece = std::min(count - done, ring.size() - first);
            std::memcpy(static_cast<std::byte*>(receiver->data_) + done, ring.data() + first,
                        piece);
            done += piece;
            first = (first + piece) % ring.size();
        }
        size -= count;
        receiver->moved_ = count;
        receiver->end();
    }
};

/// Both directions. Goes with the second of its ends.
struct memory_link {
    explicit memory_link(std::size_t capacity) {
        for (memory_pipe& pipe : pipes) pipe.ring.resize(capacity);
    }

    struct one_end {
        bool open = true;
        bool gone = false;
        bool resets = false;
        memory_close_wait* closer = nullptr;  // those who wait in close(), linked
    };
    std::array<memory_pipe, 2> pipes;  // [0]: from end false to end true
    std::array<one_end, 2> ends;

    memory_pipe& out_of(bool end) noexcept { return pipes[end ? 1 : 0]; }
    memory_pipe& into(bool end) noexcept { return pipes[end ? 0 : 1]; }
    one_end& state_of(bool end) noexcept { return ends[end ? 1 : 0]; }
    memory_wait*& place_of(const memory_wait& wait) noexcept {
        return wait.sends_ ? out_of(wait.end_).sender : into(wait.end_).receiver;
    }
    [[nodiscard]] bool takes_operations(bool end) noexcept {
        return state_of(end).open && !state_of(end).closer;
    }
    [[nodiscard]] bool is_idle(bool end) noexcept {
        return !into(end).receiver && !out_of(end).sender;
    }
    void close(bool end) noexcept {
        if (!std::exchange(state_of(end).open, false)) return;
        const bool resets = state_of(end).resets || into(end).size > 0;
        into(end).drop_receiver();
        if (resets) out_of(end).end_input(system_error(ECONNRESET));
        else if (!out_of(end).ended) out_of(end).end_input({});
    }
    void release(const memory_wait& wait) noexcept {
        place_of(wait) = nullptr;
        one_end& at = state_of(wait.end_);
        if (!at.closer || !is_idle(wait.end_)) return;
        close(wait.end_);
        while (memory_close_wait* closer = at.closer) {
            at.closer = static_cast<memory_close_wait*>(closer->next);
            closer->wait_scope->owner().ready(*closer);
        }
    }
};

// --- recv and send ------------------------------------------------------------------------------

bool memory_wait::start(cancel_scope& scope, frame& caller) noexcept {
    static constexpr wait_kind receiving{"memory recv", &on_cancel};
    static constexpr wait_kind sending{"memory send", &on_cancel};
    if (scope.cancelled()) {
        state_ = state::cancelled;
        link_ = nullptr;
        return false;
    }
    if (!link_ || !link_->takes_operations(end_)) {
        link_ = nullptr;
        end(system_error(EBADF));
        return false;
    }
    memory_wait*& place = link_->place_of(*this);
    if (place) {
        rule_broken(sends_ ? "two tasks send on one stream at the same time: their bytes would "
                             "have no order"
                           : "two tasks receive on one stream at the same time: their bytes would "
                             "have no order",
                    &caller, place->waiter);
    }
    place = this;
    waiter = &caller;
    memory_pipe& pipe = sends_ ? link_->out_of(end_) : link_->into(end_);
    const memory_wait* other = sends_ ? pipe.receiver : pipe.sender;
    ANEL_ASSERT(!other || !other->wait_scope || &other->wait_scope->owner() == &scope.owner());
    state_ = state::waiting;
    if (size_ == 0) end();
    else if (sends_ && pipe.receiver_gone) end(system_error(EPIPE));
    else if (sends_ && pipe.ended) end(pipe.error ? pipe.error : system_error(EPIPE));
    else pipe.pump();
    loop& owner = scope.owner();
    if (state_ == state::done && owner.may_go_on()) return false;
    scope.begin_uncancellable_wait(*this, caller, sends_ ? sending : receiving);
    scope.waits_since(owner.turn_began());
    if (state_ == state::done) owner.ready(*this);
    return true;
}

// What it waited for has happened, or cannot happen any more.
void memory_wait::end(std::error_code error) noexcept {
    state_ = state::done;
    error_ = error;
    if (!wait_scope) return;  // it has not begun to wait
    loop& owner = wait_scope->owner();
    if (owner.record()) owner.note_grant(*this);
    owner.ready(*this);
}

void memory_wait::on_cancel(suspension& wait) noexcept {
    auto& self = static_cast<memory_wait&>(wait);
    if (self.state_ != state::waiting) return;  // it ended before the cancel: that stands
    self.state_ = state::cancelled;
    self.wait_scope->owner().ready(self);
}

std::error_code memory_wait::settle() {
    if (wait_scope) wait_scope->end_wait(*this);
    if (link_) link_->release(*this);
    if (state_ == state::cancelled) throw task_cancelled{};
    const bool by_close = error_ == std::errc::operation_canceled;
    if (by_close && wait_scope && wait_scope->cancelled()) throw task_cancelled{};
    return error_;
}

void memory_wait::fail(std::error_code error) const {
    throw io_error(error, sends_ ? "send" : "recv", memory_stream::peer_text());
}

std::size_t memory_recv_wait::finish() {
    if (const std::error_code error = settle()) fail(error);
    return moved();
}

result<std::size_t> memory_recv_wait::try_finish() {
    if (const std::error_code error = settle()) return error;
    return moved();
}

void memory_send_wait::finish() {
    if (const std::error_code error = settle()) fail(error);
}

result<void> memory_send_wait::try_finish() { return settle(); }

// --- shutdown and close -------------------------------------------------------------------------

bool memory_shutdown_wait::start(cancel_scope& scope, frame&) noexcept {
    cancelled_ = scope.cancelled();
    was_open_ = link_ && link_->takes_operations(end_);
    if (cancelled_ || !was_open_) return false;
    memory_pipe& pipe = link_->out_of(end_);
    if (!pipe.ended) pipe.end_input({});
    return false;
}

void memory_shutdown_wait::finish() {
    if (cancelled_) throw task_cancelled{};
    if (!was_open_) throw io_error(system_error(EBADF), "shutdown", memory_stream::peer_text());
}

bool memory_close_wait::start(cancel_scope& scope, frame& caller) noexcept {
    static constexpr wait_kind closing{"close", nullptr};
    if (!link_) return false;
    if (link_->is_idle(end_)) {
        link_->close(end_);
        return false;
    }
    scope.begin_uncancellable_wait(*this, caller, closing);
    scope.waits_since(scope.owner().turn_began());
    next = std::exchange(link_->state_of(end_).closer, this);  // several tasks may close
    for (memory_wait* wait : {link_->into(end_).receiver, link_->out_of(end_).sender}) {
        if (wait && wait->state_ == memory_wait::state::waiting) wait->end(system_error(ECANCELED));
    }
    return true;
}

void memory_close_wait::finish() noexcept {
    if (wait_scope) wait_scope->end_wait(*this);
}

}  // namespace detail

using namespace detail;

memory_stream::memory_stream(memory_stream&& other) noexcept
    : link_(std::exchange(other.link_, nullptr)), end_(other.end_) {}

memory_stream& memory_stream::operator=(memory_stream&& other) noexcept {
    if (this != &other) {
        drop();
        link_ = std::exchange(other.link_, nullptr);
        end_ = other.end_;
    }
    return *this;
}

void memory_stream::break_after(std::size_t bytes, std::error_code error) noexcept {
    if (!link_) return;
    memory_pipe& pipe = link_->out_of(end_);
    pipe.left = bytes;
    pipe.breaks_with = error;
    pipe.pump();
}

void memory_stream::reset_on_close() noexcept {
    if (link_) link_->state_of(end_).resets = true;
}

bool memory_stream::is_open() const noexcept { return link_ && link_->state_of(end_).open; }

void memory_stream::drop() noexcept {
    memory_link* link = std::exchange(link_, nullptr);
    if (!link) return;
    if (!link->is_idle(end_)) {
        const memory_wait* wait = link->into(end_).receiver;
        if (!wait) wait = link->out_of(end_).sender;
        rule_broken("a memory_stream is destroyed or replaced while a task waits on it: it must "
                    "outlive every operation on it; co_await close() ends them first",
                    nullptr, static_cast<const suspension*>(wait)->waiter);
    }
    link->close(end_);
    link->state_of(end_).gone = true;
    if (link->state_of(!end_).gone) delete link;
}

std::pair<memory_stream, memory_stream> memory_stream_pair(std::size_t capacity) {
    auto link = std::make_unique<memory_link>(capacity);
    memory_link* both = link.release();
    return {memory_stream(both, false), memory_stream(both, true)};
}

}  // namespace anel
