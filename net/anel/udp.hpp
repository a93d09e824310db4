// udp.hpp: udp_socket: datagrams, each sent and received whole or not at all.
//
// Knows: operations on a socket. Must not know: which backend runs; it makes no system call.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/datagram_batch.hpp>
#include <anel/interface_name.hpp>
#include <anel/message_socket.hpp>
#include <anel/task.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace anel {

namespace detail {
class recvfrom_wait;
class sendto_wait;
class recvmsg_wait;
class sendmsg_wait;
class recv_batch_wait;
class send_batch_wait;
}  // namespace detail

/// How udp_socket::bind() makes its socket.
struct udp_options {
    bool reuse_address = false;  ///< on Linux two sockets on one port would steal from each other
    bool reuse_port = false;     ///< several sockets on one port, which share its datagrams
    bool v6_only = false;
    int send_buffer = 0;                 ///< bytes; 0 leaves the system's choice
    int receive_buffer = 0;              ///< bytes; what does not fit between two receives is lost
    bool broadcast = false;              ///< may send to broadcast addresses: EACCES without it
    std::optional<int> hop_limit{};      ///< IPv4's TTL: routers that a datagram may pass, 1 to 255
    std::optional<int> traffic_class{};  ///< the DSCP times 4, and ECN; 0 to 255
    /// Datagrams to a group: how far they go, 0 (this host alone) to 255, 1 by default; whether
    /// members on this host get them, as they do by default; through which interface they leave.
    std::optional<int> multicast_hop_limit{};
    std::optional<bool> multicast_loop{};
    interface_name multicast_interface{};
    interface_name interface{};  ///< datagrams leave and come through this one alone. Linux
    bool free_bind = false;      ///< bind to an address that this machine does not have. Linux
    /// Tells recvmsg(), and batches with control data, which address of this machine a datagram was
    /// sent to: a server that is bound to all of them answers from that one.
    bool tell_local_address = false;
    /// Tells recvmsg(), and batches with control data, with which ECN codepoint a datagram came.
    bool tell_ecn = false;
    /// Tells them when the system took a datagram from the network, to the nanosecond; macOS to the
    /// microsecond. On the simulated network virtual time, which begins in 1970.
    bool tell_receive_time = false;
    /// The system may join datagrams of one sender that follow each other and are equally long, but
    /// for a shorter last one (GRO). Then only recvmsg() and batches with control data can receive,
    /// since others could not tell where one ends; that is asserted. Give each receive room for
    /// 65,535 bytes: what does not fit is several datagrams. Linux 5.0.
    bool join_datagrams = false;
};

/// One received datagram.
struct datagram {
    std::size_t size = 0;  ///< bytes stored in the buffer; 0 is a datagram too
    endpoint from;
    bool truncated = false;  ///< it was longer than the buffer; the rest is gone
};

/// One received datagram, and what its control data told.
struct datagram_message : datagram {
    /// The address of this machine that it was sent to, or, when that was a group, one to answer
    /// from. Its port is 0. 0.0.0.0:0 when it is not known: see udp_options.
    endpoint local;
    std::uint32_t interface_index = 0;  ///< where it came in; 0: not known
    /// Above 0: it is several datagrams of so many bytes each, the last one perhaps shorter.
    std::size_t segment_size = 0;
    /// There was more control data than there is room for, since the program set further options
    /// through native_handle(): what is not known here may be among it.
    bool control_truncated = false;
    /// The codepoint that it came with, and when the system took it; nothing when it is not known.
    std::optional<ecn_codepoint> ecn;
    std::optional<receive_time> received_at;
};

/// A socket for datagrams, which may be lost, doubled or reordered on their way.
///
/// Several tasks may send on one socket: a datagram is whole, and who finds the socket busy waits
/// for his turn, first come first served. One task receives at a time, which is asserted.
class udp_socket : public message_socket {
public:
    udp_socket() noexcept = default;

    /// Makes a socket and binds it to `address`; port 0 picks a free one.
    /// Errors   EADDRINUSE …; the text names the address.
    static task<udp_socket> bind(endpoint address, udp_options options = {});

    /// Takes a datagram socket of IPv4 or IPv6 that was made elsewhere. It is closed with this.
    /// One with UDP_GRO is as with udp_options::join_datagrams; Linux tells since 5.13.
    /// Errors   as tcp_stream::adopt(), but for ENOTCONN: it need not be connected.
    static task<udp_socket> adopt(int fd);
    /// Gives the descriptor away, open. Nothing may be waiting on the socket, which is asserted.
    /// Returns  the descriptor; -1 when the socket was closed.
    [[nodiscard("somebody must close it")]] int release() noexcept { return give_up().fd; }

    /// Waits for a datagram.
    /// Returns  its size, its sender, and whether it was longer than `buffer`.
    /// Errors   on a connected socket ECONNREFUSED, once, when the peer's host said that nobody
    ///          listens there: the socket goes on working.
    /// Lifetime `buffer` must outlive the co_await.
    /// Source   recvmsg(2), io_uring_prep_recvmsg(3).
    [[nodiscard("co_await it")]] detail::recvfrom_wait recvfrom(mutable_buffer buffer) noexcept;

    /// Sends one datagram to `to`, whole.
    /// Errors   EMSGSIZE above 65,507 bytes (IPv4).
    [[nodiscard("co_await it")]] detail::sendto_wait
    sendto(const_buffer buffer [[clang::lifetimebound]], const endpoint& to) noexcept;

    /// As recvfrom(), and tells what else is known of the datagram.
    /// Returns  size, sender, and whether it was cut; the local address and the interface, with
    ///          udp_options::tell_local_address; the size of a segment, with join_datagrams; ECN,
    ///          with tell_ecn; the time, with tell_receive_time.
    /// Source   recvmsg(2), ip(7), IP_PKTINFO, IP_RECVTOS; udp(7), UDP_GRO; socket(7),
    ///          SO_TIMESTAMPNS.
    [[nodiscard("co_await it")]] detail::recvmsg_wait recvmsg(mutable_buffer buffer) noexcept;
    /// As sendto(), from the address `from` of this machine, whose port is not looked at: what
    /// recvmsg() told as local. 0.0.0.0 or [::] leaves the choice to the system. With a
    /// `segment_size` the bytes are cut into datagrams of so many bytes each (GSO, Linux 4.18).
    /// Without `ecn` the codepoint is that of udp_options::traffic_class.
    /// Errors   also ENETUNREACH or EINVAL when `from` is none of this machine's; EINVAL for a bad
    ///          `segment_size`; EOPNOTSUPP where the system does not have what is asked for.
    ///          EAFNOSUPPORT, which the call itself throws, when `from` is of another family than
    ///          `to`.
    [[nodiscard("co_await it")]] detail::sendmsg_wait
    sendmsg(const_buffer buffer [[clang::lifetimebound]], const endpoint& to, const endpoint& from,
            std::uint16_t segment_size = 0, std::optional<ecn_codepoint> ecn = {});

    /// Receives from now on also what is sent to `group`, whose port is not looked at, through the
    /// interface `on`; without one, through the one that the system chooses. A datagram comes only
    /// when its port is this socket's, and, on Linux, also when another socket joined its group.
    /// Errors   `join 192.0.2.1:0: …` EINVAL: no multicast address; EAFNOSUPPORT: the socket is
    ///          IPv4's and the group is not; ENODEV: no such interface; EADDRINUSE: it is a member
    ///          already; EOPNOTSUPP: the simulated network has no groups.
    /// Source   ip(7), ipv6(7), MCAST_JOIN_GROUP (RFC 3678).
    void join(const endpoint& group, const interface_name& on = {});
    /// Takes a join() back. The end of the socket does that too.
    /// Errors   as join(); EADDRNOTAVAIL: it is no member there.
    void leave(const endpoint& group, const interface_name& on = {});

    /// Fixes the peer: send() goes to it, and from now on only its datagrams arrive. What came from
    /// others before is still there, and is received with its sender's name.
    [[nodiscard("co_await it")]] detail::message_connect_wait
    connect(const endpoint& peer) noexcept;
    /// Sends one datagram to the connected peer.
    /// Errors   EDESTADDRREQ without one; ECONNREFUSED as in recvfrom().
    [[nodiscard("co_await it")]] detail::sendto_wait send(const_buffer buffer
                                                          [[clang::lifetimebound]]) noexcept;

    /// Waits for a datagram, and takes all that are there, at most 64. What was in `batch` is gone.
    /// Returns  how many, 1..64.
    /// Errors   as recvfrom(); the batch is then empty.
    /// Lifetime `batch` must outlive the co_await.
    /// Cost     two system calls; a fair share of both for each datagram when many come.
    /// Source   recvmmsg(2), where there is one.
    [[nodiscard("co_await it")]] detail::recv_batch_wait recv_batch(datagram_batch& batch) noexcept;

    /// Sends every datagram of `batch`, each to its peer. One that fails does not stop the others.
    /// Returns  nothing: all were sent.
    /// Errors   that of the first that was not sent, when all have been tried; each one's error()
    ///          tells for itself. None is sent twice, and the batch stays as it is.
    /// Lifetime `batch` must outlive the co_await.
    /// Cost     one system call, or one a datagram on a connected socket.
    /// Source   sendmmsg(2), where there is one.
    [[nodiscard("co_await it")]] detail::send_batch_wait send_batch(datagram_batch& batch) noexcept;

private:
    friend detail::recvfrom_wait;
    friend detail::recv_batch_wait;
    friend detail::send_batch_wait;
    friend detail::sendmsg_wait;
    udp_socket(detail::loop& owner, int fd) noexcept : message_socket(owner, fd) {}
    void change_membership(detail::socket_option how, const endpoint& group,
                           const interface_name& on);
    /// Ends the program when a receive could not tell where a datagram ends.
    void require_whole(const detail::frame& caller) const noexcept;

    bool joins_datagrams_ = false;
    std::uint8_t traffic_class_ = 0;
};

namespace detail {

/// Base of one datagram, in or out: the message lives in the awaiter.
template <class Derived, class Use>
class datagram_io : public io<Derived, Use> {
public:
    datagram_io(udp_socket& on, opcode what, const void* bytes, std::size_t count) noexcept
        : io<Derived, Use>(on, what, nullptr, count), buffer_{const_cast<void*>(bytes), count} {}
    void prepare(const frame&) noexcept {
        message_.buffers = &buffer_;
        message_.buffer_count = 1;
        message_.address = address_.size > 0 ? &address_ : nullptr;
        this->data = &message_;
    }

protected:
    io_buffer buffer_;
    socket_address address_;
    message message_;
};

class recvfrom_wait : public datagram_io<recvfrom_wait, socket_use> {
public:
    recvfrom_wait(udp_socket& on, mutable_buffer into) noexcept
        : datagram_io(on, opcode::recvmsg, into.data, into.size) {
        address_.size = sizeof address_.bytes;
    }
    void prepare(const frame& caller) noexcept {
        static_cast<const udp_socket&>(use().socket()).require_whole(caller);
        datagram_io::prepare(caller);
    }
    datagram value() const noexcept;
    io_error describe(std::error_code error) const;
};

class recvmsg_wait : public datagram_io<recvmsg_wait, socket_use> {
public:
    recvmsg_wait(udp_socket& on, mutable_buffer into) noexcept
        : datagram_io(on, opcode::recvmsg, into.data, into.size) {
        address_.size = sizeof address_.bytes;
        facts_.incoming = true;
    }
    void prepare(const frame& caller) noexcept {
        message_.facts = &facts_;
        datagram_io::prepare(caller);
    }
    datagram_message value() const noexcept;
    io_error describe(std::error_code error) const;

private:
    datagram_facts facts_;
};

class sendto_wait : public datagram_io<sendto_wait, turn_to_send> {
public:
    sendto_wait(udp_socket& on, const_buffer from, const endpoint* to) noexcept;
    void value() const noexcept {}
    io_error describe(std::error_code error) const;
};

class sendmsg_wait : public datagram_io<sendmsg_wait, turn_to_send> {
public:
    sendmsg_wait(udp_socket& on, const_buffer bytes, const endpoint& to, const endpoint& from,
                 std::uint16_t segment_size, std::optional<ecn_codepoint> ecn);
    void prepare(const frame& caller) noexcept {
        message_.facts = &facts_;
        datagram_io::prepare(caller);
    }
    void value() const noexcept {}
    io_error describe(std::error_code error) const;

private:
    datagram_facts facts_;
};

class recv_batch_wait : public io<recv_batch_wait, socket_use> {
public:
    recv_batch_wait(udp_socket& on, datagram_batch& into) noexcept
        : io(on, opcode::recv_batch, into.batch_.get()) {}
    void prepare(const frame& caller) noexcept;
    void ended() noexcept { batch().busy = false; }
    std::size_t value() const noexcept { return static_cast<std::size_t>(result); }
    io_error describe(std::error_code error) const;

private:
    message_batch& batch() const noexcept { return *static_cast<message_batch*>(data); }
};

class send_batch_wait : public io<send_batch_wait, turn_to_send> {
public:
    send_batch_wait(udp_socket& on, datagram_batch& from) noexcept
        : io(on, opcode::send_batch, from.batch_.get()) {}
    void prepare(const frame& caller) noexcept;
    /// What ended the whole operation is why each of those that it had not come to was not sent.
    void ended() noexcept;
    std::error_code failure() const noexcept;
    void value() const noexcept {}
    io_error describe(std::error_code error) const;

private:
    message_batch& batch() const noexcept { return *static_cast<message_batch*>(data); }
    const batch_item* first_failed() const noexcept;
};

}  // namespace detail

inline detail::recvfrom_wait udp_socket::recvfrom(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::sendto_wait udp_socket::sendto(const_buffer buffer [[clang::lifetimebound]],
                                              const endpoint& to) noexcept {
    return {*this, buffer, &to};
}
inline detail::sendto_wait udp_socket::send(const_buffer buffer [[clang::lifetimebound]]) noexcept {
    return {*this, buffer, nullptr};
}
inline detail::recvmsg_wait udp_socket::recvmsg(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::sendmsg_wait udp_socket::sendmsg(const_buffer buffer [[clang::lifetimebound]],
                                                const endpoint& to, const endpoint& from,
                                                std::uint16_t segment_size,
                                                std::optional<ecn_codepoint> ecn) {
    return {*this, buffer, to, from, segment_size, ecn};
}
inline detail::message_connect_wait udp_socket::connect(const endpoint& peer) noexcept {
    return {*this, peer};
}
inline detail::recv_batch_wait udp_socket::recv_batch(datagram_batch& batch) noexcept {
    return {*this, batch};
}
inline detail::send_batch_wait udp_socket::send_batch(datagram_batch& batch) noexcept {
    return {*this, batch};
}

}  // namespace anel
