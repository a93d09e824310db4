// raw_socket.hpp: a blocking socket without the library: the other side in a test. On a simulated
// host it is one of that host's sockets, for which nothing ever has to wait.
//
// Its calls return when the kernel has done them, so a test can arrange what has arrived before the
// loop looks. Nothing here may wait for the loop's own thread: that is for a thread beside it.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/simulated.hpp"

#include "net/address.hpp"

#include <anel/endpoint.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anel::test {
using namespace detail;

#ifdef SOCK_CLOEXEC
inline constexpr int close_on_exec = SOCK_CLOEXEC;
#else
inline constexpr int close_on_exec = 0;  // macOS: no test starts another program meanwhile
#endif

class raw_socket {
public:
    raw_socket() = default;
    explicit raw_socket(int fd) : fd_(fd) {}
    raw_socket(raw_socket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), life_(other.life_) {}
    raw_socket& operator=(raw_socket&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
            life_ = other.life_;
        }
        return *this;
    }
    ~raw_socket() { close(); }

    static raw_socket make(const endpoint& like, int type) {
        int family = AF_INET;
        if (like.family() == address_family::ipv6) family = AF_INET6;
        if (like.is_unix()) family = AF_UNIX;
        if (simulated) return made_on_host(family, type);
        raw_socket made(::socket(family, type | close_on_exec, 0));
        EXPECT_GE(made.fd(), 0) << std::strerror(errno);
        return made;
    }
    static raw_socket connected_to(const endpoint& peer, int type = SOCK_STREAM) {
        raw_socket made = make(peer, type);
        EXPECT_EQ(made.connect(peer), 0) << peer;
        return made;
    }
    /// A socket with an address, which does not listen.
    static raw_socket bound_to(const endpoint& local, int type = SOCK_STREAM) {
        raw_socket made = make(local, type);
        socket_address native = to_socket_address(local);
        if (simulated) {
            EXPECT_EQ(simulated_control(opcode::bind, made.fd(), &native), 0);
            return made;
        }
        EXPECT_EQ(::bind(made.fd(), raw(native), native.size), 0) << std::strerror(errno);
        return made;
    }

    [[nodiscard]] int fd() const { return fd_; }

    /// Returns 0 or errno.
    int connect(const endpoint& peer) const {
        socket_address native = to_socket_address(peer);
        if (life_ > 0) {
            operation op(opcode::connect, fd_, &native);
            const std::int32_t result = simulated->try_now(op);
            return result == sim::would_wait ? EINPROGRESS : -result;
        }
        return ::connect(fd_, raw(native), native.size) == 0 ? 0 : errno;
    }
    [[nodiscard]] endpoint local_endpoint() const {
        socket_address native;
        native.size = sizeof native.bytes;
        if (life_ > 0) {
            EXPECT_EQ(simulated_control(opcode::local_address, fd_, &native), 0);
            return from_socket_address(native).value_or(endpoint::unix_unnamed());
        }
        EXPECT_EQ(::getsockname(fd_, raw(native), &native.size), 0);
        return from_socket_address(native).value_or(endpoint::unix_unnamed());
    }
    void set_blocking(bool on) const {
        if (life_ > 0) return;
        ::fcntl(fd_, F_SETFL, on ? 0 : O_NONBLOCK);
    }
    void set_no_delay() const {
        if (life_ > 0) return;
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    /// Writes all of `bytes`. Returns false when the connection is gone.
    bool write(std::string_view bytes, int flags = 0) const {
        if (life_ > 0) return write_on_host(bytes);
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Sends `bytes`, which may be empty, as one datagram.
    bool send_datagram(std::string_view bytes) const {
        const auto size = static_cast<ssize_t>(bytes.size());
        if (life_ > 0) return write_on_host(bytes);
        return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == size;
    }
    /// Reads `size` bytes, or what comes before the end.
    [[nodiscard]] std::string read(std::size_t size) const {
        std::string bytes(size, '\0');
        std::size_t have = 0;
        while (have < size && life_ > 0) {
            const std::int32_t got =
                simulated_transfer(opcode::recv, fd_, bytes.data() + have, size - have);
            if (got <= 0) break;
            have += static_cast<std::size_t>(got);
        }
        while (have < size && life_ == 0) {
            const ssize_t got = ::recv(fd_, bytes.data() + have, size - have, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            have += static_cast<std::size_t>(got);
        }
        bytes.resize(have);
        return bytes;
    }
    [[nodiscard]] std::string read_to_end() const {
        std::string all;
        for (std::string part = read(65536); !part.empty(); part = read(65536)) all += part;
        return all;
    }
    /// Whether something arrives, the end included, within `milliseconds`.
    [[nodiscard]] bool readable(int milliseconds = 10'000) const {
        if (life_ > 0) return simulated->readable(fd_) >= 0;
        pollfd entry{fd_, POLLIN, 0};
        return ::poll(&entry, 1, milliseconds) == 1;
    }

    /// Gives the descriptor away.
    int release() { return std::exchange(fd_, -1); }
    void shutdown_write() const {
        constexpr auto side = static_cast<std::uint32_t>(shutdown_side::send);
        if (life_ > 0) simulated_control(opcode::shutdown, fd_, nullptr, 0, side);
        else ::shutdown(fd_, SHUT_WR);
    }
    void close() {
        const int fd = std::exchange(fd_, -1);
        if (fd < 0) return;
        if (life_ == 0) ::close(fd);
        else if (simulated && life_ == simulated_life) simulated_control(opcode::close, fd);
    }
    /// Closes without a farewell: the other side sees ECONNRESET.
    void reset() {
        constexpr auto option = static_cast<std::uint32_t>(socket_option::linger_reset);
        if (life_ > 0) {
            simulated_control(opcode::set_option, fd_, nullptr, 1, option);
            return close();
        }
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

private:
    static sockaddr* raw(socket_address& address) {
        return reinterpret_cast<sockaddr*>(address.bytes);
    }

    static raw_socket made_on_host(int family, int type) {
        auto kind = family == AF_INET6 ? socket_kind::tcp6 : socket_kind::tcp4;
        if (family == AF_UNIX) kind = socket_kind::unix_stream;
        else if (type == SOCK_DGRAM)
            kind = family == AF_INET6 ? socket_kind::udp6 : socket_kind::udp4;
        raw_socket made(simulated_control(opcode::open_socket, -1, nullptr, 0,
                                          static_cast<std::uint32_t>(kind)));
        made.life_ = simulated_life;
        EXPECT_GE(made.fd(), 0);
        return made;
    }

    bool write_on_host(std::string_view bytes) const {
        do {
            const std::int32_t sent = simulated_transfer(
                opcode::send, fd_, const_cast<char*>(bytes.data()), bytes.size());
            EXPECT_NE(sent, sim::would_wait) << "a raw socket cannot wait here";
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } while (!bytes.empty());
        return true;
    }

    int fd_ = -1;
    std::uint64_t life_ = 0;  // of the simulated host it is on; 0: a socket of the system
};

/// Two connected unix stream sockets.
struct raw_pair {
    raw_socket first;
    raw_socket second;

    raw_pair() {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | close_on_exec, 0, pair), 0);
        first = raw_socket(pair[0]);
        second = raw_socket(pair[1]);
    }
};

inline int option_of(int fd, int level, int name) {
    if (simulated && level == IPPROTO_TCP && name == TCP_NODELAY) {
        return simulated->find(fd)->no_delay;
    }
    int value = -1;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, level, name, &value, &size) < 0) return -errno;
    return value;
}

inline void shutdown_both(int fd) {
    constexpr auto both = static_cast<std::uint32_t>(shutdown_side::both);
    if (simulated) simulated_control(opcode::shutdown, fd, nullptr, 0, both);
    else ::shutdown(fd, SHUT_RDWR);
}

/// Whether this machine has ::1.
inline bool has_ipv6() {
    if (simulated) return true;
    const raw_socket probe(::socket(AF_INET6, SOCK_STREAM | close_on_exec, 0));
    socket_address native = to_socket_address("[::1]:0");
    return probe.fd() >= 0 &&
           ::bind(probe.fd(), reinterpret_cast<sockaddr*>(native.bytes), native.size) == 0;
}

/// A listener whose queue is full: whoever connects now waits.
inline std::vector<raw_socket> fill_backlog(const endpoint& listener) {
    std::vector<raw_socket> waiting;
    for (int i = 0; i < 64; ++i) {
        raw_socket next = raw_socket::make(listener, SOCK_STREAM);
        next.set_blocking(false);
        const int error = next.connect(listener);
        if (error == EAGAIN) return waiting;  // a unix socket
        if (simulated && error == EINPROGRESS) return waiting;
        pollfd entry{next.fd(), POLLOUT, 0};
        const bool made = error == 0 || ::poll(&entry, 1, 20) == 1;
        waiting.push_back(std::move(next));
        if (!made) return waiting;
    }
    ADD_FAILURE() << "the backlog does not get full";
    return waiting;
}

}  // namespace anel::test
