// buffered_reader.hpp: lines out of a stream of bytes, whatever pieces they arrive in.
//
// Knows: tcp_stream. Invariant: the buffer never grows past the limit of the call plus a line's
// end.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>
#include <anel/tcp.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace anel {

/// Reads a stream through a buffer of its own.
/// Lifetime  the stream must outlive it and stay where it is.
class buffered_reader {
public:
    explicit buffered_reader(tcp_stream& from) noexcept : from_(from) {}

    /// Reads up to the next "\n", which is taken and not returned, nor is a "\r" before it.
    /// Returns  the line, valid until the next call; nothing at the end of the stream.
    /// Errors   errc::message_too_long once a line is longer than `size_max` bytes;
    ///          errc::unexpected_eof when the stream ends inside a line; those of recv().
    [[nodiscard]] task<std::optional<std::string_view>> read_line(std::size_t size_max);

    /// Bytes received and not yet returned: a further whole line may be among them.
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }
    /// True when read_line() can answer without waiting.
    [[nodiscard]] bool line_ready() const noexcept;

private:
    void make_room(std::size_t size_max);

    tcp_stream& from_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;    // first byte not returned yet
    std::size_t end_ = 0;      // behind the last byte received
    std::size_t scanned_ = 0;  // no "\n" before this
};

}  // namespace anel
