// standard_input.hpp: the lines of the program's standard input, for a task that can be cancelled.
//
// A terminal or a pipe is waited for like a socket and read only when it has something; a file is
// read by a helper thread. O_NONBLOCK is never set: the descriptor is shared with whoever started
// the program.
//
// Knows: operations and the helper threads. Must not know: what a line means.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace anel {

/// Reads standard input. One object a program, and nothing else of it may read there: what has
/// been read beyond a line waits in here. A cancelled read loses nothing.
class standard_input {
public:
    /// Reads nothing yet.
    standard_input() noexcept;

    /// Reads up to the next "\n", which is taken and not returned, nor is a "\r" before it.
    /// Returns  the line, also what the end of the input cut off; nothing at the end.
    /// Errors   errc::message_too_long once a line is longer than `size_max` bytes; EIO, say, of a
    ///          terminal in the background; EBADF on a simulated host, which has none.
    /// Thread   where another process reads the same terminal or pipe, and takes what this one was
    ///          told of, the loop waits for what comes next.
    /// Source   poll(2), read(2).
    task<std::optional<std::string>> read_line(std::size_t size_max = 64U << 10);

private:
    task<std::size_t> read_more();

    std::string held_;
    bool is_file_;
    bool ended_ = false;
};

}  // namespace anel
