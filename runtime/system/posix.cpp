// posix.cpp: what each opcode means as a POSIX call.
// SPDX-License-Identifier: MIT
#include "runtime/system/posix.hpp"

#include "runtime/system/file.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

namespace anel::detail {
namespace {

static_assert(sizeof(iovec) == sizeof(io_buffer) &&
              offsetof(iovec, iov_base) == offsetof(io_buffer, data) &&
              offsetof(iovec, iov_len) == offsetof(io_buffer, size));
static_assert(sizeof(msghdr) <= sizeof(message::native));
static_assert(sizeof(sockaddr_un) <= sizeof(socket_address::bytes));
static_assert(sizeof(socklen_t) == sizeof(socket_address::size));

constexpr std::int32_t answer(ssize_t returned) noexcept {
    if (returned >= 0) return static_cast<std::int32_t>(returned);
    // A receive timeout of the socket's own gives EAGAIN too; the library never sets one.
    return errno == EAGAIN || errno == EWOULDBLOCK ? would_wait : -errno;
}

socket_address& address_of(const operation& op) noexcept {
    return *static_cast<socket_address*>(op.data);
}
sockaddr* raw(socket_address& address) noexcept {
    return reinterpret_cast<sockaddr*>(address.bytes);
}

std::int32_t open_socket(socket_kind kind, blocking mode) noexcept {
    switch (kind) {
        case socket_kind::tcp4: return make_socket(AF_INET, SOCK_STREAM, mode);
        case socket_kind::tcp6: return make_socket(AF_INET6, SOCK_STREAM, mode);
        case socket_kind::udp4: return make_socket(AF_INET, SOCK_DGRAM, mode);
        case socket_kind::udp6: return make_socket(AF_INET6, SOCK_DGRAM, mode);
        case socket_kind::unix_stream: return make_socket(AF_UNIX, SOCK_STREAM, mode);
    }
    return -EINVAL;
}

template <class T>
std::int32_t set(int fd, int level, int name, const T& value) noexcept {
    return ::setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

std::int32_t set_option(int fd, socket_option option, int value) noexcept {
    switch (option) {
        case socket_option::no_delay: return set(fd, IPPROTO_TCP, TCP_NODELAY, value);
        case socket_option::reuse_address: return set(fd, SOL_SOCKET, SO_REUSEADDR, value);
        case socket_option::reuse_port: return set(fd, SOL_SOCKET, SO_REUSEPORT, value);
        case socket_option::v6_only: return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, value);
        case socket_option::send_buffer: return set(fd, SOL_SOCKET, SO_SNDBUF, value);
        case socket_option::receive_buffer: return set(fd, SOL_SOCKET, SO_RCVBUF, value);
        case socket_option::linger_reset:
            return set(fd, SOL_SOCKET, SO_LINGER, linger{.l_onoff = value, .l_linger = 0});
    }
    return -EINVAL;
}

int how(std::uint32_t side) noexcept {
    switch (static_cast<shutdown_side>(side)) {
        case shutdown_side::receive: return SHUT_RD;
        case shutdown_side::send: return SHUT_WR;
        case shutdown_side::both: return SHUT_RDWR;
    }
    return SHUT_RDWR;
}

// The file of a unix socket: remembers which one it is, or removes that very one. Another socket
// may have been bound to the path since, and a user's mistake must not delete a file.
std::int32_t identify_path(socket_path& path, struct stat& status) noexcept {
    const auto& local = *reinterpret_cast<const sockaddr_un*>(path.address.bytes);
    if (local.sun_family != AF_UNIX || local.sun_path[0] == '\0') return -ENOENT;  // no file
    if (::lstat(local.sun_path, &status) < 0) return -errno;
    return S_ISSOCK(status.st_mode) ? 0 : -ENOTSOCK;
}

std::int64_t change_of(const struct stat& status) noexcept {
#ifdef __APPLE__
    const timespec& at = status.st_ctimespec;
#else
    const timespec& at = status.st_ctim;
#endif
    return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

std::int32_t identify_path(socket_path& path) noexcept {
    struct stat status{};
    if (const std::int32_t error = identify_path(path, status)) return error;
    path.device = static_cast<std::uint64_t>(status.st_dev);  // signed on macOS
    path.inode = status.st_ino;
    path.changed = change_of(status);
    return 0;
}

std::int32_t remove_path(socket_path& path) noexcept {
    struct stat status{};
    if (const std::int32_t error = identify_path(path, status)) return error;
    const auto device = static_cast<std::uint64_t>(status.st_dev);
    if (device != path.device || status.st_ino != path.inode) return -ESTALE;
    if (path.changed != 0 && path.changed != change_of(status)) return -ESTALE;
    const auto& local = *reinterpret_cast<const sockaddr_un*>(path.address.bytes);
    return ::unlink(local.sun_path) < 0 ? -errno : 0;
}

std::int32_t connect_or_conclude(operation& op) noexcept {
    socket_address& peer = address_of(op);
    if ((op.flags & op_flag::has_begun) == 0) {
        if (::connect(op.fd, raw(peer), peer.size) == 0) return 0;
        if (errno != EINPROGRESS && errno != EINTR) return -errno;
        op.flags |= op_flag::has_begun;
        return would_wait;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(op.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
    if (error != 0) return -error;
    // Woken without an error: connected, or woken for nothing. Only a connected socket has a peer.
    socket_address name;
    name.size = sizeof name.bytes;
    return ::getpeername(op.fd, raw(name), &name.size) == 0 ? 0 : would_wait;
}

std::int32_t accept(operation& op, blocking mode) noexcept {
    auto* peer = static_cast<socket_address*>(op.data);
    if (peer) peer->size = sizeof peer->bytes;
    const int fd =
        accept_socket(op.fd, peer ? raw(*peer) : nullptr, peer ? &peer->size : nullptr, mode);
    return fd == -EAGAIN || fd == -EWOULDBLOCK ? would_wait : fd;
}

// Others may share a standard input: O_NONBLOCK would be theirs too. So it is read only when there
// is something; who takes it in between makes the read wait.
std::int32_t read_input(int fd, void* into, std::size_t size) noexcept {
    pollfd state{fd, POLLIN, 0};
    const int ready = ::poll(&state, 1, 0);
    if (ready == 0) return would_wait;
    return ready < 0 ? -errno : answer(::read(fd, into, size));
}

std::int32_t attempt_once(operation& op) noexcept {
    const std::size_t size =
        std::min(op.size, share_bytes);  // while the peer reads, send() goes on
    switch (op.code) {
        case opcode::accept: return accept(op, blocking::no);
        case opcode::connect: return connect_or_conclude(op);
        case opcode::recv:
        case opcode::recv_chunk: return answer(::recv(op.fd, op.data, size, MSG_DONTWAIT));
        case opcode::send: return answer(::send(op.fd, op.data, size, MSG_DONTWAIT | no_signal));
        case opcode::send_file: {
            const std::int32_t sent =
                send_from_file(op.fd, *static_cast<file_part*>(op.data), size);
            if (sent == -EAGAIN || sent == -EWOULDBLOCK) return would_wait;
            return sent == not_in_memory ? -EAGAIN : sent;
        }
        case opcode::sendmsg: {
            auto& data = *static_cast<message*>(op.data);
            if (const io_buffer piece = oversized_part(op); piece.size > 0) {
                return answer(::send(op.fd, piece.data, piece.size, MSG_DONTWAIT | no_signal));
            }
            return answer(::sendmsg(op.fd, native_message(data), MSG_DONTWAIT | no_signal));
        }
        case opcode::recvmsg: {
            auto& data = *static_cast<message*>(op.data);
            const std::int32_t received =
                answer(::recvmsg(op.fd, native_message(data), MSG_DONTWAIT));
            if (received >= 0) read_native_message(data);
            return received;
        }
        case opcode::recv_batch: return receive_batch(op);
        case opcode::send_batch: return send_batch(op);
        case opcode::read_input: return read_input(op.fd, op.data, size);
        default: break;
    }
    return -EOPNOTSUPP;
}

}  // namespace

std::int32_t attempt(operation& op) noexcept {
    const std::size_t stop_at = op.size > share_bytes ? op.size - share_bytes : 0;
    for (;;) {
        const std::int32_t result = attempt_once(op);
        if (result == -EINTR) continue;
        if (result < 0 || (op.flags & op_flag::whole) == 0) return result;
        advance(op, static_cast<std::size_t>(result));
        if (op.size == 0 || result == 0) return 0;
        if (op.size <= stop_at) return had_its_share;
    }
}

effort effort_of(const operation& op, std::size_t size, std::int32_t result) noexcept {
    if ((op.flags & op_flag::whole) != 0) return {1, size - op.size};
    if (result <= 0 || op.code == opcode::accept) return {1, 0};
    if (op.code != opcode::recv_batch && op.code != opcode::send_batch)
        return {1, static_cast<std::size_t>(result)};
    const auto& batch = *static_cast<const message_batch*>(op.data);
    effort spent{batch.count, 0};
    for (std::uint32_t i = 0; i < batch.count; ++i) spent.bytes += batch.items[i].bytes.size;
    return spent;
}

std::int32_t control_call(operation& op, blocking mode) noexcept {
    const auto returned = [](int value) { return value < 0 ? -errno : value; };
    switch (op.code) {
        case opcode::open_socket: return open_socket(static_cast<socket_kind>(op.flags), mode);
        case opcode::bind: return returned(::bind(op.fd, raw(address_of(op)), address_of(op).size));
        case opcode::listen: return returned(::listen(op.fd, static_cast<int>(op.size)));
        case opcode::local_address:
            address_of(op).size = sizeof socket_address::bytes;
            return returned(::getsockname(op.fd, raw(address_of(op)), &address_of(op).size));
        case opcode::peer_address:
            address_of(op).size = sizeof socket_address::bytes;
            return returned(::getpeername(op.fd, raw(address_of(op)), &address_of(op).size));
        case opcode::set_option:
            return set_option(op.fd, static_cast<socket_option>(op.flags),
                              static_cast<int>(op.size));
        case opcode::shutdown: return returned(::shutdown(op.fd, how(op.flags)));
        // EINTR included, the descriptor is gone: closing it again could close somebody else's.
        case opcode::close: return returned(::close(op.fd));
        case opcode::give_up:
        case opcode::take_over: return 0;  // to the system a descriptor belongs to the process
        case opcode::identify_path: return identify_path(*static_cast<socket_path*>(op.data));
        case opcode::remove_path: return remove_path(*static_cast<socket_path*>(op.data));
        default: break;
    }
    return -EOPNOTSUPP;
}

msghdr* native_message(message& data) noexcept {
    auto* native = new (data.native) msghdr{};
    if (data.address) {
        native->msg_name = data.address->bytes;
        native->msg_namelen = data.address->size;
    }
    native->msg_iov = reinterpret_cast<iovec*>(data.buffers);
    std::size_t bytes = 0;
    std::uint32_t parts = 0;
    for (; parts < data.buffer_count && parts < IOV_MAX; ++parts) {
        bytes += data.buffers[parts].size;
        if (parts > 0 && bytes > share_bytes) break;
    }
    native->msg_iovlen = static_cast<decltype(native->msg_iovlen)>(parts);
    return native;
}

void read_native_message(message& data) noexcept {
    const auto* native = std::launder(reinterpret_cast<const msghdr*>(data.native));
    if (data.address) data.address->size = native->msg_namelen;
    data.truncated = (native->msg_flags & MSG_TRUNC) != 0;
}

void reset_connection(int fd) noexcept {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    // Fails where there is no connection any more, and then nothing is left to be dropped.
    (void)::connect(fd, &nobody, sizeof nobody);
}

std::int32_t control_without_loop(operation& op) noexcept {
    const bool allowed =
        op.code == opcode::close || op.code == opcode::give_up || op.code == opcode::remove_path;
    return allowed ? control_call(op, blocking::no) : loop_has_ended;
}

bool is_disconnected(int fd) noexcept {
    socket_address peer;
    peer.size = sizeof peer.bytes;
    return ::getpeername(fd, raw(peer), &peer.size) < 0 && errno == ENOTCONN;
}

int process_id() noexcept { return ::getpid(); }

void print_error(std::string_view text) noexcept {
    constexpr std::size_t at_once = 4096;  // a pipe that can be written to takes so much
    sigset_t pipe;
    sigset_t before;
    sigset_t waiting;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const bool waited = sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
    const time_point give_up = monotonic_now() + std::chrono::milliseconds(100);
    while (!text.empty()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(give_up - monotonic_now()).count();
        pollfd out{STDERR_FILENO, POLLOUT, 0};
        const int ready = ::poll(&out, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) break;
        const ssize_t written = ::write(STDERR_FILENO, text.data(), std::min(text.size(), at_once));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    const bool waits = sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
    int number = 0;
    if (waits && !waited) sigwait(&pipe, &number);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

time_point monotonic_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace anel::detail
