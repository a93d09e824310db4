// udp.cpp: making a datagram socket, and what its operations say.
// SPDX-License-Identifier: MIT
#include <anel/udp.hpp>

#include "net/address.hpp"
#include "net/socket_options.hpp"

#include <cerrno>
#include <string>

namespace anel {
using namespace detail;
namespace {

void require_idle(const message_batch& batch, const frame& caller) noexcept {
    if (batch.busy) rule_broken("two operations work on one datagram_batch at a time", &caller);
}

// Where a datagram goes, and what is asked for besides.
std::string text_with(const socket_address& to, const datagram_facts& facts) {
    std::string text = text_of(to);
    if (facts.local_size > 0) text.append(" from ").append(local_of(facts).to_string());
    if (facts.segment > 0) {
        text.append(" in segments of ").append(std::to_string(facts.segment)).append(" bytes");
    }
    return text;
}

bool is_multicast(const endpoint& group) noexcept {
    const auto bytes = group.address_bytes();
    if (group.family() == address_family::ipv4) return bytes[0] >= 224 && bytes[0] < 240;
    return group.family() == address_family::ipv6 && bytes[0] == 0xff;
}

void set_for_datagrams(const option_setter& socket, const udp_options& options) {
    if (options.broadcast) socket.set(socket_option::broadcast, 1);
    if (options.hop_limit) socket.set(socket_option::hop_limit, *options.hop_limit);
    if (options.traffic_class) socket.set(socket_option::traffic_class, *options.traffic_class);
    if (options.multicast_hop_limit) {
        socket.set(socket_option::multicast_hop_limit, *options.multicast_hop_limit);
    }
    if (options.multicast_loop) socket.set(socket_option::multicast_loop, *options.multicast_loop);
    if (!options.multicast_interface.empty()) {
        socket.set_multicast_interface(options.multicast_interface);
    }
    if (!options.interface.empty()) socket.set_interface(options.interface);
    if (options.free_bind) socket.set(socket_option::free_bind, 1);
    if (options.tell_local_address) socket.set(socket_option::local_address, 1);
    if (options.tell_ecn) socket.set(socket_option::ecn, 1);
    if (options.tell_receive_time) socket.set(socket_option::receive_time, 1);
    if (options.join_datagrams) socket.set(socket_option::join_datagrams, 1);
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
    const option_setter setter(made.home_, fd, "bind", address);
    if (options.reuse_address) setter.set(socket_option::reuse_address, 1);
    if (options.reuse_port) setter.set(socket_option::reuse_port, 1);
    if (v6) setter.set(socket_option::v6_only, options.v6_only);
    setter.set_buffers(options);
    set_for_datagrams(setter, options);
    made.joins_datagrams_ = options.join_datagrams;
    made.traffic_class_ = static_cast<std::uint8_t>(options.traffic_class.value_or(0));
    socket_address native = to_socket_address(address);
    made.require(made.control(opcode::bind, &native), "bind", address);
    co_return made;
}

void udp_socket::require_whole(const frame& caller) const noexcept {
    if (!joins_datagrams_) return;
    rule_broken("a socket with udp_options::join_datagrams is received from without control data: "
                "nothing tells where a datagram ends; use recvmsg(), or "
                "datagram_batch::with_control()",
                &caller);
}

void udp_socket::join(const endpoint& group, const interface_name& on) {
    change_membership(socket_option::join_group, group, on);
}

void udp_socket::leave(const endpoint& group, const interface_name& on) {
    change_membership(socket_option::leave_group, group, on);
}

void udp_socket::change_membership(socket_option how, const endpoint& group,
                                   const interface_name& on) {
    const char* call = how == socket_option::join_group ? "join" : "leave";
    std::string subject = group.to_string();
    if (!on.empty()) subject.append(" on ").append(on.text());
    if (!is_multicast(group)) throw_errno(EINVAL, call, subject + " (no multicast address)");
    const std::string name(on.text());
    group_membership which{to_socket_address(group), name.c_str()};
    std::int32_t result = control(opcode::set_option, &which, 0, static_cast<std::uint32_t>(how));
    // The system calls it an unknown option.
    if (result == -ENOPROTOOPT && group.family() != local_endpoint().family()) {
        result = -EAFNOSUPPORT;
    }
    if (result < 0) throw io_error(error_in(result), call, subject);
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

datagram_message detail::recvmsg_wait::value() const noexcept {
    datagram_message received;
    received.size = static_cast<std::size_t>(result);
    received.from = from_socket_address(address_).value_or(endpoint());
    received.truncated = message_.truncated;
    received.local = local_of(facts_);
    received.interface_index = facts_.interface;
    received.segment_size = facts_.segment;
    received.control_truncated = facts_.truncated;
    received.ecn = ecn_of(facts_);
    received.received_at = time_of(facts_);
    return received;
}

io_error detail::recvmsg_wait::describe(std::error_code error) const {
    return io_error(error, "recvmsg", use().socket().local_text());
}

detail::sendmsg_wait::sendmsg_wait(udp_socket& on, const_buffer bytes, const endpoint& to,
                                   const endpoint& from, std::uint16_t segment_size,
                                   std::optional<ecn_codepoint> ecn)
    : datagram_io(on, opcode::sendmsg, bytes.data, bytes.size) {
    address_ = to_socket_address(to);
    set_local(facts_, from);
    facts_.segment = segment_size;
    if (ecn) facts_.sent_class = class_with(on.traffic_class_, *ecn);
    if (facts_.local_size > 0 && from.family() != to.family()) {
        throw_errno(EAFNOSUPPORT, "sendmsg", to.to_string() + " from " + from.to_string());
    }
}

io_error detail::sendmsg_wait::describe(std::error_code error) const {
    return io_error(error, "sendmsg", text_with(address_, facts_));
}

detail::sendto_wait::sendto_wait(udp_socket& on, const_buffer from, const endpoint* to) noexcept
    : datagram_io(on, opcode::sendmsg, from.data, from.size) {
    if (to) address_ = to_socket_address(*to);
}

io_error detail::sendto_wait::describe(std::error_code error) const {
    return io_error(error, "sendto", text_of(address_));
}

void detail::recv_batch_wait::prepare(const frame& caller) noexcept {
    require_idle(batch(), caller);
    if (!batch().items[0].facts) {
        static_cast<const udp_socket&>(use().socket()).require_whole(caller);
    }
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
    if (!batch().items[0].facts) return;
    // By which socket they go, only this moment tells.
    const std::uint8_t own = static_cast<const udp_socket&>(use().socket()).traffic_class_;
    for (std::uint32_t i = 0; i < batch().count; ++i) {
        std::int16_t& sent = batch().items[i].facts->sent_class;
        if (sent != datagram_facts::not_known) {
            sent = class_with(own, static_cast<ecn_codepoint>(sent & 3));
        }
    }
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
    if (!item) return io_error(error, "send_batch", std::string());
    const socket_address to = to_socket_address(*item);
    return io_error(error, "send_batch", item->facts ? text_with(to, *item->facts) : text_of(to));
}

}  // namespace anel
