// serve.hpp: a server's main loop: accept, run a session each, survive, drain.
//
// Knows: listeners, task groups, time. Must not know: what a session does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/event.hpp>
#include <anel/sleep.hpp>
#include <anel/task_group.hpp>
#include <anel/tcp.hpp>
#include <anel/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace anel {

struct serve_options {
    /// Sessions at a time; more wait in the backlog.
    std::size_t connections_max = 10'000;
    /// How long sessions may go on once the server is asked to stop.
    std::chrono::nanoseconds drain_time = std::chrono::seconds(10);
    /// Called with what a session threw, a reset by its peer say; a session's error is its own
    /// affair and does not end the server. Null: nobody wants to know.
    void (*session_failed)(const endpoint& peer, std::exception_ptr error) = nullptr;
    /// Called when accept fails for lack of descriptors or memory, once until it works again.
    void (*accept_failed)(std::error_code error) = nullptr;
};

namespace detail {

class open_sessions;

/// One session's place in the list of those that run.
class session_record {
public:
    session_record(open_sessions& list, tcp_stream& connection) noexcept;
    session_record(const session_record&) = delete;
    session_record& operator=(const session_record&) = delete;
    ~session_record();

private:
    friend open_sessions;
    open_sessions& list_;
    socket_observer socket_;
    session_record* previous_ = nullptr;
    session_record* next_ = nullptr;
};

/// What serve() knows about its sessions; the part that is the same for every kind of session.
class open_sessions {
public:
    explicit open_sessions(const serve_options& options) noexcept : options_(options) {}

    /// Accepts the next connection, when there is room for a session. Waits out a lack of
    /// descriptors.
    /// Errors  task_cancelled; errors of the listener itself, such as EBADF.
    task<tcp_stream> next(tcp_listener& listener);
    /// Makes every session see the end of its input, once it has read what has arrived.
    void end_input() noexcept;
    /// Waits until no session is left.
    event::wait_type all_ended() noexcept;
    void failed(const endpoint& peer) const;
    void not_started() noexcept { count_ -= 1; }

private:
    friend session_record;
    task<> back_off(std::error_code error);

    const serve_options& options_;
    session_record* first_ = nullptr;
    std::size_t count_ = 0;
    event ended_;  // set when a session ends; reset before it is waited for
    event none_left_;
    std::chrono::nanoseconds pause_{0};  // > 0: accept has failed since the last one
};

template <class Session>
task<> run_session(Session& session, open_sessions& list, tcp_stream connection) {
    const endpoint peer = connection.peer_endpoint();
    session_record record(list, connection);
    try {
        auto work = session(std::move(connection));
        co_await work;
    } catch (const task_cancelled&) {
        throw;
    } catch (...) {
        list.failed(peer);
    }
}

}  // namespace detail

/// Accepts connections and runs `session(connection)`, a task, for each, beside each other.
///
/// A session's error ends that session alone. At EMFILE and the like it waits, 10 ms to 1 s or
/// until a session ends, and goes on. When cancelled it stops accepting, lets each session answer
/// what has already arrived (then the session receives 0, the end of the stream), and cancels those
/// that still run after `drain_time`.
/// Errors    task_cancelled, after the drain; errors of the listener itself.
/// Lifetime  `session` is kept until all sessions have ended; captures must be references ([&]).
template <class Session>
task<> serve(tcp_listener listener, Session session, serve_options options = {}) {
    static_assert(std::is_trivially_destructible_v<Session>,
                  "anel: the session of serve() must be a function, or capture by reference ([&])");
    frame& self = co_await detail::this_frame();
    detail::open_sessions open(options);
    task_group sessions(*self.scope, cancel_scope::shield::yes);
    std::exception_ptr stopped;
    try {
        for (;;) {
            auto connection = co_await open.next(listener);
            try {
                sessions.spawn(&detail::run_session<Session>, std::ref(session), std::ref(open),
                               std::move(connection));
            } catch (const std::bad_alloc&) {
                open.not_started();  // this connection is closed; the server goes on
            }
        }
    } catch (...) {
        stopped = std::current_exception();
    }
    listener.stop();
    open.end_input();
    std::ignore = co_await as_result(shielded(with_timeout(options.drain_time, open.all_ended())));
    sessions.cancel();
    co_await sessions.join();
    std::rethrow_exception(stopped);
}

}  // namespace anel
