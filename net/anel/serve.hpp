// serve.hpp: a server's main loop: accept, run a session each, survive, drain. What it promises,
// and its options; how it does that stands in detail/sessions.hpp.
//
// Knows: listeners, events. Must not know: what a session does, what carries its bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/byte_stream.hpp>
#include <anel/detail/hook.hpp>
#include <anel/event.hpp>
#include <anel/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <system_error>

namespace anel {

/// The limits of serve(): connections, time, and how it ends.
struct serve_options {
    /// Sessions at a time; more wait in the backlog.
    std::size_t connections_max = 10'000;
    /// How long sessions may go on once the server is asked to stop.
    std::chrono::nanoseconds drain_time = std::chrono::seconds(10);
    /// Ends a session on whose connection no operation has ended for so long. Zero: never. A large
    /// send or recv_exact counts when it ends or has moved a mebibyte: leave it the time for that.
    std::chrono::nanoseconds idle_timeout{0};
    /// Ends a session that has received something and, for so long, not begun to send a reply: who
    /// sends a request byte by byte gets no more time than who sends it at once. Zero: never.
    std::chrono::nanoseconds request_timeout{0};
    /// A connection whose first request has not been answered keeps its input for so long after it
    /// was accepted, although the server is asked to stop: its bytes may still be on their way.
    std::chrono::nanoseconds first_request_grace = std::chrono::seconds(1);
    /// Every connection keeps its input for so long once the server is asked to stop. Zero: between
    /// two requests it ends at once. With `draining` a session can use that time to say good-bye.
    std::chrono::nanoseconds input_grace{0};
    /// After a session that ended without an error: what its client still sends is received and
    /// dropped for so long at most, as tcp_stream::lingering_close() does. Zero: not at all.
    std::chrono::nanoseconds linger{0};
    /// Set as soon as connections are accepted. May be null.
    event* ready = nullptr;
    /// Set when the server is asked to stop: a session can look at it, or wait for it. May be null.
    event* draining = nullptr;
    /// Called with what a session threw, a reset by its peer say; a session's error is its own
    /// affair and does not end the server. A session that was ended by one of the timeouts, at most
    /// a quarter late, counts as ETIMEDOUT. Null: nobody wants to know. Must not throw.
    detail::hook<void(const endpoint& peer, std::exception_ptr error)> session_failed = nullptr;
    /// Called when accept fails for another reason than the connection itself, for lack of
    /// descriptors say; once, until it works again. Must not throw.
    detail::hook<void(std::error_code error)> accept_failed = nullptr;
};

/// Accepts connections and runs `session(connection)`, a task, for each, beside each other.
///
/// A session's error ends that session alone. At EMFILE and the like it waits, 10 ms to 1 s or
/// until a session ends, and goes on. When cancelled it sets `draining`, takes what stands in the
/// backlog, for half the drain time at most, and only then closes the listener; it lets each
/// session answer what has arrived (then the session receives 0, the end of the stream), and
/// cancels those that still run after `drain_time`.
///
/// On io_uring a connection that its session closes is closed when the loop next waits, at the
/// latest when serve() returns. Whoever stops the loop's thread, calls fork(), or opens a file
/// where no descriptor is left, awaits sleep_for(0s) first.
///
/// A listener is any type whose accept() gives a byte_stream, which is what its sessions take. Its
/// stop() closes it; one without is destroyed. Timeouts, linger, and the end of the input at a
/// drain need the socket below the stream (underlying_socket(), see byte_stream): sessions on other
/// streams are cancelled after `drain_time`.
/// Errors    task_cancelled, after the drain; errors of the listener itself; EOPNOTSUPP for a
///           timeout and a stream without a socket.
/// Lifetime  `session` is kept until all sessions have ended; captures must be references ([&]).
template <class Session, class Listener = tcp_listener>
task<> serve(Listener listener, Session session, serve_options options = {});

}  // namespace anel

#include <anel/detail/sessions.hpp>
