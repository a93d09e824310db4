// tls_connection.hpp: what a tls_over does: drives the engine, sends what it has made, receives
// what it needs.
//
// Invariants: `writing` is held by whoever sends on the stream below. What the engine makes is sent
// in the order in which it was made, each byte once, also when the wait for it was cancelled.
// Memory that the loop lends is given back before anything is waited for. Whoever runs in here is a
// `user`, and the connection stays for the last of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/loop.hpp>
#include <anel/detail/tls_engine.hpp>
#include <anel/error.hpp>
#include <anel/event.hpp>
#include <anel/mutex.hpp>
#include <anel/recv_buffer.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>
#include <anel/timeout.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

namespace anel::detail {

template <class Next>
class tls_connection {
public:
    tls_connection(Next next, const tls_context& context, std::string_view host)
        : below(std::move(next)), engine(context, host, place_of(below)) {}

    // The first parameter is null for a stream that was never connected.
    static task<> handshake(tls_connection* self);
    static task<std::size_t> recv(tls_connection* self, mutable_buffer into);
    static task<recv_buffer> recv(tls_connection* self);
    static task<> send(tls_connection* self, const_buffer from);
    static task<> shutdown_send(tls_connection* self);
    static task<bool> update_keys(tls_connection* self);
    class close_wait;
    /// Its owner goes. Tasks may still be on their way out after a close.
    void abandon() noexcept {
        // Before a close they may not be: that ends the program, with the place of one of them.
        if (below_closed && users > 0) abandoned = true;
        else delete this;
    }
    /// Sends close_notify, if the stream below takes it without a wait.
    void say_end() noexcept {
        if (closed || cut_short || shut_down || writing.is_locked()) return;
        std::ignore = engine.say_end();
        push();
    }

    [[nodiscard]] std::string peer_text() const {
        if constexpr (requires { below.peer_text(); }) return below.peer_text();
        else return below.peer_endpoint().to_string();
    }
    [[nodiscard]] socket_handle* socket() noexcept {
        if constexpr (std::derived_from<Next, socket_handle>) return &below;
        else if constexpr (requires { below.underlying_socket(); })
            return below.underlying_socket();
        else return nullptr;
    }

    Next below;
    tls_engine engine;
    bool closed = false;
    bool below_closed = false;  // the stream below, and nobody waits on that
    bool input_ended = false;   // and whoever received was told so
    bool cut_short = false;     // a send was not sent whole: nothing can follow it
    bool shut_down = false;     // the end was sent, and nothing may follow it

private:
    class user {
    public:
        explicit user(tls_connection& of) noexcept : of_(&of) { of.users += 1; }
        user(user&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        user& operator=(user&&) = delete;
        ~user() {
            if (!of_) return;
            of_->users -= 1;
            if (of_->users == 0 && of_->abandoned) delete of_;
        }

    private:
        tls_connection* of_;
    };

    static constexpr bool lends = requires(Next& next) { next.recv(); };
    static constexpr bool counts =
        requires(Next& next, const_buffer bytes) { next.send_some(bytes); };
    static constexpr bool tries =
        requires(Next& next, const_buffer bytes) { next.try_send(bytes); };
    static constexpr std::size_t piece_max = 64U << 10;  // enciphered, and then sent
    static constexpr std::size_t lent_max = 64U << 10;
    // More than a send makes at a time: what a peer makes us say while it does not read.
    static constexpr std::size_t waiting_max = 256U << 10;

    static std::string place_of(const Next& next) {
        if constexpr (requires { next.peer_endpoint(); }) {
            return std::to_string(next.peer_endpoint().port());
        } else {
            return {};
        }
    }
    [[noreturn]] void fail(const char* operation, std::error_code error) const {
        throw io_error(error, operation, peer_text() + engine.about());
    }
    static void require_open(const tls_connection* self, const char* operation) {
        if (!self) throw_errno(EBADF, operation, {});
        if (self->closed) throw_errno(EBADF, operation, self->peer_text());
    }
    [[nodiscard]] bool has_output() const noexcept {
        return !sending.empty() || !engine.output.empty();
    }

    /// When more() gives nothing.
    void end_input(tls_step step) {
        if (step != tls_step::ended && broken) fail("recv", broken);
        input_ended = true;
    }

    // What the engine answers although nothing can be sent any more.
    void forget() noexcept {
        sending.clear();
        engine.output.clear();
    }

    // serve() counts requests and replies, and a handshake is none. A request may have come with
    // its end.
    void forget_exchanges() noexcept {
        if (socket_handle* carrier = socket()) {
            carrier->restart_exchanges(engine.is_ready() && engine.has_input());
        }
    }

    void settle() noexcept;
    void push() noexcept;
    task<> flush();
    task<> shake();
    task<bool> receive();
    task<bool> receive_alone();
    task<> hear_more(const char* operation);
    task<bool> more(tls_step step);

    std::size_t users = 0;
    bool abandoned = false;  // by its owner: the last user destroys it
    mutex writing;
    bool receiving = false;       // a task waits for what the peer sends
    event received;               // set when it has it
    std::uint64_t fed = 0;        // times that the engine was
    byte_queue sending;           // taken out of the engine: it must not move while it is sent
    recv_buffer arrived;          // what the engine was fed, until settle()
    std::error_code broken;       // why nothing can be received any more
    time_point deadline = never;  // of the handshake, once it has begun
};

/// Closes the stream below. Nothing to be closed is closed already.
template <class Next>
class tls_connection<Next>::close_wait {
public:
    explicit close_wait(tls_connection* closing) noexcept : closing_(closing) {}
    bool start(cancel_scope& scope, frame& caller) {
        if (!closing_) return false;
        use_.emplace(*closing_);
        closing_->say_end();
        closing_->closed = true;
        below_.emplace(closing_->below.close());
        return below_->start(scope, caller);
    }
    void finish() {
        if (!below_) return;
        below_->finish();
        closing_->below_closed = true;
        use_.reset();
    }

private:
    tls_connection* closing_;
    std::optional<user> use_;
    std::optional<decltype(std::declval<Next&>().close())> below_;
};

// Before every wait: memory that was lent goes back, and what the engine has not read is kept.
template <class Next>
void tls_connection<Next>::settle() noexcept {
    // Without memory for it the lent one is held on to.
    if (engine.keep()) arrived.release();
}

// Sends what can be sent without waiting: a receive must not wait for a peer to read, and what it
// has deciphered must not be lost with a wait that is cancelled.
template <class Next>
void tls_connection<Next>::push() noexcept {
    if (writing.is_locked()) return;  // whoever sends goes on until nothing is left
    if (cut_short || shut_down) forget();
    if constexpr (tries) {
        while (has_output()) {
            if (sending.empty()) std::swap(sending, engine.output);
            const std::size_t sent = below.try_send(sending.bytes());
            if (sent == 0) return;
            sending.drop(sent);
        }
    }
}

// With `writing` held. Cancelled, it has sent what it has dropped, and no more.
template <class Next>
task<> tls_connection<Next>::flush() {
    while (has_output()) {
        if (closed) throw_errno(ECANCELED, "send", peer_text());
        if (sending.empty()) std::swap(sending, engine.output);
        if constexpr (counts) {
            const std::size_t sent = co_await below.send_some(sending.bytes());
            sending.drop(sent);
        } else {
            const bool before = std::exchange(cut_short, true);
            co_await below.send(sending.bytes());
            cut_short = before;
            sending.clear();
        }
    }
}

/// Waits for what the peer sends, and feeds it to the engine. Returns true when there is something
/// new: bytes, or `broken` by an end without a farewell. That is thrown by whoever was called: what
/// is thrown here is thrown again by each task on its way. False at an end that this side has made,
/// for a drain.
template <class Next>
task<bool> tls_connection<Next>::receive() {
    if constexpr (lends) {
        auto bytes = co_await below.recv();
        arrived = std::move(bytes);
    } else {
        auto room = recv_buffer::with_room_for(16U << 10);
        const std::size_t count = co_await below.recv(room.bytes());
        room.shorten(count);
        arrived = std::move(room);
    }
    if (arrived) {
        engine.feed(arrived.bytes());
        fed += 1;
        co_return true;
    }
    const socket_handle* carrier = socket();
    if (carrier && carrier->receive_is_shut_down()) co_return false;
    broken = make_error_code(errc::unexpected_eof);
    co_return true;
}

/// The same, for whoever needs it: one task receives at a time, others wait for what it gets.
template <class Next>
task<bool> tls_connection<Next>::receive_alone() {
    if (receiving) {
        received.reset();
        co_await received.wait();
        if (closed) throw_errno(ECANCELED, "recv", peer_text());
        co_return true;  // or nothing has come, and the caller finds that out
    }
    struct turn {
        tls_connection& of;
        explicit turn(tls_connection& whose) noexcept : of(whose) { of.receiving = true; }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        ~turn() {
            of.receiving = false;
            of.received.set();
        }
    } const mine(*this);
    const bool arrives = co_await receive();
    co_return arrives;
}

/// With `writing` held: nothing can be enciphered before the rest of a message has come.
template <class Next>
task<> tls_connection<Next>::hear_more(const char* operation) {
    settle();
    co_await flush();
    if (broken) fail(operation, broken);
    const bool arrives = co_await receive_alone();
    if (!arrives) throw_errno(ECANCELED, operation, peer_text());
    if (broken) fail(operation, broken);
}

/// What follows when there was nothing to be received. Returns false when nothing will be: see
/// end_input().
template <class Next>
task<bool> tls_connection<Next>::more(tls_step step) {
    settle();
    push();
    if (step == tls_step::ended) co_return false;
    if (step == tls_step::failed) broken = engine.error();
    if (broken) co_return false;
    // The peer may read nothing before its bytes are received here: what push() has left waits for
    // the next call, while there is not too much of it.
    const bool flushes =
        tries || writing.is_locked() ? engine.output.size() > waiting_max : has_output();
    if (flushes) {
        const std::uint64_t before = fed;
        const mutex::guard held = co_await writing.lock();
        if (closed) throw_errno(ECANCELED, "recv", peer_text());
        if (cut_short || shut_down) forget();
        co_await flush();
        if (fed != before) co_return true;  // by whoever sends
    }
    const bool arrives = co_await receive_alone();
    co_return arrives;
}

template <class Next>
task<> tls_connection<Next>::shake() {
    const mutex::guard held = co_await writing.lock();
    if (closed) throw_errno(ECANCELED, "TLS handshake with", peer_text());
    // Cancelled while the stream below took what it does not tell the amount of.
    if (cut_short) throw_errno(EPIPE, "TLS handshake with", peer_text());
    frame& self = co_await this_frame();
    while (!engine.is_ready()) {
        const tls_step step = engine.shake(self.scope->owner().now());
        settle();
        if (step == tls_step::failed) {
            broken = engine.error();
            // The peer is told why, if it still listens.
            std::ignore = co_await as_result(flush());
            if constexpr (requires { below.lingering_close(duration(), std::size_t()); }) {
                // A close with what it has sent on unread is a reset, which overtakes the alert.
                if (engine.is_server() && broken != std::errc::not_enough_memory) {
                    co_await below.lingering_close(std::chrono::seconds(1), 64U << 10);
                }
            }
            fail("TLS handshake with", broken);
        }
        co_await flush();
        forget_exchanges();
        if (step == tls_step::done) break;
        const bool arrives = co_await receive();
        if (!arrives) throw_errno(ECANCELED, "TLS handshake with", peer_text());
        if (broken) fail("TLS handshake with", broken);
    }
}

template <class Next>
task<> tls_connection<Next>::handshake(tls_connection* self) {
    constexpr const char* operation = "TLS handshake with";
    require_open(self, operation);
    const user here(*self);
    if (self->broken) self->fail(operation, self->broken);
    if (self->engine.is_ready()) co_return;
    frame& caller = co_await this_frame();
    const duration limit = self->engine.handshake_timeout();
    if (self->deadline == never && limit > duration::zero()) {
        self->deadline = after(caller.scope->owner().now(), limit);
    }
    try {
        co_await with_timeout(self->deadline, self->shake());
    } catch (const io_error& failed) {
        // Whichever layer has failed, and also if the time was up while the peer was told why.
        if (!self->broken) self->broken = failed.code();
        self->fail(operation, self->broken);
    }
}

template <class Next>
task<std::size_t> tls_connection<Next>::recv(tls_connection* self, mutable_buffer into) {
    require_open(self, "recv");
    if (into.size == 0) co_return 0;
    const user here(*self);
    if (!self->engine.is_ready()) co_await handshake(self);
    const std::span room(static_cast<std::byte*>(into.data), into.size);
    for (;;) {
        std::size_t count = 0;
        const tls_step step = self->engine.read(room, count);
        if (count > 0) {
            self->settle();
            self->push();
            co_return count;
        }
        const bool arrives = co_await self->more(step);
        if (!arrives) {
            self->end_input(step);
            co_return 0;
        }
    }
}

template <class Next>
task<recv_buffer> tls_connection<Next>::recv(tls_connection* self) {
    require_open(self, "recv");
    const user here(*self);
    if (!self->engine.is_ready()) co_await handshake(self);
    for (;;) {
        // A byte at least: an end and a failure, too, are found by reading.
        const std::size_t most = std::clamp<std::size_t>(self->engine.readable_max(), 1, lent_max);
        auto plain = recv_buffer::with_room_for(most);
        std::size_t count = 0;
        const tls_step step = self->engine.read(plain.bytes(), count);
        plain.shorten(count);
        if (plain) {
            self->settle();
            self->push();
            co_return plain;
        }
        const bool arrives = co_await self->more(step);
        if (!arrives) {
            self->end_input(step);
            co_return recv_buffer();
        }
    }
}

template <class Next>
task<> tls_connection<Next>::send(tls_connection* self, const_buffer from) {
    constexpr const char* operation = "send";
    require_open(self, operation);
    if (from.size == 0) co_return;
    const user here(*self);
    if (!self->engine.is_ready()) co_await handshake(self);
    const mutex::guard held = co_await self->writing.lock();
    if (self->closed) throw_errno(ECANCELED, operation, self->peer_text());
    if (self->cut_short || self->engine.has_said_end()) {
        throw_errno(EPIPE, operation, self->peer_text());
    }
    self->cut_short = true;
    std::span rest(static_cast<const std::byte*>(from.data), from.size);
    while (!rest.empty()) {
        const auto piece = rest.first(std::min(rest.size(), piece_max));
        const tls_step step = self->engine.write(piece);
        if (step == tls_step::failed) self->fail(operation, self->engine.error());
        if (step != tls_step::done) {
            co_await self->hear_more(operation);
            continue;
        }
        self->settle();
        co_await self->flush();
        rest = rest.subspan(piece.size());
    }
    self->cut_short = false;
}

template <class Next>
task<> tls_connection<Next>::shutdown_send(tls_connection* self) {
    constexpr const char* operation = "shutdown";
    require_open(self, operation);
    const user here(*self);
    if (!self->engine.is_ready()) co_await handshake(self);
    const mutex::guard held = co_await self->writing.lock();
    if (self->closed) throw_errno(ECANCELED, operation, self->peer_text());
    if (self->cut_short) throw_errno(EPIPE, operation, self->peer_text());
    for (;;) {
        const tls_step step = self->engine.say_end();
        if (step == tls_step::done) break;
        if (step == tls_step::starved) {
            co_await self->hear_more(operation);
            continue;
        }
        const std::error_code none(ENOMEM, std::system_category());
        self->fail(operation, self->engine.error() ? self->engine.error() : none);
    }
    self->settle();
    co_await self->flush();
    self->shut_down = true;
    co_await self->below.shutdown_send();
}

template <class Next>
task<bool> tls_connection<Next>::update_keys(tls_connection* self) {
    constexpr const char* operation = "TLS key update with";
    require_open(self, operation);
    const user here(*self);
    if (!self->engine.is_ready()) co_await handshake(self);
    const mutex::guard held = co_await self->writing.lock();
    if (self->closed) throw_errno(ECANCELED, operation, self->peer_text());
    if (self->cut_short || self->engine.has_said_end()) co_return false;
    const tls_step step = self->engine.update_keys();
    if (step == tls_step::failed) self->fail(operation, self->engine.error());
    co_await self->flush();
    co_return step == tls_step::done;
}

}  // namespace anel::detail
