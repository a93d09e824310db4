// udp.cpp: making a datagram socket, and what its operations say.
// SPDX-License-Identifier: MIT
#include <anel/udp.hpp>

#include "net/address.hpp"

#include <cerrno>

namespace anel {

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

datagram detail::recvfrom_wait::value() const noexcept {
    datagram received;
    received.size = static_cast<std::size_t>(result);
    received.from = from_socket_address(address_).value_or(endpoint());
    received.truncated = message_.truncated;
    return received;
}

namespace {
std::string text_of(const socket_address& address) {
    const auto known = from_socket_address(address);
    return known ? known->to_string() : std::string();
}
}  // namespace

io_error detail::recvfrom_wait::describe(std::error_code error) const {
    std::string where;
    if (socket_.is_open()) where = socket_.local_endpoint().to_string();
    return io_error(error, "recvfrom", where);
}

detail::sendto_wait::sendto_wait(udp_socket& on, const_buffer from, const endpoint* to) noexcept
    : datagram_io(on, opcode::sendmsg, from.data, from.size) {
    if (to) address_ = to_socket_address(*to);
}

io_error detail::sendto_wait::describe(std::error_code error) const {
    return io_error(error, "sendto", text_of(address_));
}

detail::datagram_connect_wait::datagram_connect_wait(udp_socket& on, const endpoint& peer) noexcept
    : socket_io(on, opcode::connect), address_(to_socket_address(peer)) {}

io_error detail::datagram_connect_wait::describe(std::error_code error) const {
    return io_error(error, "connect", text_of(address_));
}

}  // namespace anel
