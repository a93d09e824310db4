// message_socket.cpp: whose turn it is to send.
// SPDX-License-Identifier: MIT
#include <anel/message_socket.hpp>

#include "net/address.hpp"

#include <cerrno>

namespace anel {
using namespace detail;
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
void message_socket::let_next_send() noexcept {
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

detail::message_connect_wait::message_connect_wait(message_socket& on,
                                                   const endpoint& peer) noexcept
    : io(on, opcode::connect), address_(to_socket_address(peer)) {}

io_error detail::message_connect_wait::describe(std::error_code error) const {
    return io_error(error, "connect", text_of(address_));
}

}  // namespace anel
