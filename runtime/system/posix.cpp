// posix.cpp: what each opcode means as a POSIX call.
// SPDX-License-Identifier: MIT
#include "runtime/system/posix.hpp"

#include "runtime/system/broken_pipe.hpp"
#include "runtime/system/file.hpp"
#include "runtime/system/options.hpp"

#include <poll.h>
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

constexpr std::uint32_t poll_mask = 3;  // the other flags are a backend's

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
        case socket_kind::unix_datagram: return make_socket(AF_UNIX, SOCK_DGRAM, mode);
        case socket_kind::unix_seqpacket: return make_socket(AF_UNIX, SOCK_SEQPACKET, mode);
    }
    return -EINVAL;
}

std::int32_t set_option(const operation& op) noexcept {
    const auto option = static_cast<socket_option>(op.flags);
    if (option == socket_option::interface) {
        return set_interface(op.fd, static_cast<const char*>(op.data), op.size);
    }
    if (option == socket_option::multicast_interface) {
        return set_multicast_interface(op.fd, static_cast<const char*>(op.data));
    }
    if (option == socket_option::join_group || option == socket_option::leave_group) {
        const bool join = option == socket_option::join_group;
        return change_membership(op.fd, *static_cast<const group_membership*>(op.data), join);
    }
    return set_option(op.fd, option, static_cast<int>(op.size));
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

// accept4(2) takes a descriptor before it looks for a connection, for which there may be one by the
// time it comes.
bool has_connection(int listener) noexcept {
    pollfd asked{listener, POLLIN, 0};
    int found = 0;
    do found = ::poll(&asked, 1, 0);
    while (found < 0 && errno == EINTR);
    return found != 0;  // where poll(2) fails, the error is told rather than waited for
}

bool does_not_block(const operation& op) noexcept {
    return (op.flags & 1) == static_cast<std::uint32_t>(file_mode::does_not_block);
}

// Others may share a standard stream: O_NONBLOCK would be theirs too. So it is read and written
// only when poll(2) has said so; who comes in between makes the call wait.
std::int32_t read_input(const operation& op, std::size_t size) noexcept {
    if (!does_not_block(op)) {
        pollfd state{op.fd, POLLIN, 0};
        const int ready = ::poll(&state, 1, 0);
        if (ready <= 0) return ready < 0 ? -errno : would_wait;
    }
    return answer(::read(op.fd, op.data, size));
}

// A pipe that has room takes PIPE_BUF bytes without waiting.
std::int32_t write_output(const operation& op, std::size_t size) noexcept {
    if (!does_not_block(op)) {
        const ssize_t sent = ::send(op.fd, op.data, size, MSG_DONTWAIT | no_signal);
        if (sent >= 0 || errno != ENOTSOCK) return answer(sent);
        pollfd state{op.fd, POLLOUT, 0};
        const int ready = ::poll(&state, 1, 0);
        if (ready <= 0) return ready < 0 ? -errno : would_wait;
        size = std::min<std::size_t>(size, PIPE_BUF);
    }
    const broken_pipe_kept_back guard;
    return answer(::write(op.fd, op.data, size));
}

std::int32_t poll_once(const operation& op) noexcept {
    pollfd state{op.fd, events_of(op), 0};
    return ::poll(&state, 1, 0) < 0 ? -errno : answer_to(op, state.revents);
}

std::int32_t attempt_once(operation& op) noexcept {
    const std::size_t size =
        std::min(op.size, share_bytes);  // while the peer reads, send() goes on
    switch (op.code) {
        case opcode::accept: return accept_connection(op, blocking::no);
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
            if (data.facts && !can_send_with(*data.facts)) return -EOPNOTSUPP;
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
        case opcode::recv_passed: return receive_passed(op);
        case opcode::send_passed: return send_passed(op);
        case opcode::read_input: return read_input(op, size);
        case opcode::write_output: return write_output(op, size);
        case opcode::poll: return poll_once(op);
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

short events_of(const operation& poll) noexcept {
    switch (static_cast<poll_for>(poll.flags & poll_mask)) {
        case poll_for::reading: return POLLIN;
        case poll_for::writing: return POLLOUT;
        case poll_for::priority: return POLLPRI;
    }
    return 0;
}

std::int32_t answer_to(const operation& poll, int told) noexcept {
    if ((told & POLLNVAL) != 0) return -EBADF;
    return (told & (events_of(poll) | POLLHUP | POLLERR)) != 0 ? 0 : would_wait;
}

std::int32_t accept_connection(operation& op, blocking mode) noexcept {
    // Whoever else has this listener may have made it block, and with it the loop.
    const std::int32_t mode_error = op.size > 0 ? configure_socket(op.fd, blocking::no) : 0;
    if (mode_error < 0) return mode_error;
    auto* peer = static_cast<socket_address*>(op.data);
    if (peer) peer->size = sizeof peer->bytes;
    const int fd =
        accept_socket(op.fd, peer ? raw(*peer) : nullptr, peer ? &peer->size : nullptr, mode);
    if (fd == -EMFILE || fd == -ENFILE) return has_connection(op.fd) ? fd : would_wait;
    return fd == -EAGAIN || fd == -EWOULDBLOCK ? would_wait : fd;
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
        case opcode::set_option: return set_option(op);
        case opcode::peer_identity:
            return identify_peer(op.fd, *static_cast<process_identity*>(op.data));
        case opcode::stream_state:
            return describe_stream(op.fd, *static_cast<stream_facts*>(op.data));
        case opcode::shutdown: return returned(::shutdown(op.fd, how(op.flags)));
        case opcode::send_now:
            return returned(static_cast<int>(
                ::send(op.fd, op.data, std::min(op.size, share_bytes), MSG_DONTWAIT | no_signal)));
        // EINTR included, the descriptor is gone: closing it again could close somebody else's.
        case opcode::close: return returned(::close(op.fd));
        case opcode::give_up: return 0;  // to the system a descriptor belongs to the process
        case opcode::take_over: return configure_socket(op.fd, mode);
        case opcode::inspect: return inspect(op.fd, *static_cast<descriptor_facts*>(op.data));
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
    if (data.facts) give_control(*native, *data.facts);
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
    if (data.facts) read_control(*native, *data.facts);
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
    const broken_pipe_kept_back guard;
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
}

time_point monotonic_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace anel::detail
