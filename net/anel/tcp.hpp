// tcp.hpp: tcp_listener, tcp_stream and connect(): the calls of a first lecture on sockets,
// awaited.
//
// The same two types serve unix stream sockets, whose endpoints begin with "unix:".
//
// Knows: operations on a socket. Must not know: which backend runs; it makes no system call.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detached_stream.hpp>
#include <anel/detail/packed_endpoint.hpp>
#include <anel/detail/unix_file.hpp>
#include <anel/file.hpp>
#include <anel/recv_buffer.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>
#include <anel/tcp_options.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace anel {

namespace detail {
class stream_use;
class recv_wait;
class recv_chunk_wait;
class recv_exact_wait;
class send_wait;
class send_some_wait;
class send_zc_wait;
class accept_wait;
/// What a failed accept says; the address is not known any more once the listener is closed.
io_error accept_error(const socket_handle& listener, std::error_code error);
class session_record;
class shutdown_wait;
template <std::size_t Parts>
class send_parts_wait;
}  // namespace detail

/// A connected stream of bytes. It has no messages: what one send() wrote may arrive in pieces, and
/// what two wrote in one. TCP's urgent data is ignored: it can be neither sent nor received, and
/// the byte that a peer marks as urgent is left out of the stream.
class tcp_stream : public socket_handle {
public:
    tcp_stream() noexcept = default;

    /// Takes a connected stream socket that was made elsewhere, TCP or unix: inherited, from
    /// socketpair(2), received over a unix socket. It is closed with the stream. Its options stay
    /// as they are, but for O_NONBLOCK, which the backend decides, also for others who share it.
    /// Errors   `adopt descriptor 7 as a stream (…): …`, and it stays yours: EBADF; ENOTSOCK;
    ///          EINVAL for a listener; EPROTOTYPE, EAFNOSUPPORT; ENOTCONN.
    /// Cost     never waits. Nine system calls at most.
    static task<tcp_stream> adopt(int fd);
    /// Gives the descriptor away, open; the stream is closed then. For another loop of this program
    /// there is detach(), under the same rules: nothing may be waiting on the stream, nor may it
    /// ever have received with recv(), without a buffer. Both are asserted.
    /// Returns  the descriptor, with or without O_NONBLOCK as the backend had it; -1: was closed.
    [[nodiscard("somebody must close it")]] int release() noexcept { return give_up().fd; }

    /// Receives at least one byte and at most `buffer.size` bytes.
    /// Returns  bytes received; 0 once the peer has finished sending, or when `buffer` is empty.
    /// Errors   ECONNRESET, ETIMEDOUT; ECANCELED when close() ended it.
    /// Lifetime `buffer` must outlive the co_await: the kernel writes into it.
    /// Cost     no allocation. io_uring: one submission, handed over with the loop's next wait.
    /// Source   recv(2), io_uring_prep_recv(3).
    [[nodiscard("co_await it")]] detail::recv_wait recv(mutable_buffer buffer) noexcept;

    /// Receives what arrives, at most 64 KiB, into memory that the loop lends: the fastest way, and
    /// a stream that waits holds no memory at all.
    /// Returns  a recv_buffer; an empty one, which is false, once the peer has finished sending.
    /// Errors   like recv(buffer). A cancel loses nothing: the next receive finds the bytes.
    /// Cost     no allocation. io_uring: nothing is submitted per message where that is best, a
    ///          multishot receive stays armed; else one submission. Linux 5.19, or it costs a
    ///          recv(2) more.
    /// Source   io_uring_prep_recv_multishot(3), io_uring_setup_buf_ring(3); recv(2).
    [[nodiscard("co_await it")]] detail::recv_chunk_wait recv() noexcept;

    /// Receives exactly `buffer.size` bytes.
    /// Errors   errc::unexpected_eof when the stream ends before; the same as recv(). After a
    ///          cancel some bytes may have been taken: the only sound thing left is to close.
    [[nodiscard("co_await it")]] detail::recv_exact_wait recv_exact(mutable_buffer buffer) noexcept;

    /// Sends all bytes of `buffer`: waits while the peer does not read.
    /// Errors   ECONNRESET, EPIPE; ECANCELED. After an error, and after a cancel, some bytes may
    ///          have been sent: the only sound thing left is to close.
    /// Lifetime `buffer` must outlive the co_await: the kernel reads from it.
    /// Cost     no allocation. io_uring: one submission, however long it takes.
    /// Source   send(2) with MSG_NOSIGNAL and, on io_uring, MSG_WAITALL.
    [[nodiscard("co_await it")]] detail::send_wait send(const_buffer buffer
                                                        [[clang::lifetimebound]]) noexcept;

    /// Sends all bytes of `buffer`, which the kernel reads in place where it can instead of copying
    /// them first. Then it ends only once the peer's system has acknowledged them, so it is for
    /// large buffers, 64 KiB at least, and for a network card: inside one machine they are copied
    /// in any case. A stream whose bytes were copied uses plain sends from then on.
    /// Errors   those of send(). A cancel while the kernel still reads `buffer` resets the
    ///          connection, because nothing else makes it stop at once.
    /// Lifetime `buffer` must outlive the co_await, and may be changed after it.
    /// Cost     no allocation. io_uring on Linux 6.2: one submission and two completions for each
    ///          mebibyte; elsewhere it is send().
    /// Source   io_uring_prep_send_zc(3), with IORING_SEND_ZC_REPORT_USAGE.
    [[nodiscard("co_await it")]] detail::send_zc_wait send_zc(const_buffer buffer
                                                              [[clang::lifetimebound]]) noexcept;
    /// Whether send_zc() still tries to send without a copy on this stream.
    [[nodiscard]] bool tries_zero_copy() const noexcept { return zero_copy_pays(); }

    /// Sends `length` bytes of the file at `path`, from `offset` on; without a length, to the end
    /// that it had when it was opened. The bytes do not pass through this process where the system
    /// can do without. What changes in the file before the peer's system has acknowledged it may be
    /// sent as it was or as it is.
    /// Returns  bytes sent.
    /// Errors   `open PATH: …` ENOENT, EACCES, EISDIR …, EINVAL for what is no regular file;
    ///          errc::file_too_short, before anything is sent or when it gets shorter meanwhile;
    ///          `read PATH: …` EIO; `send_file PATH to PEER: …` like send(); EAGAIN when 256 calls
    ///          wait for a helper thread. After an error, and after a cancel, some bytes may have
    ///          been sent: the only sound thing left is to close.
    /// Thread   opening, and reading what is not in memory, happen on a helper thread, which a
    ///          cancel waits for; the loop goes on. It is looked for a mebibyte at a time: only
    ///          bytes that leave memory again while a peer takes its time are read by the loop
    ///          itself. Systems other than Linux do not tell, and the loop reads.
    /// Cost     a helper thread's turn and its allocations to open the file; none after that while
    ///          it is in memory: a sendfile(2) per mebibyte at most, and a turn of the loop.
    /// Source   sendfile(2), preadv2(2) with RWF_NOWAIT.
    task<std::uint64_t> send_file(std::string path, std::uint64_t offset = 0,
                                  std::optional<std::uint64_t> length = {});

    /// The same with a file that is open: what is sent many times is opened once. `head` goes
    /// first, as if it were one send: the header of a reply, say.
    /// Returns  bytes of the file that were sent.
    /// Lifetime `head` and `what` must outlive the co_await.
    /// Cost     no allocation, and no helper thread while the file is in memory. 16 KiB at most are
    ///          read and sent with the head in one call; more go by sendfile(2), after the head.
    task<std::uint64_t> send_file(const readable_file& what, std::uint64_t offset = 0,
                                  std::optional<std::uint64_t> length = {});
    task<std::uint64_t> send_file(const_buffer head, const readable_file& what,
                                  std::uint64_t offset = 0,
                                  std::optional<std::uint64_t> length = {});

    /// Sends the bytes of all parts, in order, as if they were one: a header and a body, say.
    template <class... Parts>
        requires(sizeof...(Parts) > 0 && (std::convertible_to<Parts, const_buffer> && ...))
    [[nodiscard("co_await it")]] detail::send_parts_wait<1 + sizeof...(Parts)>
    send(const_buffer first, Parts&&... rest) noexcept;

    /// The same for a list that is made at run time, as long as it likes.
    /// Lifetime the list, too, must outlive the co_await.
    /// Cost     a coroutine; one submission for 64 buffers.
    task<> send(std::span<const const_buffer> parts);

    /// Sends what the kernel takes at once, at least one byte unless `buffer` is empty.
    /// Returns  bytes sent; with a cancel nothing was sent.
    [[nodiscard("co_await it")]] detail::send_some_wait
    send_some(const_buffer buffer [[clang::lifetimebound]]) noexcept;

    /// Sends what the socket takes without waiting, also where nothing can be awaited: a farewell
    /// in a destructor. While another task sends, nothing is sent.
    /// Returns  bytes sent, 0 when none could be, for whatever reason.
    /// Cost     a system call of its own on each backend, or none while another task sends.
    /// Source   send(2) with MSG_DONTWAIT and MSG_NOSIGNAL.
    std::size_t try_send(const_buffer buffer) noexcept;

    /// Tells the peer that no more will be sent: it receives 0. Receiving goes on.
    /// Errors   ENOTCONN when the peer has reset the connection.
    [[nodiscard("co_await it")]] detail::shutdown_wait shutdown_send() noexcept;

    /// Says that no more will be sent, receives and drops what the peer still sends, until its end
    /// comes, `time` is up or `bytes_max` were dropped, and closes. A close() while there is unread
    /// input, or before more of it comes, resets the connection, and a reset can overtake the last
    /// reply: the peer's system throws away what its program has not read yet. So this is for who
    /// answers without having read everything: an error, a refusal, the end of a conversation.
    /// Errors   none: what the peer does meanwhile is its own affair. task_cancelled.
    task<> lingering_close(std::chrono::nanoseconds time = std::chrono::seconds(1),
                           std::size_t bytes_max = 64U << 20);

    /// Makes the next close() reset the connection: unsent bytes are dropped, the peer sees
    /// ECONNRESET.
    void reset_on_close();
    /// Sends small pieces at once (the default) or lets the kernel gather them. A unix stream never
    /// does: there it changes nothing.
    void set_no_delay(bool on);
    /// Asks a silent peer whether it is still there; without times, no longer.
    /// Errors   those of every call here that sets: the text names peer, option, value and reason.
    ///          EINVAL for a time or count that is out of range; ENOPROTOOPT where the system has
    ///          no such option; EOPNOTSUPP for a unix stream, and on the simulated network for all
    ///          but a hint.
    void set_keep_alive(std::optional<keep_alive_times> times);
    /// How long sent bytes may go unacknowledged; 0 is the system's choice. See connect_options.
    void set_user_timeout(std::chrono::milliseconds time);
    /// Acknowledges at once what comes, or waits up to 40 ms for bytes that can take it along. A
    /// hint: the system goes back to its own choice by and by. Linux.
    void set_quick_ack(bool on);
    /// What routers on the way see, 0 to 255: see connect_options.
    void set_traffic_class(int value);
    /// What the system knows about the connection now: round trips, losses, bytes on the way.
    /// Errors   `getsockopt PEER: …` EOPNOTSUPP for a unix stream and on the simulated network;
    ///          ENOPROTOOPT where the system does not tell.
    /// Cost     one system call.
    /// Source   tcp(7), TCP_INFO.
    [[nodiscard]] stream_info info() const;
    /// Who is at the other end of a unix stream: as they were when it connected or listened.
    /// Errors   `getsockopt PEER: …` EOPNOTSUPP for a TCP stream and on the simulated network;
    ///          ENOPROTOOPT where the system does not tell.
    /// Source   unix(7), SO_PEERCRED; getpeereid(3).
    [[nodiscard]] peer_credentials credentials() const;

    /// The address of the peer, also after the connection has ended.
    [[nodiscard]] endpoint peer_endpoint() const noexcept { return detail::unpack(peer_); }
    /// The same as text.
    [[nodiscard]] std::string peer_text() const { return peer_endpoint().to_string(); }
    /// The same, as the library keeps it.
    [[nodiscard]] detail::packed_endpoint packed_peer() const noexcept { return peer_; }

private:
    friend class detail::accept_wait;
    friend class detail::session_record;
    friend detail::attach_wait;
    friend detached_stream detach(tcp_stream stream) noexcept;
    friend detail::stream_use;
    friend task<tcp_stream> connect(endpoint peer, connect_options options);
    friend detail::shutdown_wait;
    friend detail::send_zc_wait;
    tcp_stream(detail::loop& owner, int fd, const detail::packed_endpoint& peer,
               bool lent = false) noexcept
        : socket_handle(owner, fd, lent), peer_(peer) {}
    /// Whether the connection broke. Where both sides said their end there is no peer either.
    [[nodiscard]] bool lost_its_peer() const noexcept;

    detail::packed_endpoint peer_;
    bool said_end_ = false;  // with shutdown_send()
};

/// A socket that accepts connections.
class tcp_listener : public socket_handle {
public:
    tcp_listener() noexcept = default;

    /// Makes a socket, binds it to `address` and listens. Port 0 picks a free one: local_endpoint()
    /// tells. A unix endpoint makes a file, which is removed with the listener; a relative path is
    /// looked up again for that, so the program must not change its working directory meanwhile. A
    /// file that is there already is taken over when two connects, 50 ms apart, were refused: a
    /// program that takes longer than that from bind() to listen() would lose it.
    /// Errors   EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE …; the text names the address.
    static task<tcp_listener> bind(endpoint address, listen_options options = {});

    /// Takes a socket that listens already, TCP or unix, and closes it with the listener: from a
    /// service manager or an earlier version of this program, say. The file of a unix endpoint is
    /// left to whoever made it. A listener does not block, on every backend, also for others who
    /// share it; where one of them makes it block, each accept() sets it right first.
    /// Errors   as tcp_stream::adopt(); EINVAL for a socket that does not listen.
    static task<tcp_listener> adopt(int fd);
    /// Gives the descriptor away, open and listening, and leaves the file of a unix endpoint there.
    /// Nobody may wait in accept(), which is asserted.
    /// Returns  the descriptor, with O_NONBLOCK; -1 when the listener was closed.
    [[nodiscard("somebody must close it")]] int release() noexcept;

    /// Waits for a connection.
    /// Errors   EMFILE, ENFILE: the connection stays in the backlog; ECONNABORTED and others of the
    ///          connection itself: accept the next one. serve() does both.
    /// Source   accept4(2), io_uring_prep_poll_add(3).
    [[nodiscard("co_await it")]] detail::accept_wait accept() noexcept;

    /// Closes at once; what waits in the backlog is reset. Nobody may wait in accept().
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
    friend detail::accept_wait;
    tcp_listener(detail::loop& owner, int fd, bool adopted = false) noexcept
        : socket_handle(owner, fd), adopted_(adopted) {}

    std::unique_ptr<detail::unix_file> file_;  // only for a unix endpoint
    bool adopted_ = false;
};

/// Connects to `peer`.
/// Errors  ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH …; the text names the address.
task<tcp_stream> connect(endpoint peer);
/// The same, with options.
/// Errors  also those of an option, before anything is sent; the text names it, its value and the
///         reason: `connect 127.0.0.1:80: keep-alive idle 0 s: Invalid argument (EINVAL)`. EINVAL:
///         out of range; ENODEV: no such interface; EADDRNOTAVAIL: `local` is no address of this
///         machine; EAFNOSUPPORT: `local` is of another family; ENOPROTOOPT: this system has no
///         such option; EOPNOTSUPP: a unix stream, or the simulated network, has not.
/// Cost    a system call for each option that is given.
/// Source  tcp(7), ip(7), socket(7).
task<tcp_stream> connect(endpoint peer, connect_options options);

/// Connects to a host by name or numeric address, racing its addresses: the next one is tried when
/// the one before has failed or taken 250 ms, and the first to connect wins.
/// Errors  those of resolve(); those of the last address that failed.
/// Source  RFC 8305.
task<tcp_stream> connect(std::string host, std::uint16_t port);
/// The same, with options for each attempt. Only addresses of the family of `local` are tried.
task<tcp_stream> connect(std::string host, std::uint16_t port, connect_options options);

}  // namespace anel

#include <anel/detail/stream_wait.hpp>
