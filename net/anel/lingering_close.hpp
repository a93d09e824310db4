// lingering_close.hpp: the end of a conversation whose last reply must arrive, on any stream.
//
// Knows: byte_stream. Must not know: any stream.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/byte_stream.hpp>
#include <anel/detail/erased_stream.hpp>
#include <anel/task.hpp>

#include <chrono>
#include <cstddef>

namespace anel {

namespace detail {
task<> linger_on(stream_ref on, std::chrono::nanoseconds time, std::size_t bytes_max);
}

/// What tcp_stream::lingering_close() does, on any stream: says that no more will be sent, receives
/// and drops what the peer still sends, until its end comes, `time` is up or `bytes_max` were
/// dropped, and closes. A stream that has a function of that name does it its own way.
/// Errors   none: what the peer does meanwhile is its own affair. task_cancelled.
/// Lifetime `stream` must outlive the co_await.
template <byte_stream S>
task<> lingering_close(S& stream, std::chrono::nanoseconds time = std::chrono::seconds(1),
                       std::size_t bytes_max = 64U << 20) {
    if constexpr (requires { stream.lingering_close(time, bytes_max); }) {
        return stream.lingering_close(time, bytes_max);
    } else {
        return detail::linger_on(detail::ref_to(stream), time, bytes_max);
    }
}

}  // namespace anel
