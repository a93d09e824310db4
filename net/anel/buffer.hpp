// buffer.hpp: const_buffer and mutable_buffer: what bytes are sent from and received into.
//
// A byte is a char, a signed or unsigned char (uint8_t), a char8_t or a std::byte. Whatever holds
// them in one piece converts by itself: an array, anything with data() and size() (std::array,
// vector, string, span, string_view, recv_buffer …), or a pointer and a size in braces. All else,
// an array of int say, does not compile: std::as_bytes(std::span(array)) says that its bytes are
// meant.
//
// Knows: memory. Must not know: what is done with it.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

// clang warns of an awaitable that is kept longer than the temporary whose bytes it would send,
// where the attribute stands at declaration and definition; g++ knows no such attribute.
#ifndef __clang__
#pragma GCC diagnostic ignored_attributes "clang::lifetimebound"
#endif

namespace anel {

namespace detail {

template <class T>
concept byte_type =
    std::same_as<T, char> || std::same_as<T, unsigned char> || std::same_as<T, signed char> ||
    std::same_as<T, char8_t> || std::same_as<T, std::byte>;

template <class Range>
using element_of = std::remove_pointer_t<decltype(std::data(std::declval<Range&>()))>;

template <class Range>
concept contiguous_bytes = requires(Range& range) {
    { std::size(range) } -> std::convertible_to<std::size_t>;
    requires byte_type<std::remove_const_t<element_of<Range>>>;
};

/// Elements of a container are const when it is; those of a view, a span say, are not its own.
template <class Range>
concept view_of_others = !std::is_const_v<element_of<const std::remove_reference_t<Range>>>;

template <class T>
concept c_string = std::same_as<std::remove_cvref_t<T>, const char*>;

template <class T>
concept array_of_const_text =
    std::is_array_v<std::remove_reference_t<T>> &&
    (std::same_as<element_of<T>, const char> || std::same_as<element_of<T>, const char8_t>);

/// The bytes are somewhere else: a span, a string_view, or the pointer to a C string.
template <class T>
concept view_to_send = c_string<T> || (contiguous_bytes<T> &&
                                       std::ranges::enable_borrowed_range<std::remove_cvref_t<T>>);

/// They go with the object, if it goes.
template <class T>
concept bytes_to_send = contiguous_bytes<T> && !view_to_send<T>;

template <class T>
concept room_to_receive = contiguous_bytes<T> && !std::is_const_v<element_of<T>> &&
                          (std::is_lvalue_reference_v<T> || view_of_others<T>);

template <class T>
concept byte_or_void = byte_type<std::remove_const_t<T>> || std::is_void_v<T>;

}  // namespace detail

/// Bytes to send: all that a container, a view or an array holds.
///
/// A string literal is sent without the zero that ends it. Its type is that of any array of const
/// char, so of every such array one zero at the very end is left out; arrays that can be written
/// to, and those of other bytes, are sent whole. `const char*` is a C string. A `char*` is refused,
/// because nobody knows what it points to: say {pointer, size}, or std::string_view(pointer).
/// Lifetime a view: the bytes must outlive the co_await. A temporary lives as long as the statement
///          that awaits, `co_await conn.send(make_reply())`: an awaitable of it that is kept for
///          later reads what is gone, which clang warns of.
struct const_buffer {
    const void* data = nullptr;
    std::size_t size = 0;

    /// The bytes of a container or an array.
    template <detail::bytes_to_send Bytes>
    const_buffer(Bytes&& bytes [[clang::lifetimebound]]) noexcept  // NOLINT: implicit on purpose
        : data(std::data(bytes)), size(std::size(bytes)) {
        if constexpr (detail::array_of_const_text<Bytes>) size -= bytes[size - 1] == 0;
    }
    /// The bytes of a view; of a C string those before its zero.
    template <detail::view_to_send View>
    const_buffer(View&& view) noexcept {  // NOLINT: implicit on purpose
        if constexpr (detail::c_string<View>) {
            data = view;
            size = std::string_view(view).size();
        } else {
            data = std::data(view);
            size = std::size(view);
        }
    }
    /// `count` bytes from `bytes` on.
    template <detail::byte_or_void T>
    const_buffer(T* bytes, std::size_t count) noexcept : data(bytes), size(count) {}
};

/// Memory to receive into: what can be written to of a container, a view or an array, whole.
/// Lifetime a view: the memory must outlive the co_await. A temporary container is refused.
struct mutable_buffer {
    void* data = nullptr;
    std::size_t size = 0;

    /// The memory of a container, a view or an array, as long as it is now.
    template <detail::room_to_receive Room>
    mutable_buffer(Room&& room) noexcept  // NOLINT: implicit on purpose
        : data(std::data(room)), size(std::size(room)) {}
    /// `count` bytes from `bytes` on.
    template <detail::byte_or_void T>
        requires(!std::is_const_v<T>)
    mutable_buffer(T* bytes, std::size_t count) noexcept : data(bytes), size(count) {}
};

}  // namespace anel
