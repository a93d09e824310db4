// descriptor.cpp: borrowing and giving back, and who waits on what.
// SPDX-License-Identifier: MIT
#include <anel/descriptor.hpp>

#include <cerrno>
#include <string_view>

namespace anel {
using namespace detail;
namespace {

[[noreturn]] void refuse(int error, bool owned, int fd, std::string_view reason) {
    std::string subject = "descriptor " + std::to_string(fd);
    if (!reason.empty()) subject.append(" (").append(reason).append(")");
    throw_errno(error, owned ? "adopt" : "borrow", subject);
}

const char* why_not_polled(descriptor_facts::file what) noexcept {
    switch (what) {
        case descriptor_facts::file::regular: return "a regular file, which is always ready";
        case descriptor_facts::file::directory: return "a directory, which is always ready";
        case descriptor_facts::file::other: break;
        case descriptor_facts::file::socket: break;
    }
    return "which cannot be polled";
}

poll_for what_of(const operation& op) noexcept { return static_cast<poll_for>(op.flags & 3); }

const char* name_of_wait(const operation& op) noexcept {
    switch (what_of(op)) {
        case poll_for::reading: return "readable";
        case poll_for::writing: return "writable";
        case poll_for::priority: break;
    }
    return "priority";
}

}  // namespace

task<descriptor> descriptor::borrow(int fd) { return hold(fd, false); }
task<descriptor> descriptor::adopt(int fd) { return hold(fd, true); }

task<descriptor> descriptor::hold(int fd, bool owned) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    if (owner.backend().kind() == backend_kind::sim) {
        refuse(EOPNOTSUPP, owned, fd, "the simulated network has none of the system's");
    }
    descriptor_facts known;
    const std::int32_t result = owner.control(opcode::inspect, fd, &known);
    if (result < 0) refuse(-result, owned, fd, {});
    if (!known.can_be_polled) refuse(EPERM, owned, fd, why_not_polled(known.what));
    descriptor held(owner, fd, owned);
    co_return held;
}

void descriptor::take(descriptor& other) noexcept {
    other.require_idle("a descriptor is moved while a task waits on it");
    home_ = std::move(other.home_);
    fd_ = std::exchange(other.fd_, -1);
    owned_ = other.owned_;
}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    if (this != &other) {
        leave();
        take(other);
    }
    return *this;
}

void descriptor::require_idle(const char* rule) const noexcept {
    for (const operation* op : pending_) {
        if (op) rule_broken(rule, nullptr, op->waiter);
    }
}

void descriptor::leave() noexcept {
    require_idle(
        "a descriptor is destroyed or replaced while a task waits on it: it must outlive every "
        "wait; cancel those first");
    const int fd = std::exchange(fd_, -1);
    if (fd >= 0) home_.control(owned_ ? opcode::close : opcode::give_up, fd);
}

int descriptor::release() noexcept {
    const int fd = std::exchange(fd_, -1);
    if (fd < 0) return -1;
    for (operation* op : pending_) {
        if (op && op->state == op_state::in_flight) op->wait_scope->owner().cancel(*op);
    }
    home_.control(opcode::give_up, fd);
    return fd;
}

bool descriptor_use::start(used_operation<descriptor_use>& op, cancel_scope& scope,
                           frame& caller) noexcept {
    operation*& waiting = on_->pending_[static_cast<std::size_t>(what_of(op))];
    if (waiting) {
        rule_broken("two tasks wait for the same of one descriptor", &caller, waiting->waiter);
    }
    waiting = &op;
    op.fd = on_->fd_;
    const loop* home = on_->home_.get();
    ANEL_ASSERT(op.fd < 0 || home == nullptr || home == &scope.owner());
    return begin(op, scope, caller, op.fd >= 0 && !home ? loop_has_ended : 0);
}

void descriptor_use::finish(operation& op) noexcept {
    operation*& waiting = on_->pending_[static_cast<std::size_t>(what_of(op))];
    ANEL_ASSERT(waiting == &op);
    waiting = nullptr;
}

void descriptor_use::describe_wait(const operation& op, std::string& text) {
    text.append(" descriptor ").append(std::to_string(op.fd));
    text.append(" (").append(name_of_wait(op)).append(")");
}

// What a release came before: whoever has the descriptor now may have made it ready, by closing it
// say.
std::error_code poll_wait::failure() const noexcept {
    if (fd >= 0 && !use().is_held()) return {ECANCELED, std::system_category()};
    return error_of_result();
}

io_error poll_wait::describe(std::error_code error) const {
    if (fd < 0) return io_error(error, name_of_wait(*this), "(the descriptor is released)");
    return io_error(error, name_of_wait(*this), "descriptor " + std::to_string(fd));
}

}  // namespace anel
