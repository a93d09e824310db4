// file.hpp: a file to be sent: opening it, looking whether it is in memory, and sending a piece.
//
// Only send_from_file() and in_memory() may be called on a loop's thread: the others wait for a
// disk, and belong on a helper thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/operation.hpp>

#include <cstddef>
#include <cstdint>

namespace anel {

/// A regular file, open for reading.
class readable_file {
public:
    readable_file() noexcept = default;
    readable_file(const readable_file&) = delete;
    readable_file& operator=(const readable_file&) = delete;
    ~readable_file();

    /// Returns 0 or -errno: -EISDIR for a directory, -EINVAL for another thing that is no file.
    std::int32_t open(const char* path) noexcept;
    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    /// Bytes that it had when it was opened.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

private:
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

/// Reads so many bytes, to have them in memory, and has the system begin with as many behind them.
/// Returns 0 or -errno.
std::int32_t read_into_memory(int file, std::uint64_t offset, std::size_t size) noexcept;

/// Reads what is there into `to`. Returns bytes, 0 at the end, or -errno.
std::int32_t read_at(int file, std::uint64_t offset, void* to, std::size_t size) noexcept;

/// Sends at most `size` bytes of `part`, which is not advanced, on a non-blocking stream socket.
/// Returns bytes; 0 at the end of the file; -errno: -EAGAIN when the socket takes none now; or
/// not_in_memory.
std::int32_t send_from_file(int socket, file_part& part, std::size_t size) noexcept;
inline constexpr std::int32_t not_in_memory = -0x10002;  // below every -errno

}  // namespace anel
