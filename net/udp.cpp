// udp.cpp: making a datagram socket, and what its operations say.
// SPDX-License-Identifier: MIT
#include <anel/udp.hpp>

#include "net/address.hpp"

#include <cerrno>
#include <string>

namespace anel {
using namespace detail;
namespace {

void require_idle(const message_batch& batch, const frame& caller) noexcept {
    if (batch.busy) rule_broken("two operations work on one datagram_batch at a time", &caller);
}

std::string text_of(const socket_address& address) {
    const auto known = from_socket_address(address);
    return known ? known->to_string() : std::string();
}

}  // namespace

task<udp_socket> udp_socket::bind(endpoint address, udp_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    if (address.is_unix()) throw_errno(EAFNOSUPPORT, "bind", address.to_string());
    const bool v6 = address.family() == address_family::ipv6;
    const auto kind = v6 ? socket_kind::udp6 : socket_kind::udp4;
    const std::int32_t fd =
        owner.control(opcode::open_socket, -1, nullptr, 0, static_cast<std::uint32_t>(kind));
    if (fd < 0) throw_errno(-fd, "socket", address.to_string());

    udp_socket made(owner, fd);
    const auto set = [&](socket_option option, int value) {
        made.require(made.control(opcode::set_option, nullptr, static_cast<std::size_t>(value),
                                  static_cast<std::uint32_t>(option)),
                     "setsockopt", address);
    };
    if (options.reuse_address) set(socket_option::reuse_address, 1);
    if (options.reuse_port) set(socket_option::reuse_port, 1);
    if (v6) set(socket_option::v6_only, options.v6_only);
    if (options.send_buffer > 0) set(socket_option::send_buffer, options.send_buffer);
    if (options.receive_buffer > 0) set(socket_option::receive_buffer, options.receive_buffer);
    socket_address native = to_socket_address(address);
    made.require(made.control(opcode::bind, &native), "bind", address);
    co_return made;
}

// --- whose turn it is to send -------------------------------------------------------------------

namespace {

// Of an operation that waits for its turn: to the socket it is nobody yet.
constexpr wait_kind in_line{"turn to send",
                            [](suspension& wait) noexcept {
                                turn_to_send::leave_line(
                                    static_cast<used_operation<turn_to_send>&>(wait));
                            },
                            &describe_used<turn_to_send>};

}  // namespace

bool detail::turn_to_send::start(used_operation<turn_to_send>& op, cancel_scope& scope,
                                 frame& caller) noexcept {
    if (!sender().is_sending()) return socket_use::start(op, scope, caller);
    if (!scope.begin_wait(op, caller, in_line)) {
        op.wait_scope = nullptr;
        op.kind = &in_line;
        return false;
    }
    scope.waits_since(scope.owner().turn_began());
    sender().in_line_.push(op);
    return true;
}

void detail::turn_to_send::finish(operation& op) noexcept {
    if (op.kind == &in_line) return;
    socket_use::finish(op);
    sender().let_next_send();
}

void detail::turn_to_send::leave_line(used_operation<turn_to_send>& op) noexcept {
    if (!op.used.sender().in_line_.remove(op)) return;
    op.result = -ECANCELED;
    op.wait_scope->owner().ready(op);
}

// The one before has ended: with close(), or its socket is the next one's.
void udp_socket::let_next_send() noexcept {
    while (suspension* first = in_line_.pop()) {
        auto& op = static_cast<operation&>(*first);
        loop& owner = op.wait_scope->owner();
        if (is_open() && !closer_) {
            claim(op, *op.waiter);
            op.kind = &wait_kind_of<turn_to_send>(op.code);
            const time_point since = op.wait_scope->since();
            if (!owner.start(op)) owner.ready(op);
            op.wait_scope->waits_since(since);  // also in line it waited
            return;
        }
        op.result = -ECANCELED;
        owner.ready(op);
    }
}

datagram detail::recvfrom_wait::value() const noexcept {
    datagram received;
    received.size = static_cast<std::size_t>(result);
    received.from = from_socket_address(address_).value_or(endpoint());
    received.truncated = message_.truncated;
    return received;
}

io_error detail::recvfrom_wait::describe(std::error_code error) const {
    return io_error(error, "recvfrom", use().socket().local_text());
}

detail::sendto_wait::sendto_wait(udp_socket& on, const_buffer from, const endpoint* to) noexcept
    : datagram_io(on, opcode::sendmsg, from.data, from.size) {
    if (to) address_ = to_socket_address(*to);
}

io_error detail::sendto_wait::describe(std::error_code error) const {
    return io_error(error, "sendto", text_of(address_));
}

detail::datagram_connect_wait::datagram_connect_wait(udp_socket& on, const endpoint& peer) noexcept
    : io(on, opcode::connect), address_(to_socket_address(peer)) {}

io_error detail::datagram_connect_wait::describe(std::error_code error) const {
    return io_error(error, "connect", text_of(address_));
}

void detail::recv_batch_wait::prepare(const frame& caller) noexcept {
    require_idle(batch(), caller);
    batch().busy = true;
    batch().count = 0;
}

io_error detail::recv_batch_wait::describe(std::error_code error) const {
    return io_error(error, "recv_batch", use().socket().local_text());
}

void detail::send_batch_wait::prepare(const frame& caller) noexcept {
    require_idle(batch(), caller);
    batch().busy = true;
    batch().done = 0;
    batch().failed = 0;
    if (use().sender().connected_) flags = op_flag::one_by_one;
}

void detail::send_batch_wait::ended() noexcept {
    message_batch& all = batch();
    all.busy = false;
    const std::int32_t why = wait_scope ? result : -ECANCELED;
    if (why >= 0) return;
    for (std::uint32_t i = all.done; i < all.count; ++i) all.items[i].error = why;
}

const batch_item* detail::send_batch_wait::first_failed() const noexcept {
    if (result >= 0 && batch().failed == 0) return nullptr;
    for (std::uint32_t i = 0; i < batch().count; ++i) {
        if (batch().items[i].error != 0) return &batch().items[i];
    }
    return nullptr;
}

std::error_code detail::send_batch_wait::failure() const noexcept {
    if (result < 0) return error_of_result();
    const batch_item* item = first_failed();
    return item ? std::error_code(-item->error, std::system_category()) : std::error_code();
}

io_error detail::send_batch_wait::describe(std::error_code error) const {
    const batch_item* item = first_failed();
    return io_error(error, "send_batch", item ? text_of(to_socket_address(*item)) : std::string());
}

}  // namespace anel
