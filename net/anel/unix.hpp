// unix.hpp: messages over unix sockets, with a path ("unix:/run/x") or, on Linux, an abstract name
// ("unix:@x"), and the descriptors that travel with them. Unix streams are a tcp_stream.
//
//     std::array<unique_fd, 1> given;
//     auto message = co_await socket.recv(buffer, given);
//     if (message.descriptors == 1) auto conn = co_await tcp_stream::adopt(given[0].release());
//
// Each descriptor that comes has an owner at once, or is closed: one that a receive has no room
// for, one that comes to a plain recv(), one that a program may not open. A cancelled receive has
// taken neither a message nor a descriptor.
//
// Not on the simulated network, which refuses each of these calls with EOPNOTSUPP.
//
// Knows: operations on a socket. Must not know: which backend runs; it makes no system call.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/unix_file.hpp>
#include <anel/message_socket.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>
#include <anel/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

namespace anel {

namespace detail {
template <class Use>
class send_passed_wait;
class recv_passed_wait;
class seqpacket_accept_wait;
}  // namespace detail

/// How unix sockets for messages are bound.
struct unix_options {
    /// A file that nobody answers at any more is taken over, as by tcp_listener::bind().
    bool reuse_address = true;
    int send_buffer = 0;     ///< bytes; 0 leaves the system's choice. No message can be longer
    int receive_buffer = 0;  ///< bytes; 0 leaves the system's choice
    int backlog = 4096;      ///< of a listener: connections that wait to be accepted, at most
};

/// One received message, and what came with it.
struct unix_message {
    std::size_t size = 0;         ///< bytes stored in the buffer
    endpoint from;                ///< of a datagram: its sender; unix_unnamed() if that has no name
    bool truncated = false;       ///< it was longer than the buffer; the rest is gone
    std::size_t descriptors = 0;  ///< how many stand at the beginning of the room for them
    /// More came than fitted: descriptors beyond the room, or above the limit of this process,
    /// which have been closed; or data of an option that the program set by native_handle().
    bool control_truncated = false;
};

/// Most descriptors that can go with one message.
inline constexpr std::size_t passed_descriptors_max = detail::passed_message::descriptors_max;

/// A unix socket for datagrams: each is sent and received whole, in order, and none is lost: who
/// sends to a receiver that is full waits.
class unix_datagram_socket : public message_socket {
public:
    unix_datagram_socket() noexcept = default;

    /// Makes a socket and binds it. A path is a file, which is removed with the socket;
    /// endpoint::unix_unnamed() gets an abstract name from Linux: local_endpoint() tells.
    /// Errors   `bind unix:/run/x: …` EADDRINUSE, EACCES, ENOENT …; EAFNOSUPPORT: no unix address.
    static task<unix_datagram_socket> bind(endpoint address, unix_options options = {});
    /// One without a name, which can send: nobody can answer it.
    static task<unix_datagram_socket> open(unix_options options = {});
    /// Takes a unix datagram socket that was made elsewhere. Its file is left to whoever made it.
    /// Errors   as udp_socket::adopt().
    static task<unix_datagram_socket> adopt(int fd);
    /// Gives the descriptor away, open, and leaves its file there. Nothing may be waiting on the
    /// socket, which is asserted.
    /// Returns  the descriptor; -1 when the socket was closed.
    [[nodiscard("somebody must close it")]] int release() noexcept;

    /// Waits for a datagram. Descriptors that come with it are put into `room`, each in place of
    /// what stands there; without room, or beyond it, they are closed.
    /// Errors   `recvmsg unix:/run/x: …` ECANCELED when close() ended it.
    /// Lifetime `buffer` and `room` must outlive the co_await.
    /// Cost     no allocation. io_uring: a poll in the ring, and a recvmsg(2). Else a recvmsg(2).
    /// Source   recvmsg(2), unix(7), SCM_RIGHTS.
    [[nodiscard("co_await it")]] detail::recv_passed_wait
    recvfrom(mutable_buffer buffer, std::span<unique_fd> room = {}) noexcept;

    /// Sends one datagram to `to`, whole, and copies of `descriptors` with it: those of the sender
    /// stay open, and his.
    /// Errors   `sendmsg unix:/run/x with descriptor 7: …` ECONNREFUSED, ENOENT: nobody is there;
    ///          EMSGSIZE: longer than the send buffer; EBADF: one of `descriptors` is not open;
    ///          EINVAL: more than passed_descriptors_max; ETOOMANYREFS: more on their way than this
    ///          user may have open.
    /// Lifetime `buffer` and `descriptors` must outlive the co_await.
    /// Cost     a coroutine, and a sendmsg(2). While the receiver is full it is tried again, after
    ///          1 ms at first and 100 ms at last: no system tells when there is room. A connected
    ///          socket is told.
    /// Source   sendmsg(2), unix(7), SCM_RIGHTS.
    task<> sendto(const_buffer buffer, endpoint to, std::span<const int> descriptors = {});

    /// Fixes the peer: send() goes to it, and only its datagrams arrive from now on.
    /// Errors   `connect unix:/run/x: …` ECONNREFUSED, ENOENT; EPROTOTYPE: it is of another kind.
    [[nodiscard("co_await it")]] detail::message_connect_wait
    connect(const endpoint& peer) noexcept {
        return {*this, peer};
    }
    /// Sends to the peer, as sendto() but for the errors of finding it.
    /// Errors   also ENOTCONN without a peer; ECONNREFUSED once it is gone.
    /// Cost     no allocation. A sendmsg(2); while the peer is full, a wait besides.
    [[nodiscard("co_await it")]] detail::send_passed_wait<detail::turn_to_send>
    send(const_buffer buffer [[clang::lifetimebound]],
         std::span<const int> descriptors = {}) noexcept;

    /// Closes at once, and removes the file. Nothing may be waiting on the socket.
    void stop() noexcept {
        file_.reset();
        close_now();
    }
    /// Ends what other tasks wait for with ECANCELED, waits until they know, and closes.
    [[nodiscard("co_await it")]] close_wait close() noexcept {
        file_.reset();
        return socket_handle::close();
    }

private:
    unix_datagram_socket(detail::loop& owner, int fd) noexcept : message_socket(owner, fd) {}

    std::unique_ptr<detail::unix_file> file_;
};

/// A connection for messages, each of which is sent and received whole, in order: SOCK_SEQPACKET.
/// Not on macOS.
class unix_seqpacket_socket : public message_socket {
public:
    unix_seqpacket_socket() noexcept = default;

    /// Takes a connected one that was made elsewhere: inherited, or from socketpair(2).
    /// Errors   as tcp_stream::adopt().
    static task<unix_seqpacket_socket> adopt(int fd);
    /// Gives the descriptor away, open. Nothing may be waiting on the socket, which is asserted.
    /// Returns  the descriptor; -1 when the socket was closed.
    [[nodiscard("somebody must close it")]] int release() noexcept { return give_up().fd; }

    /// Waits for a message: as unix_datagram_socket::recvfrom().
    /// Returns  size 0 once the peer has ended. An empty message looks alike; send() sends none.
    /// Errors   also ECONNRESET, once, when the peer closed before it had read everything.
    [[nodiscard("co_await it")]] detail::recv_passed_wait
    recv(mutable_buffer buffer, std::span<unique_fd> room = {}) noexcept;
    /// Sends one message, as unix_datagram_socket::send().
    /// Errors   also EPIPE once the peer has ended; EINVAL, which the call itself throws, for an
    ///          empty message: it would look like the end.
    [[nodiscard("co_await it")]] detail::send_passed_wait<detail::turn_to_send>
    send(const_buffer buffer [[clang::lifetimebound]], std::span<const int> descriptors = {});

    /// Who is at the other end, as in tcp_stream::credentials().
    [[nodiscard]] peer_credentials credentials() const;

private:
    friend detail::seqpacket_accept_wait;
    friend task<unix_seqpacket_socket> connect_seqpacket(endpoint peer);
    unix_seqpacket_socket(detail::loop& owner, int fd) noexcept : message_socket(owner, fd) {}
};

/// A socket that accepts connections for messages.
class unix_seqpacket_listener : public socket_handle {
public:
    unix_seqpacket_listener() noexcept = default;

    /// As tcp_listener::bind() with a unix endpoint.
    /// Errors   as unix_datagram_socket::bind().
    static task<unix_seqpacket_listener> bind(endpoint address, unix_options options = {});
    /// Takes one that listens already, and leaves its file to whoever made it.
    /// Errors   as tcp_listener::adopt().
    static task<unix_seqpacket_listener> adopt(int fd);
    /// As tcp_listener::release().
    [[nodiscard("somebody must close it")]] int release() noexcept;

    /// Waits for a connection, as tcp_listener::accept().
    [[nodiscard("co_await it")]] detail::seqpacket_accept_wait accept() noexcept;

    /// Closes at once, and removes the file. Nobody may wait in accept().
    void stop() noexcept {
        file_.reset();
        close_now();
    }
    /// Ends what other tasks wait for with ECANCELED, waits until they know, and closes.
    [[nodiscard("co_await it")]] close_wait close() noexcept {
        file_.reset();
        return socket_handle::close();
    }

private:
    friend detail::seqpacket_accept_wait;
    unix_seqpacket_listener(detail::loop& owner, int fd, bool adopted = false) noexcept
        : socket_handle(owner, fd), adopted_(adopted) {}

    std::unique_ptr<detail::unix_file> file_;
    bool adopted_ = false;
};

/// Connects to a unix_seqpacket_listener. Waits while its backlog is full.
/// Errors  `connect unix:/run/x: …` ECONNREFUSED, ENOENT, EACCES; EPROTOTYPE: of another kind.
task<unix_seqpacket_socket> connect_seqpacket(endpoint peer);

/// Receives from a unix stream at least one byte and at most `buffer.size`, and descriptors. They
/// come with the first byte that they were sent with; when a plain recv() or a buffered_reader
/// takes that one, they are closed. The stream may never have received with recv(), without a
/// buffer, since the loop may then have taken bytes: that is asserted.
/// Returns  size 0 once the peer has finished sending.
/// Errors   as tcp_stream::recv(); what the call itself throws: EOPNOTSUPP for a TCP stream, EINVAL
///          for an empty buffer.
/// Lifetime `buffer` and `room` must outlive the co_await.
[[nodiscard("co_await it")]] detail::recv_passed_wait
recv_descriptors(tcp_stream& stream, mutable_buffer buffer, std::span<unique_fd> room);

/// Sends all of `bytes`, at least one, over a unix stream, and copies of `descriptors` with the
/// first of them. No other task may send meanwhile.
/// Errors   `sendmsg PEER with descriptor 7: …` as tcp_stream::send() and
///          unix_datagram_socket::sendto(); EINVAL without a byte; EOPNOTSUPP for a TCP stream.
///          After an error, and after a cancel, some bytes may have been sent, and the descriptors
///          with them: the only sound thing left is to close.
/// Lifetime `bytes` and `descriptors` must outlive the co_await.
task<> send_descriptors(tcp_stream& stream, const_buffer bytes, std::span<const int> descriptors);

namespace detail {

/// Receives a message, and descriptors.
class recv_passed_wait : public io<recv_passed_wait, socket_use> {
public:
    recv_passed_wait(socket_handle& on, mutable_buffer into, std::span<unique_fd> room) noexcept;
    void prepare(const frame& caller) noexcept;
    unix_message value() const noexcept;
    io_error describe(std::error_code error) const;

private:
    io_buffer buffer_;
    socket_address address_;
    passed_message message_;
};

/// Sends them: over a stream perhaps not all bytes at once.
template <class Use>
class send_passed_wait : public io<send_passed_wait<Use>, Use> {
public:
    template <class Socket>
    send_passed_wait(Socket& on, const_buffer bytes, std::span<const int> descriptors,
                     const endpoint* to = nullptr) noexcept
        : io<send_passed_wait, Use>(on, opcode::send_passed),
          buffer_{const_cast<void*>(bytes.data), bytes.size} {
        set_up(descriptors, to);
    }
    void prepare(const frame&) noexcept;
    auto value() const noexcept {
        if constexpr (std::is_same_v<Use, socket_use>)
            return static_cast<std::size_t>(this->result);
    }
    /// What is left of a stream's bytes goes with another operation.
    std::error_code failure() const noexcept {
        if constexpr (std::is_same_v<Use, socket_use>) {
            const bool some = this->result >= 0 && value() < buffer_.size;
            if (some) return this->use().between_two(*this);
        }
        return this->error_of_result();
    }
    io_error describe(std::error_code error) const;

private:
    void set_up(std::span<const int> descriptors, const endpoint* to) noexcept;

    io_buffer buffer_;
    socket_address address_;
    passed_message message_;
};
extern template class send_passed_wait<turn_to_send>;
extern template class send_passed_wait<socket_use>;

class seqpacket_accept_wait : public io<seqpacket_accept_wait, socket_use> {
public:
    explicit seqpacket_accept_wait(unix_seqpacket_listener& on) noexcept
        : io(on, opcode::accept, nullptr, on.adopted_ ? 1 : 0) {}
    unix_seqpacket_socket value() const noexcept;
    io_error describe(std::error_code error) const;
};

}  // namespace detail

inline detail::seqpacket_accept_wait unix_seqpacket_listener::accept() noexcept {
    return detail::seqpacket_accept_wait(*this);
}

}  // namespace anel
