// signals.hpp: signals as bytes that can be received, by any number of watchers in one process.
//
// Knows: handlers and the socket pairs they write to. Must not know: loops, coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace anel::detail {

/// Turns signals into bytes on a socket. Each object of a process that watches a signal is told of
/// it. A child of fork() inherits none of that: its signals are its own.
class signal_watch {
public:
    static constexpr int largest_number = 64;  // Linux's
    /// What the handler sees of a watch: they are a list.
    struct listener {
        std::atomic<listener*> next{nullptr};
        std::atomic<int> socket{-1};
        std::atomic<bool> watches[largest_number + 1]{};
    };

    signal_watch() noexcept = default;
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;
    /// Gives every signal that nobody else watches its former disposition.
    ~signal_watch();

    /// Opens the socket. Returns 0 or -errno.
    int open() noexcept;
    [[nodiscard]] bool is_open() const noexcept { return receiving_ >= 0; }
    /// The socket on which one byte arrives per signal, its number.
    [[nodiscard]] int descriptor() const noexcept { return receiving_; }

    [[nodiscard]] bool watches(int number) const noexcept {
        return listener_.watches[number].load();
    }
    /// Where such bytes are written.
    [[nodiscard]] int writing_descriptor() const noexcept { return listener_.socket.load(); }

    enum class ignored : bool { stays, is_watched };
    /// Watches `number`, 1..largest_number, for which one that the parent ignored may be left as it
    /// is. Returns 0 or -errno.
    int add(int number, ignored when_ignored) noexcept;
    /// Watches `number` no more; when nobody does, its former disposition is back.
    void remove(int number) noexcept;
    void remove_all() noexcept;
    /// A signal that arrived and was not received, or 0.
    [[nodiscard]] int take_unread() const noexcept;
    /// Whether any object of this process watches `number`.
    [[nodiscard]] static bool is_watched(int number) noexcept;

private:
    int receiving_ = -1;
    int process_ = 0;  // that opened it
    listener listener_;
};

}  // namespace anel::detail
