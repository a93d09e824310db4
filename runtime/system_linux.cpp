// system_linux.cpp: system.hpp with the calls that Linux has.
// SPDX-License-Identifier: MIT
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)

#include "runtime/system.hpp"

#include <anel/error.hpp>

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace anel {
namespace {
constexpr int kind_flags(blocking mode) {
    return SOCK_CLOEXEC | (mode == blocking::no ? SOCK_NONBLOCK : 0);
}
}  // namespace

int make_socket(int family, int type, blocking mode) noexcept {
    const int fd = ::socket(family, type | kind_flags(mode), 0);
    return fd < 0 ? -errno : fd;
}

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept {
    const int fd = ::accept4(listener, peer, size, kind_flags(mode));
    return fd < 0 ? -errno : fd;
}

int make_socket_pair(int (&pair)[2]) noexcept {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int pin_thread(unsigned index) noexcept {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) < 0) return -errno;
    unsigned left = index % static_cast<unsigned>(CPU_COUNT(&allowed));
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        if (left-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return ::sched_setaffinity(0, sizeof one, &one) < 0 ? -errno : 0;
    }
    return -ENOTSUP;
}

wake_signal::wake_signal() : reading_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (reading_ < 0) throw_errno(errno, "eventfd", {});
    writing_ = reading_;
}

wake_signal::~wake_signal() { ::close(reading_); }

void wake_signal::signal() noexcept {
    const std::uint64_t one = 1;
    // Fails only with EAGAIN, when the count is at its maximum: the sleeper is being woken already.
    (void)!::write(writing_, &one, sizeof one);
}

void wake_signal::clear() noexcept {
    std::uint64_t count = 0;
    (void)!::read(reading_, &count, sizeof count);
}

}  // namespace anel

#endif
