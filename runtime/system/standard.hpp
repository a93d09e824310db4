// standard.hpp: the standard streams of this process, which others share, and files as streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace anel::detail {

struct standard_copy {
    int fd = -1;           ///< above 2, close-on-exec; the caller's to close
    bool is_file = false;  ///< a regular file, where poll(2) tells nothing
    bool is_own = false;   ///< a terminal, opened again: it does not block
};

/// Another descriptor for what 0, 1 or 2 is. Its flags are shared and stay, unless it is a terminal
/// to write to, which is opened again where that may be. Returns 0 or -errno.
std::int32_t copy_standard(int which, standard_copy& made) noexcept;

/// Reads from the file's own position; waits for a disk. Returns bytes, 0 at the end, or -errno.
std::int32_t read_stream(int file, void* into, std::size_t size) noexcept;
/// Writes all of it there; waits for a disk. Returns 0 or -errno.
std::int32_t write_stream(int file, const void* from, std::size_t size) noexcept;

}  // namespace anel::detail
