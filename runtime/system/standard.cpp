// standard.cpp: fcntl(2), ttyname_r(3), read(2), write(2).
// SPDX-License-Identifier: MIT
#include "runtime/system/standard.hpp"

#include <anel/detail/operation.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace anel::detail {
namespace {

// To poll(2) a terminal has room when it has any: a longer write waits then, for as long as nobody
// reads on the other side. Its master cannot be opened again: that makes another terminal.
int open_terminal_again(int fd, const struct stat& status) noexcept {
    char name[64];
    if (!S_ISCHR(status.st_mode) || ::ttyname_r(fd, name, sizeof name) != 0) return -1;
    if (std::string_view(name).ends_with("ptmx")) return -1;
    const int own = ::open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat found{};
    const bool same = own >= 0 && ::fstat(own, &found) == 0 && found.st_rdev == status.st_rdev;
    if (own < 0 || (same && own > STDERR_FILENO)) return own;
    ::close(own);
    return -1;
}

}  // namespace

std::int32_t copy_standard(int which, standard_copy& made) noexcept {
    made.fd = ::fcntl(which, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (made.fd < 0) return -errno;
    struct stat status{};
    if (::fstat(made.fd, &status) < 0) return 0;
    made.is_file = S_ISREG(status.st_mode);
    if (which == STDIN_FILENO) return 0;
    const int own = open_terminal_again(made.fd, status);
    if (own < 0) return 0;
    ::close(std::exchange(made.fd, own));
    made.is_own = true;
    return 0;
}

std::int32_t read_stream(int file, void* into, std::size_t size) noexcept {
    for (;;) {
        const ssize_t got = ::read(file, into, std::min(size, share_bytes));
        if (got >= 0) return static_cast<std::int32_t>(got);
        if (errno != EINTR) return -errno;
    }
}

std::int32_t write_stream(int file, const void* from, std::size_t size) noexcept {
    const auto* next = static_cast<const std::byte*>(from);
    while (size > 0) {
        const ssize_t put = ::write(file, next, std::min(size, share_bytes));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -errno;
        next += put;
        size -= static_cast<std::size_t>(put);
    }
    return 0;
}

}  // namespace anel::detail
