// detached_stream.hpp: a connection between two loops: one accepted it, another one will serve it.
//
// Usually each loop accepts for itself, from a port they share (per_core.hpp). Where one has to
// choose, by what a connection says first, or for an even share, it hands over:
//
//     auto conn = co_await listener.accept();            // in one loop
//     const bool taken = co_await streams.send(detach(std::move(conn)));
//
//     while (auto given = co_await streams.recv()) {     // in another, through a thread_channel
//         auto conn = co_await attach(std::move(*given));
//         group.spawn(session, std::move(conn));
//     }
//
// What is attached is no session of serve(): its limit, timeouts and drain do not reach it. The
// task group that it runs in does.
//
// Knows: descriptors and the loop. Must not know: which backend runs, how it is passed on.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/detail/packed_endpoint.hpp>

#include <utility>

namespace anel {

class tcp_stream;
namespace detail {
class attach_wait;
}

/// A connection that belongs to no loop, from detach(). Move-only. Closes at once when it is
/// dropped, in a channel that nobody reads say.
/// Lifetime  on a simulated network it must not outlive its host, nor leave it.
/// Thread    any, one at a time.
class detached_stream {
public:
    detached_stream() noexcept = default;
    detached_stream(detached_stream&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)),
          home_(std::move(other.home_)),
          peer_(other.peer_),
          said_end_(other.said_end_) {}
    detached_stream& operator=(detached_stream&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(home_, other.home_);
        std::swap(peer_, other.peer_);
        std::swap(said_end_, other.said_end_);
        return *this;
    }
    ~detached_stream() {
        if (fd_ < 0) return;
        detail::operation closing(detail::opcode::close, fd_);
        if (home_) home_.control(detail::opcode::close, fd_);
        else detail::control_without_loop(closing);
    }

    /// Whether it holds a connection: not one that was moved from, or made from nothing.
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    /// The address of the peer.
    [[nodiscard]] endpoint peer_endpoint() const noexcept { return detail::unpack(peer_); }

private:
    friend detached_stream detach(tcp_stream stream) noexcept;
    friend detail::attach_wait;
    detached_stream(int fd, detail::loop_ref home, const detail::packed_endpoint& peer,
                    bool said_end) noexcept
        : fd_(fd), home_(std::move(home)), peer_(peer), said_end_(said_end) {}

    int fd_ = -1;
    detail::loop_ref home_;  // none: any loop may have it
    detail::packed_endpoint peer_;
    bool said_end_ = false;
};

namespace detail {

class attach_wait {
public:
    explicit attach_wait(detached_stream&& given) noexcept : given_(std::move(given)) {}
    bool start(cancel_scope& scope, frame&) noexcept {
        owner_ = &scope.owner();
        return false;
    }
    tcp_stream finish() noexcept;

private:
    detached_stream given_;
    loop* owner_ = nullptr;
};

}  // namespace detail

/// Takes `stream` out of its loop, for another one to attach(). Nothing may be waiting on it, nor
/// may it ever have received with recv(), without a buffer: the loop may hold unread bytes of it.
/// Both are asserted.
[[nodiscard]] detached_stream detach(tcp_stream stream) noexcept;

/// Makes `given` a stream of the loop that runs this task. Never waits, and is not cancelled.
[[nodiscard("co_await it")]] inline detail::attach_wait attach(detached_stream given) noexcept {
    return detail::attach_wait(std::move(given));
}

}  // namespace anel
