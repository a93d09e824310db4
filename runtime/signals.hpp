// signals.hpp: SIGINT and SIGTERM as bytes that can be received.
// SPDX-License-Identifier: MIT
#pragma once

namespace anel {

/// While it lives, the first SIGINT or SIGTERM makes descriptor() readable; from then on both have
/// the disposition they had before, so that a second one ends a program that does not want to end.
/// Only one object of a process watches at a time; a further one, or one that is not wanted, does
/// nothing, and its descriptor() is -1.
class signal_watch {
public:
    explicit signal_watch(bool wanted);
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;
    ~signal_watch();

    /// A socket on which one byte arrives per signal, or -1.
    [[nodiscard]] int descriptor() const noexcept { return receiving_; }
    /// Gives both signals their former disposition.
    void restore() noexcept;

private:
    int receiving_ = -1;
    int sending_ = -1;
};

}  // namespace anel
