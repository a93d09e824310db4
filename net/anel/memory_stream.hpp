// memory_stream.hpp: memory_stream_pair: two connected streams in memory, for tests and for tasks
// that talk bytes to each other.
//
// They behave as two ends of a connection do: a full one makes its sender wait, an end is an end,
// and a close with unread input is a reset. How the connection breaks can be said to the byte. No
// backend takes part, so it is the same on all of them, the simulated one included.
//
// Knows: suspensions and scopes. Must not know: sockets, operations.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/awaitable.hpp>
#include <anel/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace anel {

class memory_stream;

namespace detail {

struct memory_link;
struct memory_pipe;
class memory_close_wait;

/// A recv or a send on one end of a link. Movable until it starts.
class memory_wait : public suspension {
public:
    memory_wait(memory_wait&& other) noexcept
        : suspension(),
          link_(other.link_),
          data_(other.data_),
          size_(other.size_),
          end_(other.end_),
          sends_(other.sends_) {}

    bool start(cancel_scope& scope, frame& caller) noexcept;

protected:
    memory_wait(memory_link* link, bool end, bool sends, void* data, std::size_t size) noexcept
        : link_(link), data_(data), size_(size), end_(end), sends_(sends) {}
    /// Ends the wait. Returns why it failed. Errors: task_cancelled.
    std::error_code settle();
    [[nodiscard]] std::size_t moved() const noexcept { return moved_; }
    [[noreturn]] void fail(std::error_code error) const;

private:
    friend memory_link;
    friend memory_pipe;
    friend memory_close_wait;
    enum class state : std::uint8_t { idle, waiting, cancelled, done };

    static void on_cancel(suspension& wait) noexcept;
    void end(std::error_code error = {}) noexcept;

    memory_link* link_;  // null: closed
    void* data_;
    std::size_t size_;  // still to be moved
    std::size_t moved_ = 0;
    std::error_code error_;
    bool end_;
    bool sends_;
    state state_ = state::idle;
};

class memory_recv_wait : public memory_wait {
public:
    std::size_t finish();
    result<std::size_t> try_finish();

private:
    friend memory_stream;
    memory_recv_wait(memory_link* link, bool end, mutable_buffer into) noexcept
        : memory_wait(link, end, false, into.data, into.size) {}
};

class memory_send_wait : public memory_wait {
public:
    void finish();
    result<void> try_finish();

private:
    friend memory_stream;
    memory_send_wait(memory_link* link, bool end, const_buffer from) noexcept
        : memory_wait(link, end, true, const_cast<void*>(from.data), from.size) {}
};

/// Never waits.
class memory_shutdown_wait {
public:
    bool start(cancel_scope& scope, frame& caller) noexcept;
    void finish();

private:
    friend memory_stream;
    memory_shutdown_wait(memory_link* link, bool end) noexcept : link_(link), end_(end) {}
    memory_link* link_;
    bool end_;
    bool cancelled_ = false;
    bool was_open_ = false;
};

class memory_close_wait : public suspension {
public:
    bool start(cancel_scope& scope, frame& caller) noexcept;
    void finish() noexcept;

private:
    friend memory_stream;
    memory_close_wait(memory_link* link, bool end) noexcept : link_(link), end_(end) {}
    memory_link* link_;
    bool end_;
};

}  // namespace detail

/// One end of a connection in memory: a byte_stream. Move-only; made by memory_stream_pair().
/// Lifetime  either end may go first; the other then receives what was sent, and the end. Nothing
///           may wait on an end that is destroyed.
/// Thread    both ends belong to tasks of one loop.
/// Cost      no operation allocates.
class memory_stream {
public:
    /// A closed one.
    memory_stream() noexcept = default;
    memory_stream(memory_stream&& other) noexcept;
    memory_stream& operator=(memory_stream&& other) noexcept;
    ~memory_stream() { drop(); }

    /// Receives at least one byte and at most `buffer.size` bytes.
    /// Returns  bytes received; 0 once the peer has finished sending, or when `buffer` is empty.
    /// Errors   ECONNRESET when the peer closed with input unread; what break_after() said;
    ///          ECANCELED when close() ended it; EBADF when closed. They stay: the next receive
    ///          fails alike.
    /// Lifetime `buffer` must outlive the co_await.
    [[nodiscard("co_await it")]] detail::memory_recv_wait recv(mutable_buffer buffer) noexcept {
        return {link_, end_, buffer};
    }
    /// Sends all bytes of `buffer`: waits while the pair's capacity is used up.
    /// Errors   EPIPE when the peer is closed, or after shutdown_send(); what break_after() said;
    ///          ECANCELED, EBADF. After an error, and after a cancel, some bytes may be sent.
    /// Lifetime `buffer` must outlive the co_await.
    [[nodiscard("co_await it")]] detail::memory_send_wait send(const_buffer buffer
                                                               [[clang::lifetimebound]]) noexcept {
        return {link_, end_, buffer};
    }
    /// Tells the peer that no more will be sent: it receives 0. Receiving goes on.
    /// Errors   EBADF when closed.
    [[nodiscard("co_await it")]] detail::memory_shutdown_wait shutdown_send() noexcept {
        return {link_, end_};
    }
    /// Ends what other tasks wait for on this end with ECANCELED, waits until they know, and
    /// closes. A cancel does not shorten it.
    [[nodiscard("co_await it")]] detail::memory_close_wait close() noexcept {
        return {link_, end_};
    }

    /// Breaks the connection behind the next `bytes` bytes that this end sends: a send that comes
    /// to that place fails with `error`, and so does the peer's recv, once it has received what
    /// came before. Without an error the peer sees an early end, 0, and the send fails with EPIPE.
    /// errc::unexpected_eof is what a stream says that can tell one from the other.
    void break_after(std::size_t bytes, std::error_code error = {}) noexcept;
    /// Makes the close of this end a reset: the peer receives what was sent, and then ECONNRESET.
    void reset_on_close() noexcept;

    [[nodiscard]] bool is_open() const noexcept;  ///< false once closed
    /// `memory`: it has no address.
    [[nodiscard]] static std::string peer_text() { return "memory"; }

private:
    friend std::pair<memory_stream, memory_stream> memory_stream_pair(std::size_t capacity);
    memory_stream(detail::memory_link* link, bool end) noexcept : link_(link), end_(end) {}
    void drop() noexcept;

    detail::memory_link* link_ = nullptr;
    bool end_ = false;  // which of the two
};

/// Two connected streams. Each direction holds at most `capacity` bytes that were sent and not
/// received; with 0 they go from hand to hand.
/// Errors  std::bad_alloc.
std::pair<memory_stream, memory_stream> memory_stream_pair(std::size_t capacity = 64U << 10);

}  // namespace anel
