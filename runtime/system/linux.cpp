// linux.cpp: system.hpp with the calls that Linux has.
//
// A filter may refuse a call that is younger than itself (ENOSYS, EPERM, EACCES) while the program
// could do without: then the older calls are made that do the same in two steps.
// SPDX-License-Identifier: MIT
#include "runtime/system/broken_pipe.hpp"
#include "runtime/system/options.hpp"
#include "runtime/system/plain.hpp"

#include <anel/error.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace anel::detail {
namespace {
constexpr int kind_flags(blocking mode) {
    return SOCK_CLOEXEC | (mode == blocking::no ? SOCK_NONBLOCK : 0);
}

bool was_refused() noexcept { return errno == ENOSYS || errno == EPERM || errno == EACCES; }

// Memory that the system empties in a child of fork(): Linux 4.14. Null where it does not.
std::atomic<int>* emptied_by_fork() noexcept {
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || ::madvise(page, size, MADV_WIPEONFORK) != 0) return nullptr;
    return new (page) std::atomic<int>(0);
}

}  // namespace

const std::atomic<int>* process_mark() noexcept {
    static std::atomic<int>* const mark = emptied_by_fork();
    int nobody = 0;
    if (mark) mark->compare_exchange_strong(nobody, ::getpid(), std::memory_order_relaxed);
    return mark;
}

int make_socket(int family, int type, blocking mode) noexcept {
    const int fd = ::socket(family, type | kind_flags(mode), 0);
    return fd < 0 ? -errno : fd;
}

int accept_socket(int listener, sockaddr* peer, socklen_t* size, blocking mode) noexcept {
    const int fd = ::accept4(listener, peer, size, kind_flags(mode));
    if (fd >= 0) return fd;
    return was_refused() ? plain::accept_socket(listener, peer, size, mode) : -errno;
}

// Nothing else tells whether a file of the kernel's own has a wait queue. Where another epoll
// cannot be had it is taken for one that has.
bool can_be_polled(int fd) noexcept {
    const int probe = ::epoll_create1(EPOLL_CLOEXEC);
    if (probe < 0) return true;
    epoll_event event{};
    const bool refused = ::epoll_ctl(probe, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;
    ::close(probe);
    return !refused;
}

int make_socket_pair(int (&pair)[2]) noexcept {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int receive_datagrams(int fd, counted_message* into, unsigned count, std::int32_t& late) noexcept {
    late = 0;  // the socket keeps an error for the next call, recvmmsg(2)
    const int received = ::recvmmsg(fd, into, count, MSG_DONTWAIT, nullptr);
    if (received >= 0) return received;
    return was_refused() ? plain::receive_datagrams(fd, into, count, late) : -errno;
}

int send_datagrams(int fd, counted_message* from, unsigned count) noexcept {
    const int sent = ::sendmmsg(fd, from, count, MSG_DONTWAIT | no_signal);
    if (sent >= 0) return sent;
    return was_refused() ? plain::send_datagram(fd, from) : -errno;
}

namespace {

// The kernel's struct tcp_info as linux/tcp.h has it since 4.9, which cannot be included beside
// netinet/tcp.h; the C library's ends with `retransmitted`. An older kernel fills less of it.
struct known_of_connection {
    std::uint8_t states[8];
    std::uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets;
    std::uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    std::uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    std::uint32_t rcv_rtt, rcv_space, total_retrans;
    std::uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    std::uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    std::uint64_t delivery_rate;
};
static_assert(offsetof(known_of_connection, pacing_rate) == 104);
static_assert(offsetof(known_of_connection, delivery_rate) == 160);

}  // namespace

std::int32_t describe_stream(int fd, stream_facts& facts) noexcept {
    known_of_connection known{};
    socklen_t size = sizeof known;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &known, &size) < 0) return -errno;
    constexpr std::uint32_t not_measured = UINT32_MAX;  // min_rtt at first
    facts = {};
    facts.round_trip_us = known.rtt;
    facts.round_trip_variance_us = known.rttvar;
    facts.round_trip_least_us = known.min_rtt == not_measured ? 0 : known.min_rtt;
    facts.retransmit_after_us = known.rto;
    facts.last_received_ms = known.last_data_recv;
    facts.last_sent_ms = known.last_data_sent;
    facts.segment_size = known.snd_mss;
    facts.path_mtu = known.pmtu;
    facts.congestion_window = known.snd_cwnd;
    facts.unacknowledged = known.unacked;
    facts.lost = known.lost;
    facts.retransmitted = known.total_retrans;
    facts.unsent = known.notsent_bytes;
    facts.acknowledged = known.bytes_acked;
    facts.received = known.bytes_received;
    facts.delivery_rate = known.delivery_rate;
    return 0;
}

std::int32_t identify_peer(int fd, process_identity& who) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    who = {peer.uid, peer.gid, peer.pid};
    return 0;
}

// Nothing is left behind by a process that is killed, unlike a path; but permissions do not guard
// such a name, so whoever connects is asked who it is.
int listen_for_inspectors() noexcept {
    constexpr int most = 1024;  // loops of a process
    const int fd = make_socket(AF_UNIX, SOCK_STREAM, blocking::no);
    if (fd < 0) return fd;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    int error = EADDRINUSE;
    for (int n = 0; error == EADDRINUSE && n < most; ++n) {
        char* text = name.sun_path + 1;  // behind a zero
        const int size = std::snprintf(text, sizeof name.sun_path - 1, "anel-%d-%d", ::getpid(), n);
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                                   static_cast<std::size_t>(size));
        const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&name), length) == 0;
        error = bound && ::listen(fd, 8) == 0 ? 0 : errno;
    }
    if (error == 0) return fd;
    ::close(fd);
    return -error;
}

int accept_inspector(int listener) noexcept {
    const int fd = accept_socket(listener, nullptr, nullptr, blocking::yes);
    if (fd < 0) return fd;
    ucred peer{};
    socklen_t size = sizeof peer;
    const timeval patience{0, 100'000};
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        (peer.uid == ::geteuid() || peer.uid == 0) &&
        ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0) {
        return fd;
    }
    ::close(fd);
    return -EACCES;
}

const char* environment(const char* name) noexcept { return ::secure_getenv(name); }

std::string program_name() {
    char path[4096];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    const std::string_view text(path, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return std::string(text.substr(text.find_last_of('/') + 1));
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

namespace {

// Reads what can be had without waiting for a disk. The call by its number: musl's before 1.2.5 has
// no function for it.
ssize_t read_in_memory(int file, std::uint64_t offset, const iovec& into) noexcept {
    constexpr long no_wait = 0x8;  // RWF_NOWAIT
    const auto low = static_cast<long>(offset);
    const auto high = sizeof(long) == 8 ? 0L : static_cast<long>(offset >> 32);  // 64 bits: unused
    return ::syscall(SYS_preadv2, file, &into, 1L, low, high, no_wait);
}

}  // namespace

// One byte of each stretch that the system reads ahead at once, and the last one. A file system
// that cannot tell, NFS for one, gives EOPNOTSUPP: then nothing is known to be in memory.
bool in_memory(int file, std::uint64_t offset, std::size_t size) noexcept {
    constexpr std::size_t read_ahead = 128 * 1024;  // Linux: read_ahead_kb of most devices
    std::byte byte{};
    const iovec into{&byte, 1};
    for (std::size_t at = 0; at < size;) {
        const ssize_t got = read_in_memory(file, offset + at, into);
        if (got < 0) return false;
        if (got == 0) return true;  // beyond the end
        const bool last = at + 1 == size;
        at = last ? size : std::min(at + read_ahead, size - 1);
    }
    return true;
}

std::int32_t read_at_once(int file, std::uint64_t offset, void* to, std::size_t size) noexcept {
    const iovec into{to, size};
    const ssize_t got = read_in_memory(file, offset, into);
    return got < 0 ? -errno : static_cast<std::int32_t>(got);
}

std::int32_t send_uncopied(int socket, int file, std::uint64_t offset, std::size_t size) noexcept {
    const broken_pipe_kept_back guard;
    auto from = static_cast<off_t>(offset);
    ssize_t sent = 0;
    do {
        sent = ::sendfile(socket, file, &from, size);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : static_cast<std::int32_t>(sent);
}

int make_pipe(int (&ends)[2]) noexcept { return ::pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

// The call by its number: glibc has a function for it since 2.36.
int open_process(int id) noexcept {
#ifdef SYS_pidfd_open
    const long fd = ::syscall(SYS_pidfd_open, id, 0U);
    return fd < 0 ? -errno : static_cast<int>(fd);
#else
    (void)id;
    return -ENOSYS;
#endif
}

wake_signal::wake_signal() : reading_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    writing_ = reading_;
    if (reading_ >= 0) return;
    if (!was_refused()) throw_errno(errno, "eventfd", {});
    plain::make_pipe(reading_, writing_);
}

wake_signal::~wake_signal() {
    ::close(reading_);
    if (writing_ != reading_) ::close(writing_);
}

void wake_signal::signal() noexcept {
    const std::uint64_t one = 1;
    // Fails only with EAGAIN, when the count is at its maximum or the pipe full: the sleeper is
    // being woken already.
    (void)!::write(writing_, &one, sizeof one);
}

void wake_signal::clear() noexcept {
    std::uint64_t counts[8];  // one from an eventfd, many from a pipe
    while (::read(reading_, counts, sizeof counts) == sizeof counts) {}
}

}  // namespace anel::detail
