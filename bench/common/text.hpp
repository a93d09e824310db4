// text.hpp: numbers, durations and tables as text for a terminal.
//
// Pure functions from values to strings; prints nothing itself. Widths count characters, not bytes,
// because cells hold `±` and `µ`.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anel_bench {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* layout, ...);

/// 1234567 → "1,234,567".
std::string grouped(std::uint64_t number);

/// Bytes: "64 B", "16 KiB".
std::string size_text(std::size_t bytes);

/// A duration with three significant digits and its unit: "950 ns", "12.3 µs", "1.20 ms".
std::string human(std::chrono::nanoseconds duration);

/// Columns padded to their widest cell, two spaces apart; the first is left-aligned, the others
/// right-aligned; trailing spaces removed. Row 0 is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// Text broken at spaces into lines of at most 100 columns, all but the first indented by two.
std::string wrapped(std::string_view text);

/// How many terminal columns UTF-8 text takes, for text without wide or combining characters.
std::size_t width(std::string_view text);

}  // namespace anel_bench
