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
#include <anel/file.hpp>
#include <anel/recv_buffer.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>

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

/// The file of a unix listener: removed with it, unless somebody else's stands there meanwhile.
class unix_file {
public:
    unix_file(loop& owner, const socket_address& address) noexcept;
    unix_file(const unix_file&) = delete;
    unix_file& operator=(const unix_file&) = delete;
    ~unix_file();
    /// The file that is there now is the one: it is removed at the end.
    void own() noexcept {
        remember();
        path_.changed = 0;  // a chmod of it is its owner's affair
        owned_ = true;
    }
    /// The same, but it is left there unless it is removed by name.
    void remember() noexcept;
    /// Removes the one that is known, and no other.
    void remove() noexcept;

private:
    loop_ref owner_;
    socket_path path_;
    bool owned_ = false;
};
}  // namespace detail

/// A connected stream of bytes. It has no messages: what one send() wrote may arrive in pieces, and
/// what two wrote in one.
class tcp_stream : public socket_handle {
public:
    tcp_stream() noexcept = default;

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

    /// The address of the peer, also after the connection has ended.
    [[nodiscard]] endpoint peer_endpoint() const noexcept { return detail::unpack(peer_); }
    /// The same, as the library keeps it.
    [[nodiscard]] detail::packed_endpoint packed_peer() const noexcept { return peer_; }

private:
    friend class detail::accept_wait;
    friend class detail::session_record;
    friend detail::attach_wait;
    friend detached_stream detach(tcp_stream stream) noexcept;
    friend detail::stream_use;
    friend task<tcp_stream> connect(endpoint peer);
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

/// How tcp_listener::bind() makes its socket.
struct listen_options {
    /// Connections that may wait for accept(); the system clips it (Linux: net.core.somaxconn).
    int backlog = 4096;
    /// Bind although connections of an earlier listener are still in TIME_WAIT. For a unix
    /// endpoint: remove the file of a listener that is gone.
    bool reuse_address = true;
    /// Several listeners on one port, which share its connections.
    bool reuse_port = false;
    /// An IPv6 listener takes no IPv4 connections. Set either way: the default differs by system.
    bool v6_only = false;
    /// Off is Nagle's algorithm: with it a small reply waits for the acknowledgement of the one
    /// before, which a peer may delay by 40 ms. Accepted streams inherit it.
    bool no_delay = true;
    /// Bytes; 0 leaves the system's choice, which adapts. Accepted streams inherit both.
    int send_buffer = 0;
    int receive_buffer = 0;
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

    /// Waits for a connection.
    /// Errors   EMFILE, ENFILE: the connection stays in the backlog; ECONNABORTED and others of the
    ///          connection itself: accept the next one. serve() does both.
    /// Source   accept4(2), io_uring_prep_accept(3).
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
    tcp_listener(detail::loop& owner, int fd) noexcept : socket_handle(owner, fd) {}

    std::unique_ptr<detail::unix_file> file_;  // only for a unix endpoint
};

/// Connects to `peer`.
/// Errors  ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH …; the text names the address.
task<tcp_stream> connect(endpoint peer);

/// Connects to a host by name or numeric address, racing its addresses: the next one is tried when
/// the one before has failed or taken 250 ms, and the first to connect wins.
/// Errors  those of resolve(); those of the last address that failed.
/// Source  RFC 8305.
task<tcp_stream> connect(std::string host, std::uint16_t port);

}  // namespace anel

#include <anel/detail/stream_wait.hpp>
