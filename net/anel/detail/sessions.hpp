// sessions.hpp: how serve() runs its sessions, ends those that are overdue, and drains. The end of
// serve.hpp, which says what it promises.
//
// Knows: listeners, task groups, time. Must not know: what a session does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/serve.hpp>
#include <anel/sleep.hpp>
#include <anel/task_group.hpp>
#include <anel/timeout.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace anel {

namespace detail {

class open_sessions;
class session_record;

/// The timeouts of one session: looks at it four times in each and compares. What the session does
/// in between costs two counters, and no clock is read.
class session_timeouts : private timer {
public:
    session_timeouts(const serve_options& options, duration period) noexcept;
    session_timeouts(const session_timeouts&) = delete;
    session_timeouts& operator=(const session_timeouts&) = delete;

    /// Watches the session, until end(): both stay where they are.
    void begin(session_record& session, cancel_scope& scope) noexcept;
    void end() noexcept { scope_->owner().cancel(static_cast<timer&>(*this)); }
    /// The name of the timeout that ended the session; null when none did.
    [[nodiscard]] const char* overdue() const noexcept { return overdue_; }

    static void* operator new(std::size_t bytes) { return frame::operator new(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        frame::operator delete(memory, bytes);
    }

private:
    static void on_look(timer& item) noexcept;

    const serve_options& options_;
    duration period_;
    session_record* session_ = nullptr;
    cancel_scope* scope_ = nullptr;
    socket_activity seen_;
    std::uint32_t idle_looks_ = 0;     // in a row that saw nothing new
    std::uint32_t request_looks_ = 0;  // in a row that saw the same request unanswered
    const char* overdue_ = nullptr;
};

/// What serve() has to know of a connection.
struct accepted_connection {
    socket_handle* socket;  // null: something else carries its bytes
    packed_endpoint peer;

    template <byte_stream S>
    static accepted_connection of(S& stream) {
        if constexpr (requires { stream.packed_peer(); }) {
            return {socket_below(stream), stream.packed_peer()};
        } else if constexpr (requires { stream.peer_endpoint(); }) {
            return {socket_below(stream), pack(stream.peer_endpoint())};
        } else {
            return {socket_below(stream), {}};
        }
    }
};

/// The stream that accept() of a listener gives.
template <class Listener>
struct accepted {
    using type = awaited_t<std::remove_reference_t<decltype(std::declval<Listener&>().accept())>>;
};
template <>
struct accepted<tcp_listener> {  // known: the compiler need not look
    using type = tcp_stream;
};
template <class Listener>
using accepted_t = typename accepted<Listener>::type;
template <class S>
concept served_stream = std::same_as<S, tcp_stream> || byte_stream<S>;

/// One session in the list of those that are open, from the moment its connection was accepted.
/// Move-only; small, for there may be very many.
class session_record {
public:
    /// Errors  std::bad_alloc, when there are timeouts; EOPNOTSUPP, when these have no socket to
    ///         look at.
    session_record(open_sessions& list, const accepted_connection& connection);
    session_record(session_record&& other) noexcept;
    session_record& operator=(session_record&&) = delete;
    ~session_record();

    /// The session is about to run in `scope`. From now on the record stays where it is.
    void begin(cancel_scope& scope) noexcept {
        if (timeouts_) timeouts_->begin(*this, scope);
    }
    /// The session has ended, by `error` unless that is null.
    void end(std::exception_ptr error) const noexcept {
        if (timeouts_) timeouts_->end();
        if (error) failed(std::move(error));
    }
    /// Tells the error to whom it concerns: nobody when the session was only cancelled.
    void failed(std::exception_ptr error) const noexcept;
    /// The session's socket, wherever it is now; null once it is closed.
    [[nodiscard]] socket_handle* connection() const noexcept { return socket_.watched(); }
    /// The connection that the session closed, still open; closed unless serve() is to linger.
    [[nodiscard]] tcp_stream left_open() noexcept;
    [[nodiscard]] std::chrono::nanoseconds linger() const noexcept;

private:
    friend open_sessions;
    void link() noexcept;

    open_sessions* list_;  // null once moved from
    session_record* previous_ = nullptr;
    session_record* next_ = nullptr;
    socket_observer socket_;
    std::unique_ptr<session_timeouts> timeouts_;  // null when there are none
    packed_endpoint peer_;
    bool input_ended_ = false;
    time_point accepted_;
};

/// What serve() knows about its sessions; the part that is the same for every kind of session.
class open_sessions : private timer {
public:
    open_sessions(const serve_options& options, loop& owner) noexcept;
    open_sessions(const open_sessions&) = delete;
    open_sessions& operator=(const open_sessions&) = delete;
    ~open_sessions() {
        owner_.cancel(static_cast<timer&>(*this));
        owner_.settle();  // to who comes after serve() every connection is closed
    }

    /// Accepts the next connection, when there is room for a session. Waits out a lack of
    /// descriptors.
    /// Returns whether there is one; false when the server drains and the backlog is empty.
    /// Errors  task_cancelled; errors of the listener itself, such as EBADF; std::bad_alloc.
    template <class Listener>
    task<bool> next(Listener& listener, std::optional<accepted_t<Listener>>& connection);
    /// From now on each session sees the end of its input, once it has read what has arrived, when
    /// its time has come.
    void begin_drain() noexcept;
    /// Until when connections may still be taken out of the backlog, and sessions may go on.
    [[nodiscard]] time_point accept_until() const noexcept {
        return after(began_, options_.drain_time / 2);
    }
    [[nodiscard]] time_point deadline() const noexcept {
        return after(began_, options_.drain_time);
    }
    /// Waits until no session is left.
    event::wait_type all_ended() noexcept;
    /// Cancels those that are left.
    void cancel(task_group& sessions) noexcept {
        cancelled_ = true;
        sessions.cancel();
    }

private:
    friend session_record;
    static void on_look(timer& item) noexcept;
    /// Waits until there is room for another session.
    task<> wait_for_room();
    /// Waits out an error of accept; not at all, when it concerns a single connection.
    /// Errors  those of the listener itself.
    task<> wait_out(std::error_code error, const socket_handle* listener);
    void end_inputs() noexcept;
    [[nodiscard]] time_point end_of_input(const session_record& of) const noexcept;

    const serve_options& options_;
    loop& owner_;
    duration look_period_{};  // zero: there are no timeouts
    session_record* first_ = nullptr;
    std::size_t count_ = 0;
    bool draining_ = false;
    bool cancelled_ = false;
    time_point began_;  // the drain
    event ended_;       // set when a session ends; reset before it is waited for
    event none_left_;
    std::chrono::nanoseconds pause_{0};  // > 0: accept has failed since the last connection
};

/// The session's task; nothing when there is none, for lack of memory say, which is told like any
/// error of a session.
template <class Session, class Stream>
auto begin_session(Session& session, Stream& connection, const session_record& record) {
    using work = decltype(error_of(session(std::move(connection))));
    try {
        return std::optional<work>(session(std::move(connection)));
    } catch (...) {
        record.failed(std::current_exception());
        return std::optional<work>();
    }
}

/// Whether a session can be run; else the compiler says what is wrong.
template <class Listener, class Session>
consteval bool is_session() {
    constexpr bool listens = requires(Listener& listener) {
        { listener.accept() } -> waits;
    };
    static_assert(listens, "anel: serve() takes a listener: what has an accept() to co_await.");
    if constexpr (listens) {
        using stream = accepted_t<Listener>;
        static_assert(served_stream<stream>,
                      "anel: serve() takes a listener whose accept() gives a byte_stream.");
        constexpr bool fits = std::is_invocable_v<Session&, stream>;
        static_assert(
            fits || !std::is_invocable_v<Session&, stream&>,
            "anel: a session owns its connection: it takes a tcp_stream, not a tcp_stream&, or "
            "what else the listener accepts.");
        static_assert(fits || std::is_invocable_v<Session&, stream&>,
                      "anel: a session takes what the listener accepts: a tcp_stream of a "
                      "tcp_listener.");
        if constexpr (fits) {
            static_assert(awaitable<std::invoke_result_t<Session&, stream>>,
                          "anel: a session is a coroutine that returns a task: write `-> task<>`.");
        }
    }
    return true;
}

/// A child of the group in serve(). Everything ends in here: a session's error is no reason to
/// cancel the others. The session is made by the caller: here its argument would need a place too.
template <class T>
spawned::handle_type run_session(session_record record, error_of<T> session) {
    frame& self = co_await this_frame();
    record.begin(*self.scope);
    std::exception_ptr error = co_await session;
    if (error && !self.scope->cancelled() && is_cancel(error)) error = stray_cancel();
    const bool failed = error != nullptr;
    record.end(std::move(error));
    tcp_stream left = record.left_open();
    if (failed || !left.is_open()) co_return;
    try {
        error_of<void> ending(left.lingering_close(record.linger()));
        std::ignore = co_await ending;
    } catch (const std::bad_alloc&) {
        // It is closed at once.
    }
}

template <class Listener>
task<bool> open_sessions::next(Listener& listener,
                               std::optional<accepted_t<Listener>>& connection) {
    constexpr auto at_once = duration::zero();
    for (;;) {
        if (count_ >= options_.connections_max) co_await wait_for_room();
        std::error_code error;
        if (draining_) {
            // One that is there is taken in the turn of the call, before the time is up.
            auto accepted = co_await as_result(with_timeout(at_once, listener.accept()));
            if (accepted) connection.emplace(std::move(*accepted));
            if (accepted) co_return true;
            error = accepted.error();
            if (error == std::errc::timed_out) co_return false;
        } else {
            auto accepted = co_await as_result(listener.accept());
            pause_ = accepted ? duration::zero() : pause_;
            if (accepted) connection.emplace(std::move(*accepted));
            if (accepted) co_return true;
            error = accepted.error();
        }
        co_await wait_out(error, socket_below(listener));
    }
}
extern template task<bool> open_sessions::next(tcp_listener& listener,
                                               std::optional<tcp_stream>& connection);

/// Closes it at once.
template <class Listener>
void stop_listening(Listener& listener) {
    if constexpr (requires { listener.stop(); }) listener.stop();
    else [[maybe_unused]] const Listener gone(std::move(listener));
}

/// Accepts connections and starts their sessions: for ever, or while there are any in the backlog.
template <class Listener, class Session>
task<> accept_sessions(Listener& listener, Session& session, open_sessions& open,
                       task_group& sessions) {
    for (;;) {
        bool out_of_memory = false;
        try {
            std::optional<accepted_t<Listener>> connection;
            const bool more = co_await open.next(listener, connection);
            if (!more) co_return;
            session_record record(open, accepted_connection::of(*connection));
            auto work = begin_session(session, *connection, record);
            if (work) sessions.adopt(run_session(std::move(record), std::move(*work)));
        } catch (const std::bad_alloc&) {
            out_of_memory = true;  // the connection, if there was one, is closed
        }
        if (out_of_memory) co_await sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace detail

template <class Session, class Listener>
task<> serve(Listener listener, Session session, serve_options options) {
    static_assert(detail::is_session<Listener, Session>());
    static_assert(std::is_trivially_destructible_v<Session>,
                  "anel: the session of serve() must be a function, or capture by reference ([&])");
    detail::frame& self = co_await detail::this_frame();
    detail::open_sessions open(options, self.scope->owner());
    task_group sessions(*self.scope, detail::cancel_scope::shield::yes);
    if (options.ready) options.ready->set();
    detail::error_of<void> serving(detail::accept_sessions(listener, session, open, sessions));
    std::exception_ptr stopped = co_await serving;
    open.begin_drain();
    try {
        auto rest = detail::accept_sessions(listener, session, open, sessions);
        co_await shielded(with_timeout(open.accept_until(), std::move(rest)));
    } catch (const io_error& error) {
        if (error.code() != std::errc::timed_out) stopped = std::current_exception();
    } catch (const std::bad_alloc&) {
        // The rest of the backlog is lost; there is no memory for it.
    }
    detail::stop_listening(listener);
    try {
        std::ignore = co_await as_result(shielded(with_timeout(open.deadline(), open.all_ended())));
    } catch (const std::bad_alloc&) {
        // There was no memory to tell of the timeout; the time is up all the same.
    }
    open.cancel(sessions);
    co_await sessions.join();
    std::rethrow_exception(stopped);
}

}  // namespace anel
