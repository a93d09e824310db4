// framing.hpp: messages on a stream of bytes: each one behind its length, 4 bytes, big-endian.
//
// A limit is never optional: the length is the peer's word, and is checked before anything is
// allocated.
// Knows: streams and readers. Must not know: what a message says.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/buffered_reader.hpp>
#include <anel/byte_stream.hpp>
#include <anel/detail/erased_stream.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace anel {

namespace detail {
task<std::optional<std::string>> read_frame_of(stream_ref from, std::size_t size_max);
task<> write_frame_to(stream_ref to, const_buffer content);
}  // namespace detail

/// Receives one frame.
/// Returns  its content, which may be empty; nothing when the stream ends before a frame.
/// Errors   errc::message_too_long for more than `size_max` bytes; errc::unexpected_eof when the
///          stream ends inside a frame; those of recv(). After an error, and after a cancel, the
///          place in the stream may be lost: the only sound thing left is to close.
task<std::optional<std::string>> read_frame(tcp_stream& from, std::size_t size_max);
template <byte_stream S>
task<std::optional<std::string>> read_frame(S& from, std::size_t size_max) {
    return detail::read_frame_of(detail::ref_to(from), size_max);
}

/// The same through a reader: frames that arrived together take one receive, nothing is copied, and
/// a cancel loses nothing: the next call begins with the same frame.
/// Lifetime what it returns is valid until the next read.
task<std::optional<std::string_view>> read_frame(buffered_reader& from, std::size_t size_max);

/// Sends `content` as one frame.
/// Errors   errc::message_too_long for 4 GiB and more; those of send().
/// Lifetime `content` must outlive the co_await.
/// Cost     a tcp_stream gets one send, any other stream one of at most a kilobyte, with the
///          length, and one with the rest if there is any.
task<> write_frame(tcp_stream& to, const_buffer content [[clang::lifetimebound]]);
template <byte_stream S>
task<> write_frame(S& to, const_buffer content [[clang::lifetimebound]]) {
    return detail::write_frame_to(detail::ref_to(to), content);
}

}  // namespace anel
