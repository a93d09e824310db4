// adopt.cpp: sockets that were made elsewhere, and those that are given away.
// SPDX-License-Identifier: MIT
#include <anel/tcp.hpp>
#include <anel/udp.hpp>
#include <anel/unix.hpp>

#include "net/address.hpp"

#include <cerrno>
#include <string>

namespace anel {
using namespace detail;
namespace {

using facts = descriptor_facts;

socket_kind kind_of(const facts& known) noexcept {
    const bool v6 = known.addresses == facts::family::ipv6;
    if (known.addresses == facts::family::unix_path) {
        if (known.by == facts::transfer::stream) return socket_kind::unix_stream;
        const bool seqpacket = known.by == facts::transfer::seqpacket;
        return seqpacket ? socket_kind::unix_seqpacket : socket_kind::unix_datagram;
    }
    if (known.by == facts::transfer::datagram) return v6 ? socket_kind::udp6 : socket_kind::udp4;
    return v6 ? socket_kind::tcp6 : socket_kind::tcp4;
}

/// Takes descriptors over for one type of socket, which the text of an error names.
class adoption {
public:
    adoption(loop& owner, int fd, const char* wanted) noexcept
        : owner_(owner), fd_(fd), wanted_(wanted) {}

    facts inspect(facts::transfer by) const {
        facts known;
        const std::int32_t result = owner_.control(opcode::inspect, fd_, &known);
        if (result < 0) refuse(-result, {});
        if (known.what != facts::file::socket) refuse(ENOTSOCK, {});
        if (known.addresses == facts::family::other) refuse(EAFNOSUPPORT, "neither IP nor unix");
        switch (known.by == by ? facts::transfer::other : by) {
            case facts::transfer::stream: refuse(EPROTOTYPE, "no stream socket");
            case facts::transfer::datagram: refuse(EPROTOTYPE, "no datagram socket");
            case facts::transfer::seqpacket: refuse(EPROTOTYPE, "no seqpacket socket");
            case facts::transfer::other: break;
        }
        return known;
    }
    void take(const facts& known) const {
        const auto kind = static_cast<std::uint32_t>(kind_of(known));
        const std::int32_t result =
            owner_.control(opcode::take_over, fd_, nullptr, known.listens ? 1 : 0, kind);
        if (result < 0) refuse(-result, {});
    }
    [[noreturn]] void refuse(int error, std::string_view reason) const {
        std::string subject = "descriptor " + std::to_string(fd_) + " as a " + wanted_;
        if (!reason.empty()) subject.append(" (").append(reason).append(")");
        throw_errno(error, "adopt", subject);
    }

private:
    loop& owner_;
    int fd_;
    const char* wanted_;
};

}  // namespace

task<tcp_stream> tcp_stream::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "stream");
    const facts known = taking.inspect(facts::transfer::stream);
    if (known.listens) taking.refuse(EINVAL, "it is a listener");
    socket_address peer;
    const std::int32_t connected = owner.control(opcode::peer_address, fd, &peer);
    if (connected < 0) taking.refuse(-connected, {});
    taking.take(known);
    const auto from = from_socket_address(peer).value_or(endpoint::unix_unnamed());
    co_return tcp_stream(owner, fd, pack(from));
}

task<tcp_listener> tcp_listener::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "listener");
    const facts known = taking.inspect(facts::transfer::stream);
    if (!known.listens) taking.refuse(EINVAL, "it does not listen");
    taking.take(known);
    co_return tcp_listener(owner, fd, true);
}

int tcp_listener::release() noexcept {
    if (file_) file_->leave();
    file_.reset();
    return give_up().fd;
}

task<udp_socket> udp_socket::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "datagram socket");
    const facts known = taking.inspect(facts::transfer::datagram);
    if (known.addresses == facts::family::unix_path) taking.refuse(EAFNOSUPPORT, "a unix socket");
    taking.take(known);
    udp_socket made(owner, fd);
    made.connected_ = known.connected;
    made.joins_datagrams_ = known.joins_datagrams;
    made.traffic_class_ = known.traffic_class;
    co_return made;
}

task<unix_datagram_socket> unix_datagram_socket::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "unix datagram socket");
    const facts known = taking.inspect(facts::transfer::datagram);
    if (known.addresses != facts::family::unix_path) taking.refuse(EAFNOSUPPORT, "no unix socket");
    taking.take(known);
    co_return unix_datagram_socket(owner, fd);
}

task<unix_seqpacket_socket> unix_seqpacket_socket::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "unix seqpacket socket");
    const facts known = taking.inspect(facts::transfer::seqpacket);
    if (known.listens) taking.refuse(EINVAL, "it is a listener");
    if (!known.connected) taking.refuse(ENOTCONN, {});
    taking.take(known);
    co_return unix_seqpacket_socket(owner, fd);
}

task<unix_seqpacket_listener> unix_seqpacket_listener::adopt(int fd) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    const adoption taking(owner, fd, "unix seqpacket listener");
    const facts known = taking.inspect(facts::transfer::seqpacket);
    if (!known.listens) taking.refuse(EINVAL, "it does not listen");
    taking.take(known);
    co_return unix_seqpacket_listener(owner, fd, true);
}

}  // namespace anel
