// places.hpp: where a coroutine is, in words.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/frame.hpp>

#include <string>
#include <string_view>

namespace anel::detail {

/// Appends `server.cpp:31`.
inline void append_place(std::string& text, std::string_view path, std::uint64_t line) {
    text.append(path.substr(path.find_last_of('/') + 1)).append(":").append(std::to_string(line));
}

/// Appends the places of a chain of awaits behind `before`, the innermost first:
/// `BEFOREserver.cpp:31 <- server.cpp:57`. Nothing where no place is known.
inline void append_places(std::string& text, std::string_view before, const frame* at) {
    for (; at; at = at->awaiter) {
        if (!at->file) continue;
        append_place(text.append(before), at->file, at->line);
        before = " <- ";
    }
}

}  // namespace anel::detail
