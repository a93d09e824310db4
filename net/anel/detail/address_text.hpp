// address_text.hpp: IPv4 and IPv6 addresses as text, read and written at compile time or run time.
//
// The reader takes what inet_pton(3) takes and nothing else: a form that programs read differently
// (leading zeros as octal, 127.1, 0x7f.1) lets an address pass a filter and then mean another one.
//
// Knows: digits, and bytes in network order. Must not know: ports, scopes, endpoints.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace anel::detail {

/// Takes a decimal number off the front of `text`; strict, so that no reader can take it for octal.
constexpr std::optional<std::uint32_t> take_decimal(std::string_view& text,
                                                    std::uint32_t max) noexcept {
    std::uint64_t value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
        value = value * 10 + static_cast<std::uint64_t>(text[digits] - '0');
        if (value > max) return std::nullopt;
    }
    if (digits == 0 || (digits > 1 && text[0] == '0')) return std::nullopt;
    text.remove_prefix(digits);
    return static_cast<std::uint32_t>(value);
}

constexpr bool read_ipv4(std::string_view text, std::span<std::uint8_t, 4> out) noexcept {
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (i > 0) {
            if (!text.starts_with('.')) return false;
            text.remove_prefix(1);
        }
        const auto number = take_decimal(text, 255);
        if (!number) return false;
        out[i] = static_cast<std::uint8_t>(*number);
    }
    return text.empty();
}

/// Reads one to four hexadecimal digits.
constexpr std::optional<std::uint16_t> read_hex_field(std::string_view text) noexcept {
    if (text.empty() || text.size() > 4) return std::nullopt;
    unsigned value = 0;
    for (const char c : text) {
        int digit = 0;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        else return std::nullopt;
        value = value * 16 + static_cast<unsigned>(digit);
    }
    return static_cast<std::uint16_t>(value);
}

/// Reads RFC 4291 section 2.2: eight fields; one "::" for one or more; IPv4 for the last two.
constexpr bool read_ipv6(std::string_view text, std::span<std::uint8_t, 16> out) noexcept {
    constexpr std::size_t no_gap = 17;
    std::array<std::uint8_t, 16> bytes{};
    std::size_t size = 0;
    std::size_t gap = no_gap;  // how many bytes stand before "::"
    if (text.starts_with("::")) {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        const std::size_t colon = text.find(':');
        const std::string_view field = text.substr(0, colon);
        if (colon == text.npos && field.find('.') != field.npos) {
            if (size > 12 || !read_ipv4(field, std::span(bytes).subspan(size).first<4>()))
                return false;
            size += 4;
            break;
        }
        const auto value = read_hex_field(field);
        if (!value || size > 14) return false;
        bytes[size] = static_cast<std::uint8_t>(*value >> 8);
        bytes[size + 1] = static_cast<std::uint8_t>(*value & 0xff);
        size += 2;
        if (colon == text.npos) break;
        text.remove_prefix(colon + 1);
        if (text.empty()) return false;
        if (text.front() == ':') {
            if (gap != no_gap) return false;
            gap = size;
            text.remove_prefix(1);
        }
    }
    if (gap == no_gap ? size != 16 : size > 14) return false;
    if (gap == no_gap) gap = size;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = 0;
    for (std::size_t i = 0; i < gap; ++i) out[i] = bytes[i];
    for (std::size_t i = gap; i < size; ++i) out[16 - size + i] = bytes[i];
    return true;
}

/// Writes into a caller's buffer and remembers whether everything fitted.
struct text_writer {
    std::span<char> buffer;
    std::size_t size = 0;
    bool fits = true;

    constexpr void put(char c) noexcept {
        fits = fits && size < buffer.size();
        if (fits) buffer[size++] = c;
    }
    constexpr void put(std::string_view text) noexcept {
        for (const char c : text) put(c);
    }
    constexpr void put_number(std::uint32_t value, std::uint32_t base = 10) noexcept {
        std::array<char, 10> digits{};  // 4294967295 has ten
        std::size_t count = 0;
        do {
            digits[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count > 0) put(digits[--count]);
    }
    constexpr void put_ipv4(std::span<const std::uint8_t, 4> bytes) noexcept {
        for (std::size_t i = 0; i < 4; ++i) {
            if (i > 0) put('.');
            put_number(bytes[i]);
        }
    }
    /// RFC 5952 section 4: the first longest run of at least two zero fields becomes "::".
    constexpr void put_ipv6(std::span<const std::uint8_t, 16> bytes) noexcept {
        std::size_t run_at = 8;
        std::size_t run_size = 1;
        for (std::size_t i = 0, zeros = 0; i < 8; ++i) {
            zeros = bytes[2 * i] == 0 && bytes[2 * i + 1] == 0 ? zeros + 1 : 0;
            if (zeros > run_size) {
                run_size = zeros;
                run_at = i + 1 - zeros;
            }
        }
        for (std::size_t i = 0; i < 8; ++i) {
            if (i == run_at) {
                put("::");
                i += run_size - 1;
                continue;
            }
            if (i > 0 && i != run_at + run_size) put(':');
            put_number(static_cast<std::uint32_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]), 16);
        }
    }
};

}  // namespace anel::detail
