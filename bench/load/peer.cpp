// peer.cpp: how the load generator gets its sockets.
//
// See peer.hpp.
//
// SPDX-License-Identifier: MIT
#include "load/peer.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "common/text.hpp"

namespace anel_bench {
namespace {
constexpr auto connect_timeout = std::chrono::milliseconds(5000);  // for each connection
}

void fail(const std::string& operation, int error) {
    throw std::system_error(error, std::generic_category(), operation);
}
void fail(const std::string& operation) { fail(operation, errno); }

server_address parse_address(const std::string& text) {
    const std::size_t colon = std::min(text.rfind(':'), text.size());
    std::string host = text.substr(0, colon);
    addrinfo hints{}, *found = nullptr;
    hints.ai_flags = AI_NUMERICHOST;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_INET;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        hints.ai_family = AF_INET6;
    }
    // getaddrinfo(3) would take a port above 65535 modulo 65536.
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto number = std::from_chars(text.data() + std::min(colon + 1, text.size()), end, port);
    if (number.ec != std::errc() || number.ptr != end || port == 0 ||
        getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        throw std::invalid_argument("not an ADDRESS:PORT, such as 127.0.0.1:7777 or [::1]:7777: " +
                                    text);
    }
    server_address address;
    address.length = found->ai_addrlen;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
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

unique_fd begin_connect(const server_address& address) {
    unique_fd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) fail("socket");
    const int one = 1;
    if (setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
    if (connect(fd.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
        fail("connect");
    }
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

void end_connection(unique_fd fd) {
    const linger at_once{1, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd.get(), SHUT_WR);
}

void come_and_go(const server_address& address, const std::string& name) {
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
