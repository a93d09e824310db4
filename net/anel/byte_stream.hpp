// byte_stream.hpp: what a stream of bytes is: a concept, for code that does not care what carries
// its bytes.
//
// Knows: buffers and awaitables. Must not know: any stream.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>

namespace anel {

class socket_handle;

namespace detail {

template <class A>
concept waits = awaitable<std::remove_reference_t<A>>;

template <class A, class T>
concept waits_for = waits<A> && std::convertible_to<awaited_t<std::remove_reference_t<A>>, T>;

}  // namespace detail

/// A connected stream of bytes: tcp_stream, memory_stream, any_stream, or one of yours.
///
///   recv(mutable_buffer)   gives the bytes received, at least one; 0 at the end, and for an empty
///                          buffer. Cancelled, it has taken no byte.
///   send(const_buffer)     sends all bytes. After an error or a cancel some of them may have been
///                          sent: the only sound thing left is to close.
///   shutdown_send()        tells the peer that no more will be sent. Receiving goes on.
///   close()                ends what other tasks wait for on it with ECANCELED, and closes. A
///                          cancel does not shorten it.
///   peer_text()            names the peer, for the text of an error.
///
/// One task may send while another receives; no two tasks do the same. An end that the stream can
/// tell from one that was cut off is 0, and the other an error, errc::unexpected_eof.
///
/// What a stream may have besides is found out by a requires-expression:
///
///   recv()                 receives into lent memory, and gives a recv_buffer.
///   send(a, b, ...)        sends several buffers as if they were one.
///   lingering_close(time, bytes_max)   see the function of that name.
///   peer_endpoint()        the address of the peer, if it has one.
///   underlying_socket()    a pointer to the socket_handle that carries its bytes; null: none. With
///                          it serve() has timeouts and a drain for the stream. A drain ends the
///                          input of the socket: a stream whose end the peer must say asks for
///                          socket_handle::receive_is_shut_down(), and then gives 0.
template <class S>
concept byte_stream = requires(S& stream, const S& known, mutable_buffer into, const_buffer from) {
    { stream.recv(into) } -> detail::waits_for<std::size_t>;
    { stream.send(from) } -> detail::waits;
    { stream.shutdown_send() } -> detail::waits;
    { stream.close() } -> detail::waits;
    { known.peer_text() } -> std::convertible_to<std::string>;
};

namespace detail {

/// The socket that carries the bytes of a stream, or that a listener accepts on; null: none.
template <class T>
socket_handle* socket_below(T& of) noexcept {
    if constexpr (std::derived_from<T, socket_handle>) return &of;
    else if constexpr (requires { of.underlying_socket(); }) return of.underlying_socket();
    else return nullptr;
}

}  // namespace detail
}  // namespace anel
