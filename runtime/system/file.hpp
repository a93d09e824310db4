// file.hpp: a file to be sent: bringing it into memory, and sending a piece.
//
// Only send_from_file() may be called on a loop's thread: the others wait for a disk, and belong on
// a helper thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>
#include <anel/error.hpp>
#include <anel/file.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace anel::detail {

/// Opening a file on the calling thread, which waits for a disk.
struct file_opener {
    /// A file that is not open yet.
    static readable_file at(std::string path) noexcept { return readable_file(std::move(path)); }
    /// Returns 0 or -errno: -EISDIR for a directory, -EINVAL for another thing that is no regular
    /// file, and for a path with a zero byte.
    static std::int32_t open(readable_file& closed) noexcept;
    /// What is thrown when that failed.
    static io_error failure(std::error_code error, const std::string& path);
};

/// Reads so many bytes, to have them in memory, and has the system begin with as many behind them.
/// Returns 0 or -errno.
std::int32_t read_into_memory(int file, std::uint64_t offset, std::size_t size) noexcept;

/// Reads what is there into `to`. Returns bytes, 0 at the end, or -errno.
std::int32_t read_at(int file, std::uint64_t offset, void* to, std::size_t size) noexcept;

/// Whether what is left, `size` bytes, goes through this process's memory: then the socket may be
/// one that blocks.
constexpr bool is_copied(const file_part& part, std::size_t size) noexcept {
    constexpr std::size_t small = 16 * 1024;
    return size <= part.head.size + small;
}
/// Sends at most `size` bytes of `part`, which is not advanced, on a stream socket, which does not
/// block unless they are copied. Returns bytes; 0 at the end of the file; -errno: -EAGAIN when the
/// socket takes none now; or not_in_memory.
std::int32_t send_from_file(int socket, file_part& part, std::size_t size) noexcept;
inline constexpr std::int32_t not_in_memory = -0x10002;  // below every -errno

}  // namespace anel::detail
