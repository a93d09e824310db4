// descriptor.hpp: waits until a descriptor that something else works on can be read or written.
//
//     auto socket = co_await descriptor::borrow(PQsocket(connection));
//     co_await socket.readable();
//
// Nothing is read or written here: a database's library, a GPIO line or an inotify descriptor has
// calls of its own for that. Two tasks may wait on one descriptor for different things.
//
// **Give a borrowed descriptor back before its owner closes it**, with release() or by destroying
// the object. A ring keeps the file open that it waits for, so the peer would see no end. epoll
// forgets it, so the wait would never end, and might meet whoever gets the number next.
//
// Knows: operations and the loop. Must not know: what a descriptor is for.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/io.hpp>
#include <anel/task.hpp>

#include <string>
#include <utility>

namespace anel {

class descriptor;

namespace detail {
class poll_wait;

/// What a poll uses: the descriptor's place for what it waits for. See io.
class descriptor_use {
public:
    descriptor_use(descriptor& on) noexcept : on_(&on) {}  // NOLINT: implicit on purpose
    bool start(used_operation<descriptor_use>& op, cancel_scope& scope, frame& caller) noexcept;
    void finish(operation& op) noexcept;
    static void describe_wait(const operation& op, std::string& text);
    [[nodiscard]] bool is_held() const noexcept;

private:
    descriptor* on_;
};
}  // namespace detail

/// A descriptor that can be waited for. Move-only. Nothing may be waiting when it is moved or
/// destroyed, which is asserted.
/// Lifetime  may outlive its run(); then it can only be released or destroyed.
/// Thread    that of its loop.
class descriptor {
public:
    descriptor() noexcept = default;
    descriptor(descriptor&& other) noexcept { take(other); }
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor() { leave(); }

    /// Waits for what somebody else owns, and closes. It must be given back before that: see above.
    /// Its flags stay as they are. No socket of the library: that has operations of its own.
    /// Errors  `borrow descriptor 7 (…): …` EBADF; EPERM for what cannot be polled, such as a
    ///         regular file, a directory or /dev/null, which are ready at all times; EOPNOTSUPP on
    ///         the simulated network, which has no descriptors of the system.
    /// Cost    never waits. At most seven system calls.
    static task<descriptor> borrow(int fd);
    /// The same, and closes it at its end. On an error the descriptor stays yours.
    static task<descriptor> adopt(int fd);

    /// Waits until it can be read without blocking. A hang-up and an error count as that: the read
    /// will tell.
    /// Errors  EBADF when it is closed; ECANCELED when release() ended it. A cancel loses nothing.
    /// Cost    no allocation. io_uring: one submission. Else a poll(2).
    /// Source  poll(2): POLLIN; io_uring_prep_poll_add(3), epoll_ctl(2).
    [[nodiscard("co_await it")]] detail::poll_wait readable() noexcept;
    /// The same for writing: POLLOUT.
    [[nodiscard("co_await it")]] detail::poll_wait writable() noexcept;
    /// The same for something exceptional: urgent data, an edge of a GPIO line, a file of /proc or
    /// /sys that has changed. POLLPRI.
    [[nodiscard("co_await it")]] detail::poll_wait priority() noexcept;

    /// Gives the descriptor back, or away if it was adopted: from now on its owner may close it.
    /// Tasks that wait on it end with ECANCELED; until they have, this object must stay. With
    /// io_uring the file is let go of with the loop's next turn.
    /// Returns  the descriptor; -1: there was none.
    int release() noexcept;

    /// False once released.
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    /// The number of the descriptor; -1 once it is released or closed.
    [[nodiscard]] int native_handle() const noexcept { return fd_; }

private:
    friend detail::descriptor_use;
    descriptor(detail::loop& owner, int fd, bool owned) noexcept
        : home_(owner), fd_(fd), owned_(owned) {}
    static task<descriptor> hold(int fd, bool owned);
    void take(descriptor& other) noexcept;
    void leave() noexcept;
    void require_idle(const char* rule) const noexcept;

    detail::loop_ref home_;
    int fd_ = -1;
    bool owned_ = false;
    detail::operation* pending_[3] = {};  // by poll_for
};

namespace detail {

inline bool descriptor_use::is_held() const noexcept { return on_->is_open(); }

class poll_wait : public io<poll_wait, descriptor_use> {
public:
    poll_wait(descriptor& on, poll_for what) noexcept
        : io(on, opcode::poll, nullptr, 0, static_cast<std::uint32_t>(what)) {}
    std::error_code failure() const noexcept;
    void value() const noexcept {}
    io_error describe(std::error_code error) const;
};

}  // namespace detail

inline detail::poll_wait descriptor::readable() noexcept {
    return {*this, detail::poll_for::reading};
}
inline detail::poll_wait descriptor::writable() noexcept {
    return {*this, detail::poll_for::writing};
}
inline detail::poll_wait descriptor::priority() noexcept {
    return {*this, detail::poll_for::priority};
}

}  // namespace anel
