// raw_socket.hpp: a blocking socket without the library: the other side in a test.
//
// Its calls return when the kernel has done them, so a test can arrange what has arrived before the
// loop looks. Nothing here may wait for the loop's own thread: that is for a thread beside it.
// SPDX-License-Identifier: MIT
#pragma once

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

class raw_socket {
public:
    raw_socket() = default;
    explicit raw_socket(int fd) : fd_(fd) {}
    raw_socket(raw_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    raw_socket& operator=(raw_socket&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~raw_socket() { close(); }

    static raw_socket make(const endpoint& like, int type) {
        int family = AF_INET;
        if (like.family() == address_family::ipv6) family = AF_INET6;
        if (like.is_unix()) family = AF_UNIX;
        raw_socket made(::socket(family, type | SOCK_CLOEXEC, 0));
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
        EXPECT_EQ(::bind(made.fd(), raw(native), native.size), 0) << std::strerror(errno);
        return made;
    }

    [[nodiscard]] int fd() const { return fd_; }

    /// Returns 0 or errno.
    int connect(const endpoint& peer) const {
        socket_address native = to_socket_address(peer);
        return ::connect(fd_, raw(native), native.size) == 0 ? 0 : errno;
    }
    [[nodiscard]] endpoint local_endpoint() const {
        socket_address native;
        native.size = sizeof native.bytes;
        EXPECT_EQ(::getsockname(fd_, raw(native), &native.size), 0);
        return from_socket_address(native).value_or(endpoint::unix_unnamed());
    }
    void set_blocking(bool on) const { ::fcntl(fd_, F_SETFL, on ? 0 : O_NONBLOCK); }
    void set_no_delay() const {
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    /// Writes all of `bytes`. Returns false when the connection is gone.
    bool write(std::string_view bytes, int flags = 0) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Reads `size` bytes, or what comes before the end.
    [[nodiscard]] std::string read(std::size_t size) const {
        std::string bytes(size, '\0');
        std::size_t have = 0;
        while (have < size) {
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
        pollfd entry{fd_, POLLIN, 0};
        return ::poll(&entry, 1, milliseconds) == 1;
    }

    /// Gives the descriptor away.
    int release() { return std::exchange(fd_, -1); }
    void shutdown_write() const { ::shutdown(fd_, SHUT_WR); }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    /// Closes without a farewell: the other side sees ECONNRESET.
    void reset() {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

private:
    static sockaddr* raw(socket_address& address) {
        return reinterpret_cast<sockaddr*>(address.bytes);
    }

    int fd_ = -1;
};

/// Two connected unix stream sockets.
struct raw_pair {
    raw_socket first;
    raw_socket second;

    raw_pair() {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        first = raw_socket(pair[0]);
        second = raw_socket(pair[1]);
    }
};

inline int option_of(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(fd, level, name, &value, &size);
    return value;
}

/// Whether this machine has ::1.
inline bool has_ipv6() {
    const raw_socket probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
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
        pollfd entry{next.fd(), POLLOUT, 0};
        const bool made = error == 0 || ::poll(&entry, 1, 20) == 1;
        waiting.push_back(std::move(next));
        if (!made) return waiting;
    }
    ADD_FAILURE() << "the backlog does not get full";
    return waiting;
}

}  // namespace anel::test
