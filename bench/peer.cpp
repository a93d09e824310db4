// peer.cpp: how the load generator gets its sockets.
//
// See peer.hpp.
//
// SPDX-License-Identifier: MIT
#include "peer.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "text.hpp"

namespace anel_bench {
namespace {
constexpr auto connect_timeout = std::chrono::milliseconds(5000);  // for each connection
}

void fail(const std::string& operation, int error) {
    throw std::system_error(error, std::generic_category(), operation);
}
void fail(const std::string& operation) { fail(operation, errno); }

sockaddr_in parse_address(const std::string& text) {
    std::array<char, 16> host{};
    char excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(text.c_str(), "%15[0-9.]:%5u%c", host.data(), &port, &excess) != 2 ||
        port == 0 || port > 65535 || inet_pton(AF_INET, host.data(), &address.sin_addr) != 1) {
        throw std::invalid_argument("not an IPv4 ADDRESS:PORT: " + text);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    return address;
}

void raise_file_limit(std::size_t connections) {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("getrlimit RLIMIT_NOFILE");
    const rlim_t needed = connections + 16;  // standard streams, epoll, pipes to the parent
    if (files.rlim_cur >= needed) return;
    if (files.rlim_max < needed) {
        throw std::invalid_argument(
            format("%zu connections need more descriptors than the limit of "
                   "%llu (ulimit -Hn)",
                   connections, static_cast<unsigned long long>(files.rlim_max)));
    }
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("setrlimit RLIMIT_NOFILE");
}

unique_fd begin_connect(const sockaddr_in& address) {
    unique_fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) fail("socket");
    const int one = 1;
    if (setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (connect(fd.get(), generic, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
    return fd;
}

void finish_connect(int fd, const std::string& name) {
    pollfd waiting{fd, POLLOUT, 0};
    int ready = 0;
    do {
        ready = poll(&waiting, 1, static_cast<int>(connect_timeout.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) fail("poll");
    if (ready == 0) fail(name, ETIMEDOUT);
    if (const int error = socket_error(fd)) fail(name, error);
}

void come_and_go(const sockaddr_in& address, const std::string& name) {
    const unique_fd fd = begin_connect(address);
    finish_connect(fd.get(), "connect " + name);
    shutdown(fd.get(), SHUT_WR);
    pollfd ended{fd.get(), POLLIN, 0};
    poll(&ended, 1, static_cast<int>(connect_timeout.count()));
}

int socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

}  // namespace anel_bench
