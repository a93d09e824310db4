// standard_error.hpp: what a test's own process prints to its standard error, while it prints it.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include <poll.h>
#include <unistd.h>

namespace anel::test {

/// While it lives, descriptor 2 is a pipe.
class standard_error {
public:
    standard_error() : former_(::dup(STDERR_FILENO)) {
        EXPECT_EQ(::pipe(pipe_.data()), 0);
        ::dup2(pipe_[1], STDERR_FILENO);
    }
    standard_error(const standard_error&) = delete;
    standard_error& operator=(const standard_error&) = delete;
    ~standard_error() {
        ::dup2(former_, STDERR_FILENO);
        for (const int fd : {former_, pipe_[0], pipe_[1]}) ::close(fd);
    }

    /// Reads on until all of it contains `what`, or nothing comes for 20 s. Returns all of it.
    const std::string& read_until(std::string_view what) {
        while (text_.find(what) == text_.npos && read_more(20'000)) continue;
        return text_;
    }
    /// All that there is now.
    const std::string& read_all() {
        while (read_more(0)) continue;
        return text_;
    }

private:
    bool read_more(int patience_ms) {
        pollfd readable{pipe_[0], POLLIN, 0};
        int ready = 0;
        do ready = ::poll(&readable, 1, patience_ms);
        while (ready < 0 && errno == EINTR);
        if (ready <= 0) return false;
        std::array<char, 4096> piece{};
        const ssize_t got = ::read(pipe_[0], piece.data(), piece.size());
        if (got > 0) text_.append(piece.data(), static_cast<std::size_t>(got));
        return got > 0;
    }

    int former_;
    std::array<int, 2> pipe_{};
    std::string text_;
};

}  // namespace anel::test
