// file.cpp: sending pieces of files, without a copy through this process where the system can.
// SPDX-License-Identifier: MIT
#include "runtime/file.hpp"

#include "runtime/system.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace anel {
namespace {

// Where bytes have to be copied they are on the stack: no memory is held while a peer is waited
// for.
using copied_piece = std::array<std::byte, 16 * 1024>;

std::int32_t send_copied(int socket, const file_part& part, std::size_t size) noexcept {
    copied_piece buffer;
    const std::int32_t got =
        read_at(part.fd, part.offset, buffer.data(), std::min(size, buffer.size()));
    if (got <= 0) return got;
    const ssize_t sent =
        ::send(socket, buffer.data(), static_cast<std::size_t>(got), MSG_DONTWAIT | no_signal);
    return sent < 0 ? -errno : static_cast<std::int32_t>(sent);
}

}  // namespace

readable_file::~readable_file() {
    if (fd_ >= 0) ::close(fd_);
}

std::int32_t readable_file::open(const char* path) noexcept {
    // Not blocking: the open of a pipe without a writer would wait for one.
    fd_ = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd_ < 0) return -errno;
    struct stat status{};
    if (::fstat(fd_, &status) < 0) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    size_ = static_cast<std::uint64_t>(status.st_size);
    return 0;
}

std::int32_t read_at(int file, std::uint64_t offset, void* to, std::size_t size) noexcept {
    for (;;) {
        const ssize_t got = ::pread(file, to, size, static_cast<off_t>(offset));
        if (got >= 0) return static_cast<std::int32_t>(got);
        if (errno != EINTR) return -errno;
    }
}

std::int32_t read_into_memory(int file, std::uint64_t offset, std::size_t size) noexcept {
#ifdef POSIX_FADV_WILLNEED  // not on macOS
    const auto behind = static_cast<off_t>(offset + size);
    (void)::posix_fadvise(file, behind, static_cast<off_t>(size), POSIX_FADV_WILLNEED);
#endif
    copied_piece buffer;
    for (std::size_t done = 0; done < size;) {
        const std::int32_t got =
            read_at(file, offset + done, buffer.data(), std::min(size - done, buffer.size()));
        if (got <= 0) return got;
        done += static_cast<std::size_t>(got);
    }
    return 0;
}

std::int32_t send_from_file(int socket, file_part& part, std::size_t size) noexcept {
    if (part.in_memory_until <= part.offset) {
        if (!in_memory(part.fd, part.offset, size)) return not_in_memory;
        part.in_memory_until = part.offset + size;
    }
    // The rest is looked for when this has gone.
    size =
        static_cast<std::size_t>(std::min<std::uint64_t>(size, part.in_memory_until - part.offset));
    const std::int32_t sent = send_uncopied(socket, part.fd, part.offset, size);
    // Not every file system can do that, and not every system.
    const bool cannot = sent == -EINVAL || sent == -ENOSYS || sent == -EOPNOTSUPP;
    return cannot ? send_copied(socket, part, size) : sent;
}

}  // namespace anel
