// socket.cpp: ownership: moving, closing, and who waits on what.
// SPDX-License-Identifier: MIT
#include <anel/socket.hpp>

#include "net/address.hpp"

#include <cerrno>

namespace anel {
using namespace detail;

detail::socket_observer::socket_observer(socket_handle* watched) noexcept : watched_(watched) {
    if (!watched) return;
    ANEL_ASSERT(watched->observer_ == nullptr);
    watched->observer_ = this;
}

detail::socket_observer::socket_observer(socket_observer&& other) noexcept
    : watched_(std::exchange(other.watched_, nullptr)),
      keeper_(other.keeper_),
      kept_(other.take_kept()) {
    if (watched_) watched_->observer_ = this;
}

detail::socket_observer::~socket_observer() {
    if (watched_) watched_->observer_ = nullptr;
    if (kept_.fd >= 0) (void)keeper_->control(opcode::close, kept_.fd);
}

void detail::socket_observer::keep_open() noexcept {
    if (watched_) keeper_ = watched_->home_.get();
}

void socket_handle::take(socket_handle& other) noexcept {
    other.require_idle("a socket is moved while a task waits on it");
    ANEL_ASSERT(other.closer_ == nullptr);
    home_ = std::move(other.home_);
    fd_ = std::exchange(other.fd_, -1);
    finished_ = other.finished_;
    exchanges_ = other.exchanges_;
    zero_copy_pays_ = other.zero_copy_pays_;
    lent_ = other.lent_;
    input_ended_ = other.input_ended_;
    observer_ = std::exchange(other.observer_, nullptr);
    if (observer_) observer_->watched_ = this;
}

socket_handle& socket_handle::operator=(socket_handle&& other) noexcept {
    if (this != &other) {
        close_now();
        take(other);
    }
    return *this;
}

void socket_handle::require_idle(const char* rule) const noexcept {
    for (const operation* op : pending_) {
        if (op) detail::rule_broken(rule, nullptr, op->waiter);
    }
}

void socket_handle::close_now() noexcept {
    require_idle(
        "a socket is destroyed or replaced while a task waits on it: it must outlive every "
        "operation on it; co_await close() ends them first");
    if (fd_ < 0) return;
    const int fd = std::exchange(fd_, -1);
    std::uint32_t how = 0;
    if (detail::socket_observer* observer = std::exchange(observer_, nullptr)) {
        observer->watched_ = nullptr;
        if (observer->keeper_) {
            observer->kept_ = {fd, lent_};
            return;
        }
        how = op_flag::deferred;  // it is a session's, which ends with it or soon after
    }
    home_.control(opcode::close, fd, nullptr, 0, how);
}

socket_handle::given_up socket_handle::give_up() noexcept {
    require_idle("a socket is detached or released while a task waits on it");
    if (lent_) {
        detail::rule_broken("a stream is detached or released that has received with recv(): its "
                            "unread bytes belong to the loop; receive into a buffer of yours "
                            "instead",
                            nullptr);
    }
    if (fd_ < 0) return {-1, {}};
    const bool free = home_.control(opcode::give_up, fd_) == 0;
    if (observer_) std::exchange(observer_, nullptr)->watched_ = nullptr;
    return {std::exchange(fd_, -1), free ? loop_ref() : std::move(home_)};
}

std::int32_t socket_handle::control(opcode code, void* data, std::size_t size,
                                    std::uint32_t flags) const noexcept {
    return fd_ < 0 ? -EBADF : home_.control(code, fd_, data, size, flags);
}

void socket_handle::require(std::int32_t result, const char* operation,
                            const endpoint& subject) const {
    if (result < 0) throw io_error(error_in(result), operation, subject.to_string());
}

void socket_handle::shutdown_receive() noexcept {
    input_ended_ = true;
    // Fails only when the connection is gone, and then there is nothing left to end.
    (void)control(opcode::shutdown, nullptr, 0, static_cast<std::uint32_t>(shutdown_side::receive));
}

detail::socket_activity socket_handle::activity() const noexcept {
    detail::socket_activity now{finished_, exchanges_};
    for (const operation* op : pending_) {
        // Only the size of a whole operation tells how far it came.
        if (op && (op->flags & op_flag::whole) != 0) now.moving += op->size;
    }
    return now;
}

endpoint socket_handle::local_endpoint() const {
    socket_address address;
    const std::int32_t result = control(opcode::local_address, &address);
    if (result < 0) throw io_error(error_in(result), "getsockname", {});
    return from_socket_address(address).value_or(endpoint::unix_unnamed());
}

std::string socket_handle::local_text() const {
    if (!is_open()) return {};
    socket_address address;
    if (control(opcode::local_address, &address) < 0) return "descriptor " + std::to_string(fd_);
    return from_socket_address(address).value_or(endpoint::unix_unnamed()).to_string();
}

// A helper's call on a socket makes ready what is to be sent.
std::size_t socket_handle::direction_of(const operation& op) noexcept {
    return row_of(op.code).kind == op_kind::incoming ? 0 : 1;
}

bool socket_handle::reset_told_to_sender() const noexcept {
    if (!pending_[1]) return false;
    socket_address peer;
    return control(opcode::peer_address, &peer) == -ENOTCONN;
}

void socket_use::describe_wait(const operation& op, std::string& text) const {
    if (op.code == opcode::connect) {
        socket_->append_address(" to ", *static_cast<const socket_address*>(op.data), text);
    } else {
        socket_->append_local(text);
    }
    append_progress(op, text);
}

void socket_use::append_progress(const operation& op, std::string& text) {
    if (op.fd >= 0) text.append(" (fd ").append(std::to_string(op.fd)).append(")");
    // A ring tells of every mebibyte.
    if ((op.flags & op_flag::whole) != 0)
        text.append(", at most ").append(std::to_string(op.size)).append(" bytes to go");
}

void socket_handle::append_address(const char* before, const socket_address& address,
                                   std::string& text) {
    if (const auto shown = from_socket_address(address)) {
        text.append(before).append(shown->to_string());
    }
}

void socket_handle::append_local(std::string& text) const {
    socket_address address;
    const std::int32_t known = control(opcode::local_address, &address, 0, op_flag::for_listing);
    if (known >= 0) append_address(" on ", address, text);
}

// A closing socket takes no new operation: it gets no descriptor and fails with EBADF.
void socket_handle::claim(operation& op, const frame& caller) noexcept {
    const std::size_t direction = direction_of(op);
    operation*& pending = pending_[direction];
    if (pending) {
        detail::rule_broken(direction == 0
                                ? "two tasks receive on one socket at the same time: their bytes "
                                  "would have no order"
                                : "two tasks send on one stream at the same time: their bytes "
                                  "would have no order",
                            &caller, pending->waiter);
    }
    pending = &op;
    if (direction == 1) exchanges_ += exchanges_ & 1;
    lent_ |= op.code == opcode::recv_chunk;
    if (lent_ && op.code == opcode::recv) op.flags |= op_flag::after_lent;
    op.fd = closer_ ? -1 : fd_;
}

void socket_handle::release(operation& op) noexcept {
    const std::size_t direction = direction_of(op);
    operation*& pending = pending_[direction];
    ANEL_ASSERT(pending == &op);
    pending = nullptr;
    if (op.result >= 0) {  // else nothing came or went: it was cancelled, or failed
        finished_ += 1;
        if (direction == 0) exchanges_ |= 1;
    }
    if (!closer_ || pending_[0] || pending_[1]) return;
    close_now();
    while (close_wait* closer = closer_) {
        closer_ = static_cast<close_wait*>(closer->next);
        closer->wait_scope->owner().ready(*closer);
    }
}

bool socket_handle::close_wait::start(cancel_scope& scope, frame& caller) noexcept {
    static constexpr wait_kind closing{"close", nullptr, &describe};
    socket_handle& self = closing_;
    if (!self.pending_[0] && !self.pending_[1]) {
        self.close_now();
        return false;
    }
    scope.begin_uncancellable_wait(*this, caller, closing);
    scope.waits_since(scope.owner().turn_began());
    next = std::exchange(self.closer_, this);  // several tasks may close: all are told
    for (operation* op : self.pending_) {
        if (op && op->state == op_state::in_flight) scope.owner().cancel(*op);
    }
    return true;
}

void socket_handle::close_wait::describe(const suspension& wait, std::string& text) {
    static_cast<const close_wait&>(wait).closing_.append_local(text);
}

void socket_handle::close_wait::finish() noexcept {
    if (wait_scope) wait_scope->end_wait(*this);
}

}  // namespace anel
