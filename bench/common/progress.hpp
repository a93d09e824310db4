// progress.hpp: one line on the terminal that says what runs and how much time is left.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace anel_bench {

/// Nothing at all is shown when stderr is not a terminal.
class progress {
public:
    using clock = std::chrono::steady_clock;

    /// `work`: how long all steps are expected to take.
    explicit progress(std::chrono::nanoseconds work) : left_(work) {}
    ~progress() { erase(); }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Begins a step that is expected to take so long.
    void step(const std::string& what, std::chrono::nanoseconds takes) {
        const auto left =
            std::chrono::ceil<std::chrono::seconds>(std::chrono::duration<double>(left_) * pace())
                .count();
        if (shown_) {
            std::fprintf(stderr, "\r\033[K%lld:%02lld left  %s", static_cast<long long>(left / 60),
                         static_cast<long long>(left % 60), what.c_str());
        }
        left_ -= takes;
        done_ += takes;
    }
    void erase() const {
        if (shown_) std::fprintf(stderr, "\r\033[K");
    }

private:
    /// How the steps so far compare with what was expected of them.
    [[nodiscard]] double pace() const {
        if (done_ < std::chrono::seconds(5)) return 1;
        return std::chrono::duration<double>(clock::now() - begin_) /
               std::chrono::duration<double>(done_);
    }

    bool shown_ = isatty(STDERR_FILENO) != 0;
    clock::time_point begin_ = clock::now();
    std::chrono::nanoseconds left_;
    std::chrono::nanoseconds done_{0};
};

}  // namespace anel_bench
