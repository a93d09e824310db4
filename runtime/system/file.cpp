// file.cpp: opening files, and sending pieces of them, without a copy through this process where
// the system can and it pays.
// SPDX-License-Identifier: MIT
#include "runtime/system/file.hpp"

#include "runtime/system/system.hpp"

#include <anel/offload.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace anel {
using namespace detail;
namespace {

// Where bytes have to be copied they are on the stack: no memory is held while a peer is waited
// for.
using copied_piece = std::array<std::byte, 16 * 1024>;

std::chrono::system_clock::time_point modified_of(const struct stat& status) noexcept {
#ifdef __APPLE__
    const timespec& at = status.st_mtimespec;
#else
    const timespec& at = status.st_mtim;
#endif
    const auto since = std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
    using clock = std::chrono::system_clock;
    return clock::time_point(std::chrono::duration_cast<clock::duration>(since));
}

std::int32_t sent_or_errno(ssize_t sent) noexcept {
    return sent < 0 ? -errno : static_cast<std::int32_t>(sent);
}

// One call for a head and a small file, and for the rest of a large one.
std::int32_t send_copied(int socket, const file_part& part, std::size_t size) noexcept {
    copied_piece buffer;
    const bool known = part.in_memory_until > part.offset;
    size = std::min(size, buffer.size());
    const std::int32_t got = known ? read_at(part.fd, part.offset, buffer.data(), size)
                                   : read_at_once(part.fd, part.offset, buffer.data(), size);
    if (!known && (got == -EAGAIN || got == -EOPNOTSUPP)) return not_in_memory;
    if (got <= 0) return got;
    iovec pieces[] = {{part.head.data, part.head.size},
                      {buffer.data(), static_cast<std::size_t>(got)}};
    msghdr both{};
    both.msg_iov = pieces;
    both.msg_iovlen = 2;
    return sent_or_errno(::sendmsg(socket, &both, MSG_DONTWAIT | no_signal));
}

}  // namespace

readable_file::readable_file(readable_file&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      modified_(other.modified_),
      path_(std::move(other.path_)) {}

readable_file& readable_file::operator=(readable_file&& other) noexcept {
    if (this == &other) return *this;
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    size_ = other.size_;
    modified_ = other.modified_;
    path_ = std::move(other.path_);
    return *this;
}

readable_file::~readable_file() {
    if (fd_ >= 0) ::close(fd_);
}

std::int32_t detail::file_opener::open(readable_file& closed) noexcept {
    ANEL_ASSERT(closed.fd_ < 0);
    if (closed.path_.find('\0') != std::string::npos) return -EINVAL;
    // Not blocking: the open of a pipe without a writer would wait for one.
    closed.fd_ = ::open(closed.path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (closed.fd_ < 0) return -errno;
    struct stat status{};
    if (::fstat(closed.fd_, &status) < 0) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    closed.size_ = static_cast<std::uint64_t>(status.st_size);
    closed.modified_ = modified_of(status);
    return 0;
}

io_error detail::file_opener::failure(std::error_code error, const std::string& path) {
    std::string what = path;
    if (const auto zero = path.find('\0'); zero != path.npos) {
        what = path.substr(0, zero) + ", with a zero byte behind it";
    } else if (error == std::errc::invalid_argument) {
        what += ", not a regular file";
    }
    return io_error(error, "open", what);
}

task<readable_file> readable_file::open(std::string path) {
    readable_file made(std::move(path));
    const auto on_helper = [&]() noexcept { return detail::file_opener::open(made); };
    const std::int32_t error = co_await offload(on_helper);
    if (error < 0)
        throw detail::file_opener::failure({-error, std::system_category()}, made.path());
    co_return made;
}

std::int32_t detail::read_at(int file, std::uint64_t offset, void* to, std::size_t size) noexcept {
    for (;;) {
        const ssize_t got = ::pread(file, to, size, static_cast<off_t>(offset));
        if (got >= 0) return static_cast<std::int32_t>(got);
        if (errno != EINTR) return -errno;
    }
}

std::int32_t detail::read_into_memory(int file, std::uint64_t offset, std::size_t size) noexcept {
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

std::int32_t detail::send_from_file(int socket, file_part& part, std::size_t size) noexcept {
    if (part.head.size < size && is_copied(part, size))
        return send_copied(socket, part, size - part.head.size);
    const std::size_t head = std::min(part.head.size, size);
    size -= head;
    if (size > 0 && part.in_memory_until <= part.offset) {
        if (!in_memory(part.fd, part.offset, size)) return not_in_memory;
        part.in_memory_until = part.offset + size;
    }
    if (head > 0) {
        const int more = size > 0 ? more_follows : 0;  // the file comes with the next call
        return sent_or_errno(::send(socket, part.head.data, head, MSG_DONTWAIT | no_signal | more));
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
