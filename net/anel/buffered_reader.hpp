// buffered_reader.hpp: lines and pieces of known size out of a stream of bytes, whatever pieces
// they arrive in.
//
// What has been received and not returned stays in the buffer, also when a read is cancelled or
// timed out: the next one finds it.
// Knows: any byte_stream, through its table. Invariant: the buffer never grows past the limit of
// the call plus a delimiter.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/erased_stream.hpp>
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
/// Cost      one type for all streams. Where that is no tcp_stream, a receive is called through a
///           table.
class buffered_reader {
public:
    /// Reads from `from`. What it has received and not returned, a receive on `from` does not see.
    explicit buffered_reader(tcp_stream& from) noexcept : from_{&from, nullptr} {}
    template <byte_stream S>
    explicit buffered_reader(S& from) noexcept : from_(detail::ref_to(from)) {}

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

    /// For a parser of one's own: receives once, and adds that to what is held().
    /// Returns  bytes received; 0 at the end of the stream, whatever is held.
    /// Errors   errc::message_too_long when `size_max` bytes or more are held; those of recv(). A
    ///          receive may bring some more than that: there is room for 4 KiB in any case.
    task<std::size_t> fill(std::size_t size_max = 64U << 10);
    /// The bytes received and not yet returned or consumed, in place.
    /// Lifetime the view is good until the next read or fill().
    [[nodiscard]] std::string_view held() const noexcept {
        return {buffer_.data() + begin_, buffered()};
    }
    /// Drops the first `size` of the bytes held: they have been parsed. Nothing is copied, and a
    /// view of them stays good until the next read or fill().
    void consume(std::size_t size) noexcept;

    /// Bytes received and not yet returned: a further whole line may be among them.
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }
    /// True when read_line() can answer without waiting.
    [[nodiscard]] bool line_ready() const noexcept;

private:
    friend task<std::optional<std::string_view>> read_frame(buffered_reader& from,
                                                            std::size_t size_max);

    class receiving;
    receiving receive(std::size_t size_max);
    std::span<char> room(std::size_t size_max);
    task<bool> hold(std::size_t size, const char* reading);
    std::string_view take(std::size_t size, std::size_t delimiter = 0) noexcept;
    [[noreturn]] void ended_early(const char* reading) const;

    detail::stream_ref from_;  // without a table: a tcp_stream
    std::vector<char> buffer_;
    std::size_t begin_ = 0;  // first byte not returned yet
    std::size_t end_ = 0;    // behind the last byte received
};

}  // namespace anel
