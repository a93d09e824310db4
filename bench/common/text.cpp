// text.cpp: numbers, durations and tables as text for a terminal.
//
// See text.hpp.
//
// SPDX-License-Identifier: MIT
#include "common/text.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace anel_bench {

std::string format(const char* layout, ...) {
    std::va_list arguments;
    va_start(arguments, layout);
    std::va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, layout, arguments);
    va_end(arguments);
    std::string text(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
    std::vsnprintf(text.data(), text.size() + 1, layout, again);
    va_end(again);
    return text;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
    return digits;
}

std::string size_text(std::size_t bytes) {
    return bytes % 1024 == 0 ? format("%zu KiB", bytes / 1024) : format("%zu B", bytes);
}

std::string human(std::chrono::nanoseconds duration) {
    struct unit {
        double ns;
        const char* name;
    };
    constexpr std::array units{unit{1, "ns"}, unit{1e3, "µs"}, unit{1e6, "ms"}, unit{1e9, "s"}};
    const auto ns = static_cast<double>(duration.count());
    auto chosen = units.begin();
    // 999.5 would round up to "1000": the next unit begins there.
    while (chosen + 1 != units.end() && ns / chosen->ns >= 999.5) ++chosen;
    const double value = ns / chosen->ns;
    const int decimals = chosen == units.begin() || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return format("%.*f %s", decimals, value, chosen->name);
}

std::size_t width(std::string_view text) {
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    return text.size() -
           static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

std::string wrapped(std::string_view text) {
    constexpr std::size_t columns = 100;
    std::string lines;
    std::size_t used = 0;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        if (used > 0 && used + 1 + width(word) > columns) {
            lines += "\n ";
            used = 1;
        }
        if (used > 0) lines += ' ';
        lines += word;
        used += width(word) + (used > 0 ? 1 : 0);
    }
    return lines + "\n";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        if (widths.size() < row.size()) widths.resize(row.size());
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string padding(widths[i] - width(row[i]), ' ');
            if (i > 0) text += "  " + padding + row[i];
            else text += row[i] + padding;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

}  // namespace anel_bench
