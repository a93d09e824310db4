// any_stream.hpp: any_stream: a byte_stream of any type, behind one type of its own.
//
// Knows: the table of a stream. Must not know: any type of stream.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/byte_stream.hpp>
#include <anel/detail/erased_stream.hpp>
#include <anel/endpoint.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace anel {

/// Owns a stream of some type, which is chosen at run time: a server with and without TLS, say, is
/// one program. Whatever takes a byte_stream takes it. Move-only; an empty one is closed.
/// Lifetime  may be moved while a task waits on it. What it holds stays where it is.
/// Cost      an allocation when it is made; none for an operation. A stream whose awaiter has more
///           than 96 bytes is awaited in a coroutine: a frame, recycled.
class any_stream {
public:
    any_stream() noexcept = default;
    /// Holds `stream` from now on.
    template <class S>
        requires(!std::same_as<S, any_stream> && byte_stream<S> && std::move_constructible<S>)
    any_stream(S stream)  // NOLINT: implicit on purpose
        : stream_(new S(std::move(stream))), table_(&detail::table_of<S>()) {}
    any_stream(any_stream&& other) noexcept;
    any_stream& operator=(any_stream&& other) noexcept;
    ~any_stream() { table_->destroy(stream_); }

    /// Receives as the stream that it holds does: at least one byte, at most `buffer.size`.
    /// Returns  bytes received; 0 at the end of the stream, or when `buffer` is empty.
    /// Errors   those of the stream; EBADF when empty.
    /// Lifetime `buffer` must outlive the co_await.
    [[nodiscard("co_await it")]] detail::erased_recv recv(mutable_buffer buffer) noexcept {
        return {ref(), buffer};
    }
    /// Sends all bytes of `buffer`.
    /// Errors   those of the stream; EBADF when empty.
    /// Lifetime `buffer` must outlive the co_await.
    [[nodiscard("co_await it")]] detail::erased_send send(const_buffer buffer
                                                          [[clang::lifetimebound]]) noexcept {
        return {ref(), buffer};
    }
    /// Tells the peer that no more will be sent. Receiving goes on.
    /// Errors   those of the stream; EBADF when empty.
    [[nodiscard("co_await it")]] detail::erased_shutdown shutdown_send() noexcept {
        return detail::erased_shutdown(ref());
    }
    /// Closes as the stream that it holds does, which it still holds.
    [[nodiscard("co_await it")]] detail::erased_close close() noexcept {
        return detail::erased_close(ref());
    }
    /// The name of the peer, for the text of an error; nothing when empty.
    [[nodiscard]] std::string peer_text() const { return table_->peer_text(stream_); }
    /// The address of the peer; `0.0.0.0:0` of a stream that tells none.
    [[nodiscard]] endpoint peer_endpoint() const { return table_->peer_endpoint(stream_); }
    /// The socket that carries the bytes; null: none.
    [[nodiscard]] socket_handle* underlying_socket() noexcept {
        return table_->underlying_socket(stream_);
    }

    /// Whether it holds a stream.
    explicit operator bool() const noexcept { return stream_ != nullptr; }
    /// The stream that it holds, if that is an `S`; else null.
    template <byte_stream S>
    [[nodiscard]] S* get_if() noexcept {
        return stream_ && table_ == &detail::table_of<S>() ? static_cast<S*>(stream_) : nullptr;
    }
    /// For the library: the stream and its table.
    [[nodiscard]] detail::stream_ref ref() noexcept { return {stream_, table_}; }

private:
    void* stream_ = nullptr;
    const detail::stream_table* table_ = &detail::empty_table;
};

namespace detail {

/// The stream that is used: of an any_stream what it holds now.
inline stream_ref resolved(stream_ref of) noexcept {
    return of.table == &holder_table ? static_cast<any_stream*>(of.stream)->ref() : of;
}

}  // namespace detail
}  // namespace anel
