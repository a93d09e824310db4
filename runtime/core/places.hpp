// places.hpp: where a coroutine is, in words.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/frame.hpp>

#include <string>
#include <string_view>

namespace anel::detail {

/// Appends the places of a chain of awaits behind `before`, the innermost first:
/// `BEFOREserver.cpp:31 <- server.cpp:57`. Nothing where no place is known.
inline void append_places(std::string& text, std::string_view before, const frame* at) {
    for (; at; at = at->awaiter) {
        if (!at->file) continue;
        const std::string_view path = at->file;
        const auto name = path.substr(path.find_last_of('/') + 1);
        text.append(before).append(name).append(":").append(std::to_string(at->line));
        before = " <- ";
    }
}

}  // namespace anel::detail
