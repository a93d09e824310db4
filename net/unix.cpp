// unix.cpp: messages over unix sockets: making the sockets, and what their operations say.
// SPDX-License-Identifier: MIT
#include <anel/unix.hpp>

#include "net/address.hpp"
#include "net/unix_path.hpp"

#include <anel/sleep.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

namespace anel {
using namespace detail;
namespace {

int open_unix(loop& owner, socket_kind kind, const endpoint& address, const char* call) {
    if (!address.is_unix()) throw_errno(EAFNOSUPPORT, call, address.to_string());
    return open_socket(owner, kind, address);
}

void set_buffers(loop& owner, int fd, const endpoint& address, const unix_options& options) {
    const auto set = [&](socket_option option, int bytes) {
        if (bytes <= 0) return;
        const std::int32_t result =
            owner.control(opcode::set_option, fd, nullptr, static_cast<std::size_t>(bytes),
                          static_cast<std::uint32_t>(option));
        if (result < 0) throw_errno(-result, "setsockopt", address.to_string());
    };
    set(socket_option::send_buffer, options.send_buffer);
    set(socket_option::receive_buffer, options.receive_buffer);
}

// An end without a name is called by that of the other one.
std::string side_of(const operation& op, const socket_handle& on) {
    std::string text = on.local_text();
    socket_address peer;
    if (text != "unix:" || !op.wait_scope) return text;
    loop& owner = op.wait_scope->owner();
    if (owner.control(opcode::peer_address, on.native_handle(), &peer) < 0) return text;
    return detail::text_of(peer);
}

// ` with descriptors 7, 9`: one of them may be what is wrong.
void append_descriptors(const passed_message& message, std::string& text) {
    constexpr std::uint32_t shown_max = 8;
    if (message.descriptors == 0) return;
    text.append(message.descriptors == 1 ? " with descriptor " : " with descriptors ");
    for (std::uint32_t i = 0; i < std::min(message.descriptors, shown_max); ++i) {
        if (i > 0) text.append(", ");
        text.append(std::to_string(message.sent[i]));
    }
    if (message.descriptors <= shown_max) return;
    text.append(" … (").append(std::to_string(message.descriptors)).append(" of them)");
}

}  // namespace

// --- unix_datagram_socket -----------------------------------------------------------------------

task<unix_datagram_socket> unix_datagram_socket::bind(endpoint address, unix_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    constexpr auto kind = socket_kind::unix_datagram;
    unix_datagram_socket made(owner, open_unix(owner, kind, address, "bind"));
    const int fd = made.native_handle();
    set_buffers(owner, fd, address, options);
    auto file = co_await bind_path(owner, fd, kind, address, options.reuse_address);
    made.file_ = std::move(file);
    co_return made;
}

task<unix_datagram_socket> unix_datagram_socket::open(unix_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const endpoint nameless = endpoint::unix_unnamed();
    unix_datagram_socket made(owner,
                              open_unix(owner, socket_kind::unix_datagram, nameless, "socket"));
    set_buffers(owner, made.native_handle(), nameless, options);
    co_return made;
}

int unix_datagram_socket::release() noexcept {
    if (file_) file_->leave();
    file_.reset();
    return give_up().fd;
}

recv_passed_wait unix_datagram_socket::recvfrom(mutable_buffer buffer,
                                                std::span<unique_fd> room) noexcept {
    return {*this, buffer, room};
}

task<> unix_datagram_socket::sendto(const_buffer buffer, endpoint to,
                                    std::span<const int> descriptors) {
    if (!to.is_unix()) throw_errno(EAFNOSUPPORT, "sendmsg", to.to_string());
    auto pause = std::chrono::milliseconds(1);
    for (;;) {
        send_passed_wait<turn_to_send> attempt(*this, buffer, descriptors, &to);
        try {
            co_await attempt;
            co_return;
        } catch (const io_error& error) {
            if (error.code() != std::errc::resource_unavailable_try_again) throw;
        }
        co_await sleep_for(pause);
        if (!is_open()) throw_errno(ECANCELED, "sendmsg", to.to_string());
        pause = std::min(2 * pause, std::chrono::milliseconds(100));
    }
}

send_passed_wait<turn_to_send>
unix_datagram_socket::send(const_buffer buffer [[clang::lifetimebound]],
                           std::span<const int> descriptors) noexcept {
    return {*this, buffer, descriptors};
}

// --- unix_seqpacket_socket ----------------------------------------------------------------------

recv_passed_wait unix_seqpacket_socket::recv(mutable_buffer buffer,
                                             std::span<unique_fd> room) noexcept {
    return {*this, buffer, room};
}

send_passed_wait<turn_to_send> unix_seqpacket_socket::send(const_buffer buffer
                                                           [[clang::lifetimebound]],
                                                           std::span<const int> descriptors) {
    if (buffer.size == 0) throw_errno(EINVAL, "sendmsg", "an empty message");
    return {*this, buffer, descriptors};
}

peer_credentials unix_seqpacket_socket::credentials() const {
    process_identity who;
    const std::int32_t result = control(opcode::peer_identity, &who);
    if (result < 0) throw_errno(-result, "getsockopt", local_text());
    return {who.user, who.group, who.process};
}

task<unix_seqpacket_socket> connect_seqpacket(endpoint peer) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    unix_seqpacket_socket made(owner,
                               open_unix(owner, socket_kind::unix_seqpacket, peer, "connect"));
    co_await connect_in_turn(made, peer);
    co_return made;
}

// --- unix_seqpacket_listener --------------------------------------------------------------------

task<unix_seqpacket_listener> unix_seqpacket_listener::bind(endpoint address,
                                                            unix_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    constexpr auto kind = socket_kind::unix_seqpacket;
    unix_seqpacket_listener made(owner, open_unix(owner, kind, address, "bind"));
    const int fd = made.native_handle();
    set_buffers(owner, fd, address, options);
    auto file = co_await bind_path(owner, fd, kind, address, options.reuse_address);
    made.file_ = std::move(file);
    const auto backlog = static_cast<std::size_t>(options.backlog);
    made.require(made.control(opcode::listen, nullptr, backlog), "listen", address);
    co_return made;
}

int unix_seqpacket_listener::release() noexcept {
    if (file_) file_->leave();
    file_.reset();
    return give_up().fd;
}

unix_seqpacket_socket detail::seqpacket_accept_wait::value() const noexcept {
    return {wait_scope->owner(), result};
}

io_error detail::seqpacket_accept_wait::describe(std::error_code error) const {
    return accept_error(use().socket(), error);
}

// --- descriptors over a stream ------------------------------------------------------------------

namespace {

void require_unix(const tcp_stream& stream, const char* call) {
    const endpoint peer = stream.peer_endpoint();
    if (!peer.is_unix()) throw_errno(EOPNOTSUPP, call, peer.to_string() + " (no unix stream)");
}

}  // namespace

recv_passed_wait recv_descriptors(tcp_stream& stream, mutable_buffer buffer,
                                  std::span<unique_fd> room) {
    require_unix(stream, "recvmsg");
    if (buffer.size == 0) throw_errno(EINVAL, "recvmsg", "an empty buffer");
    return {stream, buffer, room};
}

task<> send_descriptors(tcp_stream& stream, const_buffer bytes, std::span<const int> descriptors) {
    require_unix(stream, "sendmsg");
    if (bytes.size == 0) throw_errno(EINVAL, "sendmsg", "descriptors without a byte");
    send_passed_wait<socket_use> first(stream, bytes, descriptors);
    const std::size_t sent = co_await first;
    if (sent == bytes.size) co_return;
    co_await stream.send(
        const_buffer(static_cast<const std::byte*>(bytes.data) + sent, bytes.size - sent));
}

// --- the operations -----------------------------------------------------------------------------

detail::recv_passed_wait::recv_passed_wait(socket_handle& on, mutable_buffer into,
                                           std::span<unique_fd> room) noexcept
    : io(on, opcode::recv_passed), buffer_{into.data, into.size} {
    address_.size = sizeof address_.bytes;
    message_.received = room.data();
    message_.room = static_cast<std::uint32_t>(std::min(room.size(), passed_descriptors_max));
}

void detail::recv_passed_wait::prepare(const frame& caller) noexcept {
    if (use().has_lent()) {
        rule_broken("descriptors are received from a stream that has received with recv(): the "
                    "loop may have taken their bytes without them; receive into a buffer of yours "
                    "instead",
                    &caller);
    }
    message_.buffers = &buffer_;
    message_.buffer_count = 1;
    message_.address = &address_;
    data = &message_;
}

unix_message detail::recv_passed_wait::value() const noexcept {
    unix_message received;
    received.size = static_cast<std::size_t>(result);
    received.from = from_socket_address(address_).value_or(endpoint::unix_unnamed());
    received.truncated = message_.truncated;
    received.descriptors = message_.descriptors;
    received.control_truncated = message_.control_truncated;
    return received;
}

io_error detail::recv_passed_wait::describe(std::error_code error) const {
    return io_error(error, "recvmsg", side_of(*this, use().socket()));
}

template <class Use>
void detail::send_passed_wait<Use>::set_up(std::span<const int> descriptors,
                                           const endpoint* to) noexcept {
    if (to) address_ = to_socket_address(*to);
    message_.sent = descriptors.data();
    message_.descriptors = static_cast<std::uint32_t>(
        std::min<std::size_t>(descriptors.size(), passed_descriptors_max + 1));
}

template <class Use>
void detail::send_passed_wait<Use>::prepare(const frame&) noexcept {
    message_.buffers = &buffer_;
    message_.buffer_count = 1;
    message_.address = address_.size > 0 ? &address_ : nullptr;
    this->data = &message_;
}

template <class Use>
io_error detail::send_passed_wait<Use>::describe(std::error_code error) const {
    std::string text =
        address_.size > 0 ? detail::text_of(address_) : side_of(*this, this->use().socket());
    append_descriptors(message_, text);
    return io_error(error, "sendmsg", text);
}

template class detail::send_passed_wait<turn_to_send>;
template class detail::send_passed_wait<socket_use>;

}  // namespace anel
