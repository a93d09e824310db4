// hostname.hpp: what may be handed to a resolver as a name.
//
// The check comes before the resolver, and nothing is cut to fit: a resolver that stops at a NUL or
// at a length limit looks up another name than the one that was approved (CVE-2024-24806).
//
// Knows: the bytes of a name. Must not know: resolvers, and whether a name exists.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/endpoint.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace anel {

/// Why a text is not a hostname.
enum class hostname_error : std::uint8_t {
    none,
    empty,
    too_long,
    label_empty,
    label_too_long,
    embedded_nul,
    space_or_control,
    non_ascii,
    bad_character,
    ambiguous_number,
};

/// Longest hostname in bytes, a trailing dot not counted: 255 on the wire, RFC 1035 section 2.3.4.
inline constexpr std::size_t hostname_size_max = 253;
/// Longest part between two dots, in bytes, RFC 1035 section 2.3.4.
inline constexpr std::size_t label_size_max = 63;

/// Returns the reason in words, without the text it is about.
[[nodiscard]] constexpr std::string_view error_text(hostname_error error) noexcept {
    switch (error) {
        case hostname_error::none: return "no error";
        case hostname_error::empty: return "it is empty";
        case hostname_error::too_long: return "it is longer than 253 bytes";
        case hostname_error::label_empty:
            return "a label is empty: two dots, or a dot at the start";
        case hostname_error::label_too_long: return "a label is longer than 63 bytes";
        case hostname_error::embedded_nul: return "it contains a NUL byte";
        case hostname_error::space_or_control: return "it contains a space or a control character";
        case hostname_error::non_ascii:
            return "it contains non-ASCII bytes: IDN must be given as punycode (xn--...)";
        case hostname_error::bad_character:
            return "only letters, digits, '-', '_' and '.' are allowed";
        case hostname_error::ambiguous_number:
            return "it looks like a number, but an IPv4 address is four numbers 0..255 without "
                   "leading zeros";
    }
    return "unknown error";
}

namespace detail {

constexpr hostname_error check_hostname_byte(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return hostname_error::embedded_nul;
    if (byte < 0x21 || byte == 0x7f) return hostname_error::space_or_control;
    if (byte >= 0x80) return hostname_error::non_ascii;
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    return allowed ? hostname_error::none : hostname_error::bad_character;
}

/// Whether inet_aton(3), which resolvers try first, would read `label` as the end of an address.
constexpr bool is_number(std::string_view label) noexcept {
    const bool hex = label.starts_with("0x") || label.starts_with("0X");
    if (hex) label.remove_prefix(2);
    return std::ranges::all_of(label, [hex](char c) {
        return (c >= '0' && c <= '9') ||
               (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
    });
}

}  // namespace detail

/// Checks that `host` is a name to resolve, or a strict IPv4 address. One trailing dot is allowed.
/// Returns  none, or the first reason why it must not reach a resolver.
/// Cost     no allocation; one pass over at most 254 bytes.
[[nodiscard]] constexpr hostname_error check_hostname(std::string_view host) noexcept {
    if (host.empty()) return hostname_error::empty;
    std::string_view name = host;
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.size() > hostname_size_max) return hostname_error::too_long;
    for (const char c : name) {
        if (const auto error = detail::check_hostname_byte(c); error != hostname_error::none)
            return error;
    }
    std::string_view label;
    for (std::size_t dot = 0; dot != name.npos;) {
        dot = name.find('.');
        label = name.substr(0, dot);
        if (label.empty()) return hostname_error::label_empty;
        if (label.size() > label_size_max) return hostname_error::label_too_long;
        if (dot != name.npos) name.remove_prefix(dot + 1);
    }
    // 127.1, 0x7f.1 and 010.0.0.1 are 127.0.0.1 or 8.0.0.1 to some readers and names to others.
    if (detail::is_number(label) && !endpoint::parse_host(host, 0))
        return hostname_error::ambiguous_number;
    return hostname_error::none;
}

}  // namespace anel
