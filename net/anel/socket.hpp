// socket.hpp: what every socket is: the owner of a descriptor in a loop, and its operations.
//
// Invariants: at most one operation takes something in and one moves something out at a time (two
// receives have no order on io_uring); the socket does not move, and is not destroyed, while one
// does.
//
// Knows: operations and the loop. Must not know: which backend runs; it makes no system call.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/io.hpp>
#include <anel/endpoint.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace anel {

class socket_handle;

namespace detail {

class socket_use;

/// Follows one socket wherever it is moved, until it is closed: serve() ends idle sessions with it.
/// Move-only.
class socket_observer {
public:
    /// Null: there is nothing to follow.
    explicit socket_observer(socket_handle* watched) noexcept;
    socket_observer(socket_observer&& other) noexcept;
    socket_observer& operator=(socket_observer&&) = delete;
    ~socket_observer();

    /// The socket, wherever it is now; null once it is closed.
    [[nodiscard]] socket_handle* watched() const noexcept { return watched_; }
    /// From now on a close leaves the descriptor open and here, unless it is to be a reset.
    void keep_open() noexcept;
    /// A descriptor that was kept; -1: none. `lent`: the loop may hold unread bytes for it.
    struct kept {
        int fd = -1;
        bool lent = false;
    };
    [[nodiscard]] kept take_kept() noexcept { return std::exchange(kept_, kept{}); }

private:
    friend socket_handle;
    socket_handle* watched_;
    loop* keeper_ = nullptr;  // null: a close is a close
    kept kept_;
};

/// What has happened on a socket: compare two of them.
struct socket_activity {
    std::uint32_t finished = 0;   ///< operations that ended with a result
    std::uint32_t exchanges = 0;  ///< odd: bytes came in and nothing was sent since
    std::size_t moving = 0;       ///< bytes that operations in flight still have to move

    friend bool operator==(const socket_activity&, const socket_activity&) = default;
};

}  // namespace detail

/// Owner of a descriptor. Move-only. The destructor closes at once, a session's connection with the
/// turn (serve.hpp); it never blocks, unless SO_LINGER with a time was set through native_handle().
/// Lifetime  may outlive the run() that made it; then it can only be closed, or detached: all else
///           fails with errc::run_has_ended.
class socket_handle {
public:
    class close_wait;

    socket_handle() noexcept = default;
    socket_handle(socket_handle&& other) noexcept { take(other); }
    socket_handle& operator=(socket_handle&& other) noexcept;
    ~socket_handle() { close_now(); }

    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }  ///< false once closed
    /// The descriptor, -1 when closed. For setting options the library does not know.
    [[nodiscard]] int native_handle() const noexcept { return fd_; }
    /// The address this socket is bound to.
    /// Errors  EBADF when closed.
    [[nodiscard]] endpoint local_endpoint() const;
    /// The same as text, for that of an error: of a socket whose run() has ended the number of the
    /// descriptor, of a closed one nothing.
    [[nodiscard]] std::string local_text() const;

    /// Ends what other tasks wait for on this socket with ECANCELED, waits until they know, and
    /// closes. A cancel does not shorten it.
    [[nodiscard("co_await it")]] close_wait close() noexcept;
    /// From now on a receive gives what has arrived already, and then 0, the end of the stream.
    void shutdown_receive() noexcept;
    /// Whether that was called: the end of the stream is then this program's own doing.
    [[nodiscard]] bool receive_is_shut_down() const noexcept { return input_ended_; }
    [[nodiscard]] detail::socket_activity activity() const noexcept;  ///< for serve()
    /// For serve(): what came and went was no request and no reply, the handshake of TLS say.
    /// `has_received`: some of what came belongs to a request.
    void restart_exchanges(bool has_received) noexcept { exchanges_ = has_received ? 1 : 0; }
    /// Closes as the destructor does. Nothing may be waiting on this socket, which is asserted.
    void close_now() noexcept;

protected:
    socket_handle(detail::loop& owner, int fd, bool lent = false) noexcept
        : home_(owner), fd_(fd), lent_(lent) {}

    /// Whether the connection was reset while a task still sends. A reset is told once: when that
    /// send is told, a receive gives 0, which would look like an end.
    [[nodiscard]] bool reset_told_to_sender() const noexcept;
    /// Whether an operation that moves something out is in flight.
    [[nodiscard]] bool is_sending() const noexcept { return pending_[1] != nullptr; }
    [[nodiscard]] bool zero_copy_pays() const noexcept { return zero_copy_pays_; }
    void zero_copy_does_not_pay() noexcept { zero_copy_pays_ = false; }
    /// Nobody may keep the descriptor open for a while when this socket is closed.
    void keep_for_nobody() noexcept {
        if (observer_) observer_->keeper_ = nullptr;
    }
    /// Leaves the loop, open. Nothing may be waiting on this socket, and it may not have lent
    /// memory: what the loop holds unread would stay behind. Both are asserted.
    struct given_up {
        int fd;
        detail::loop_ref home;  ///< none, unless only that loop can have it
    };
    given_up give_up() noexcept;
    /// A control call on this socket. Returns >= 0 or -errno.
    std::int32_t control(detail::opcode code, void* data = nullptr, std::size_t size = 0,
                         std::uint32_t flags = 0) const noexcept;
    /// The same; an error is thrown, naming `operation` and `subject`.
    void require(std::int32_t result, const char* operation, const endpoint& subject) const;

    detail::loop_ref home_;

private:
    friend detail::socket_use;
    friend detail::socket_observer;
    friend class message_socket;

    /// Whether its loop is `here`; false when that has ended. Another loop's socket is asserted
    /// against: it belongs to another thread.
    [[nodiscard]] bool is_at_home(const detail::loop& here) const noexcept {
        const detail::loop* home = home_.get();
        ANEL_ASSERT(home == &here || home == nullptr);
        return home != nullptr;
    }

    static void append_address(const char* before, const detail::socket_address& address,
                               std::string& text);
    /// For task listings.
    void append_local(std::string& text) const;
    void take(socket_handle& other) noexcept;
    static std::size_t direction_of(const detail::operation& op) noexcept;
    void claim(detail::operation& op, const detail::frame& caller) noexcept;
    /// Ends the program with `rule` when a task waits on this socket.
    void require_idle(const char* rule) const noexcept;
    void release(detail::operation& op) noexcept;

    int fd_ = -1;
    std::uint32_t finished_ = 0;          // operations that ended with a result
    std::uint32_t exchanges_ = 0;         // odd from a receive on until the next send
    bool zero_copy_pays_ = true;          // until a send_zc() was copied all the same
    bool lent_ = false;                   // something was received into memory that the loop lends
    bool input_ended_ = false;            // by shutdown_receive()
    detail::operation* pending_[2] = {};  // [0] taking in, [1] moving out
    close_wait* closer_ = nullptr;        // those who wait in close(), linked
    detail::socket_observer* observer_ = nullptr;
};

class socket_handle::close_wait : public detail::suspension {
public:
    explicit close_wait(socket_handle& closing) noexcept : closing_(closing) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept;
    void finish() noexcept;

private:
    static void describe(const detail::suspension& wait, std::string& text);
    socket_handle& closing_;
};

inline socket_handle::close_wait socket_handle::close() noexcept { return close_wait(*this); }

namespace detail {

/// What an operation on a socket uses: the socket's side for its direction, from its start to its
/// end. See io.
class socket_use {
public:
    socket_use(socket_handle& on) noexcept : socket_(&on) {}  // NOLINT: implicit on purpose

    template <class Op>
    bool start(Op& op, cancel_scope& scope, frame& caller) noexcept {
        socket_->claim(op, caller);
        return begin(op, scope, caller, refusal(scope.owner()));
    }
    void finish(operation& op) noexcept { socket_->release(op); }
    /// `on 192.0.2.7:4711 (fd 9)`.
    void describe_wait(const operation& op, std::string& text) const;

    [[nodiscard]] socket_handle& socket() const noexcept { return *socket_; }
    /// Whether the loop may hold bytes of it that were received into lent memory.
    [[nodiscard]] bool has_lent() const noexcept { return socket_->lent_; }
    /// For one that others follow to the same end: ECANCELED when a close() came meanwhile. The
    /// next one would only find the socket closed, and say EBADF.
    [[nodiscard]] std::error_code between_two(const operation& op) const noexcept {
        const bool closed = op.fd >= 0 && (!socket_->is_open() || socket_->closer_);
        return closed ? std::error_code(ECANCELED, std::system_category()) : std::error_code();
    }

protected:
    static void append_progress(const operation& op, std::string& text);
    /// Why no operation may begin here: its loop has ended. Or 0.
    [[nodiscard]] std::int32_t refusal(const loop& here) const noexcept {
        return socket_->is_open() && !socket_->is_at_home(here) ? loop_has_ended : 0;
    }

private:
    socket_handle* socket_;
};

}  // namespace detail

}  // namespace anel
