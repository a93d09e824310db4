// buffered_reader.hpp: lines and pieces of known size out of a stream of bytes, whatever pieces
// they arrive in.
//
// What has been received and not returned stays in the buffer, also when a read is cancelled or
// timed out: the next one finds it.
// Knows: tcp_stream. Invariant: the buffer never grows past the limit of the call plus a delimiter.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>
#include <anel/tcp.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace anel {

/// Reads a stream through a buffer of its own. One read at a time; what a read returns is valid
/// until the next call.
/// Lifetime  the stream must outlive it and stay where it is.
class buffered_reader {
public:
    /// Reads from `from`. What it has received and not returned, a receive on `from` does not see.
    explicit buffered_reader(tcp_stream& from) noexcept : from_(from) {}

    /// Reads up to the next "\n", which is taken and not returned, nor is a "\r" before it.
    /// Returns  the line; nothing at the end of the stream.
    /// Errors   errc::message_too_long once a line is longer than `size_max` bytes;
    ///          errc::unexpected_eof when the stream ends inside a line; those of recv().
    task<std::optional<std::string_view>> read_line(std::size_t size_max);

    /// Reads up to the next `delimiter`, which must not be empty; it is taken and not returned.
    /// Returns  what was before it; nothing at the end of the stream.
    /// Errors   like read_line().
    /// Lifetime the bytes of `delimiter` must outlive the co_await.
    task<std::optional<std::string_view>> read_until(const_buffer delimiter, std::size_t size_max);

    /// Reads `size` bytes.
    /// Errors   errc::message_too_long, before anything is read or allocated, when `size` is more
    ///          than `size_max`; errc::unexpected_eof when the stream ends before; those of recv().
    task<std::string_view> read_exact(std::size_t size, std::size_t size_max);

    /// Waits until something is there to be read: the idle time before a request, say, which is not
    /// part of the request's own timeout.
    /// Returns  false at the end of the stream.
    /// Errors   those of recv().
    task<bool> wait();

    /// Bytes received and not yet returned: a further whole line may be among them.
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }
    /// True when read_line() can answer without waiting.
    [[nodiscard]] bool line_ready() const noexcept;

private:
    friend task<std::optional<std::string_view>> read_frame(buffered_reader& from,
                                                            std::size_t size_max);

    [[nodiscard]] std::string_view held() const noexcept {
        return {buffer_.data() + begin_, buffered()};
    }
    std::span<char> room(std::size_t size_max);
    task<bool> hold(std::size_t size, const char* reading);
    std::string_view take(std::size_t size, std::size_t delimiter = 0) noexcept;
    [[noreturn]] void ended_early(const char* reading) const;

    tcp_stream& from_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;  // first byte not returned yet
    std::size_t end_ = 0;    // behind the last byte received
};

}  // namespace anel
