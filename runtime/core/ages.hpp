// ages.hpp: how long something takes, in words: 12 ms, 3.2 s, 14 min.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/time.hpp>

#include <string>

namespace anel::detail {

inline void append_age(std::string& text, duration age) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
    if (ms < 1000) {
        text.append(std::to_string(ms)).append(" ms");
    } else if (ms < 120'000) {
        text.append(std::to_string(ms / 1000)).append(".");
        text.append(std::to_string(ms % 1000 / 100)).append(" s");
    } else {
        text.append(std::to_string(ms / 60'000)).append(" min");
    }
}

}  // namespace anel::detail
