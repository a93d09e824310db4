// framing.hpp: messages on a stream of bytes: each one behind its length, 4 bytes, big-endian.
//
// A limit is never optional: the length is the peer's word, and is checked before anything is
// allocated.
// Knows: streams and readers. Must not know: what a message says.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffered_reader.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace anel {

/// Receives one frame.
/// Returns  its content, which may be empty; nothing when the stream ends before a frame.
/// Errors   errc::message_too_long for more than `size_max` bytes; errc::unexpected_eof when the
///          stream ends inside a frame; those of recv(). After an error, and after a cancel, the
///          place in the stream may be lost: the only sound thing left is to close.
task<std::optional<std::string>> read_frame(tcp_stream& from, std::size_t size_max);

/// The same through a reader: frames that arrived together take one receive, nothing is copied, and
/// a cancel loses nothing: the next call begins with the same frame.
/// Lifetime what it returns is valid until the next read.
task<std::optional<std::string_view>> read_frame(buffered_reader& from, std::size_t size_max);

/// Sends `content` as one frame.
/// Errors   errc::message_too_long for 4 GiB and more; those of send().
/// Lifetime `content` must outlive the co_await.
task<> write_frame(tcp_stream& to, const_buffer content [[clang::lifetimebound]]);

}  // namespace anel
