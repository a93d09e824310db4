// signals.hpp: signals as bytes that can be received.
//
// Knows: handlers and the socket pair they write to. Must not know: loops, coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

#include <utility>
#include <vector>

namespace anel {

/// Turns signals into bytes on a socket. Only one object of a process watches at a time: a handler
/// gets no argument, so there is one place where it looks for the socket.
class signal_watch {
public:
    signal_watch() noexcept = default;
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;
    /// Gives every signal its former disposition.
    ~signal_watch();

    /// Opens the socket. Returns 0 or -errno; -EBUSY when another object watches.
    int open() noexcept;
    [[nodiscard]] bool is_open() const noexcept { return receiving_ >= 0; }
    /// The socket on which one byte arrives per signal, its number.
    [[nodiscard]] int descriptor() const noexcept { return receiving_; }

    enum class ignored : bool { stays, is_watched };
    /// Watches `number`, for which one that the parent ignored may be left as it is.
    /// Returns 0 or -errno. Errors: std::bad_alloc.
    int add(int number, ignored when_ignored);
    /// Gives `number` its former disposition.
    void remove(int number) noexcept;
    void remove_all() noexcept;
    /// A signal that arrived and was not received, or 0.
    [[nodiscard]] int take_unread() const noexcept;

private:
    int receiving_ = -1;
    int sending_ = -1;
    std::vector<std::pair<int, struct sigaction>> former_;
};

}  // namespace anel
