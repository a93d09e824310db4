// unique_fd.hpp: a descriptor of the system that is closed with its owner.
//
// Knows: that a descriptor is a number to be closed once. Must not know: what it is for.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>

#include <utility>

namespace anel {

/// Owner of a descriptor that no loop knows yet: one that came over a unix socket, say. Move-only.
/// tcp_stream::adopt() and its like take what release() gives.
/// Thread  any, one at a time.
class unique_fd {
public:
    unique_fd() noexcept = default;
    /// Takes `fd`; -1 is none.
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~unique_fd() { close_now(); }

    /// Whether it holds a descriptor.
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    /// The number; -1: it holds none.
    [[nodiscard]] int native_handle() const noexcept { return fd_; }
    /// Gives the descriptor away, open. Returns -1 when there was none.
    [[nodiscard("somebody must close it")]] int release() noexcept {
        return std::exchange(fd_, -1);
    }
    /// Closes it.
    void close_now() noexcept {
        if (fd_ < 0) return;
        detail::operation closing(detail::opcode::close, release());
        (void)detail::control_without_loop(closing);
    }

private:
    int fd_ = -1;
};

}  // namespace anel
