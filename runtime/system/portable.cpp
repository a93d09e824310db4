// portable.cpp: system.hpp with nothing but what every POSIX system has.
// SPDX-License-Identifier: MIT
#include "runtime/system/options.hpp"
#include "runtime/system/plain.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace anel::detail {

int make_socket(int family, int type, blocking mode) noexcept {
    return plain::configured(::socket(family, type, 0), mode);
}

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept {
    return plain::accept_socket(listener, peer, size, mode);
}

// That a device has nothing to wait for is not told.
bool can_be_polled(int fd) noexcept {
    struct stat status{};
    return ::fstat(fd, &status) < 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

int make_socket_pair(int (&pair)[2]) noexcept {
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return -errno;
    const int first = plain::configured(pair[0], blocking::no);
    const int second = plain::configured(pair[1], blocking::no);
    if (first >= 0 && second >= 0) return 0;
    if (first >= 0) ::close(first);
    if (second >= 0) ::close(second);
    return first < 0 ? first : second;
}

int receive_datagrams(int fd, counted_message* into, unsigned count, std::int32_t& late) noexcept {
    return plain::receive_datagrams(fd, into, count, late);
}

int send_datagrams(int fd, counted_message* from, unsigned) noexcept {
    return plain::send_datagram(fd, from);
}

std::int32_t describe_stream(int, stream_facts&) noexcept { return -ENOPROTOOPT; }

std::int32_t identify_peer(int fd, process_identity& who) noexcept {
#ifdef __linux__  // has no getpeereid(3)
    (void)fd, (void)who;
    return -ENOPROTOOPT;
#else
    uid_t user = 0;
    gid_t group = 0;
    if (::getpeereid(fd, &user, &group) < 0) return -errno;
    who = {user, group, 0};
    return 0;
#endif
}

const char* environment(const char* name) noexcept {
    const bool has_own_rights = ::getuid() != ::geteuid() || ::getgid() != ::getegid();
    return has_own_rights ? nullptr : std::getenv(name);
}

std::string program_name() { return {}; }

int listen_for_inspectors() noexcept { return -ENOTSUP; }
int accept_inspector(int) noexcept { return -ENOTSUP; }

const std::atomic<int>* process_mark() noexcept { return nullptr; }

int pin_thread(unsigned) noexcept { return -ENOTSUP; }

// Nothing tells: a read of a regular file is taken for one that does not wait.
bool in_memory(int, std::uint64_t, std::size_t) noexcept { return true; }

std::int32_t read_at_once(int file, std::uint64_t offset, void* to, std::size_t size) noexcept {
    const ssize_t got = ::pread(file, to, size, static_cast<off_t>(offset));
    return got < 0 ? -errno : static_cast<std::int32_t>(got);
}

std::int32_t send_uncopied(int, int, std::uint64_t, std::size_t) noexcept { return -EOPNOTSUPP; }

int make_pipe(int (&ends)[2]) noexcept { return plain::make_pipe(ends, blocking::yes); }

int open_process(int) noexcept { return -ENOSYS; }

wake_signal::wake_signal() { plain::make_pipe(reading_, writing_); }

wake_signal::~wake_signal() {
    ::close(reading_);
    ::close(writing_);
}

void wake_signal::signal() noexcept {
    // A full pipe wakes its reader as well as one more byte would.
    (void)!::write(writing_, "", 1);
}

void wake_signal::clear() noexcept {
    char bytes[64];
    while (::read(reading_, bytes, sizeof bytes) == sizeof bytes) {}
}

}  // namespace anel::detail
