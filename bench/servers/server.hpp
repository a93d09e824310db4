// server.hpp: what the servers of this folder share: options, the listening socket, the protocol.
//
// The protocol has no messages, so a server needs no parser: every byte that arrives is sent back
// `times` times. Once is an echo; sixteen times makes a request of 64 bytes and a reply of 1 KiB.
// How a server waits, which is what is compared, is nowhere in here.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace server {

struct options {
    std::string address = "127.0.0.1:7777";  // IPv4
    std::size_t buffer = 4096;               // bytes a receive takes at most
    std::size_t times = 1;                   // how often a byte comes back
    std::chrono::microseconds work{0};       // of CPU time that each answer takes
    bool udp = false;                        // only of those servers that have a UDP part
    std::string tls;  // a file with a certificate and its key; only of those that have TLS
};

[[noreturn]] inline void die(const std::string& what, int error) {
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(error));
    std::exit(1);
}

/// Answers: every byte `times` times.
class protocol {
public:
    explicit protocol(const options& given) : times_(given.times), work_(given.work) {
        // The answer to one receive stays bounded.
        receive_max_ = std::min(given.buffer, std::max<std::size_t>(answer_max / times_, 1));
        if (times_ > 1) answer_.resize(receive_max_ * times_);
    }

    /// How much a server may receive at once.
    [[nodiscard]] std::size_t receive_max() const noexcept { return receive_max_; }

    /// The answer to `received`, valid until the next call; an echo is `received` itself.
    std::span<char> answer(std::span<char> received) noexcept {
        if (work_.count() > 0) {
            const auto done = std::chrono::steady_clock::now() + work_;
            while (std::chrono::steady_clock::now() < done) {}
        }
        if (times_ == 1) return received;
        char* out = answer_.data();
        for (const char byte : received) {
            std::memset(out, byte, times_);
            out += times_;
        }
        return std::span(answer_).first(received.size() * times_);
    }

    /// The answer to the first bytes of `received`, and takes them away from it: to all of them,
    /// or, where answers are longer, to as many as one receive may bring.
    std::span<char> answer_first(std::span<char>& received) noexcept {
        const auto size = times_ == 1 ? received.size() : std::min(received.size(), receive_max_);
        const auto first = received.first(size);
        received = received.subspan(size);
        return answer(first);
    }

private:
    static constexpr std::size_t answer_max = 1 << 20;
    std::size_t times_;
    std::chrono::microseconds work_;
    std::size_t receive_max_ = 0;
    std::vector<char> answer_;
};

#ifdef BENCH_TLS
constexpr bool built_with_tls = true;
#else
constexpr bool built_with_tls = false;
#endif

/// Options, signals that end the program, and as many descriptors as are allowed.
inline options start(int argc, char** argv) {
    options given;
    const auto number = [](const char* text) {
        const long value = std::atol(text);
        if (value < 1 || value > 1 << 20) die(std::string("not 1 to 1048576: ") + text, EINVAL);
        return static_cast<std::size_t>(value);
    };
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--buffer" && i + 1 < argc) given.buffer = number(argv[++i]);
        else if (argument == "--times" && i + 1 < argc) given.times = number(argv[++i]);
        else if (argument == "--work" && i + 1 < argc) {
            given.work = std::chrono::microseconds(number(argv[++i]));
        } else if (argument == "--udp") given.udp = true;
        else if (argument == "--tls" && built_with_tls && i + 1 < argc) given.tls = argv[++i];
        else if (argument.starts_with('-')) die("unknown option " + argument, EINVAL);
        else given.address = argument;
    }
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { _exit(0); });
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return given;
}

inline sockaddr_in parse_address(const std::string& text) {
    char host[16] = "", excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(text.c_str(), "%15[0-9.]:%5u%c", host, &port, &excess) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die("not an IPv4 ADDRESS:PORT: " + text, EINVAL);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    return address;
}

/// Tells whoever started the server where it listens, how it waits, and what else matters.
inline void announce(int fd, const char* kind, const std::string& details) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        die("getsockname", errno);
    }
    char host[16] = "";
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    std::printf("listening on %s:%d (%s) %s\n", host, ntohs(address.sin_port), kind,
                details.c_str());
    std::fflush(stdout);
}

/// A socket bound to the address. `flags`: SOCK_NONBLOCK or 0.
inline int bound_socket(const options& given, int flags) {
    sockaddr_in address = parse_address(given.address);
    const int one = 1;
    const int fd = socket(AF_INET, (given.udp ? SOCK_DGRAM : SOCK_STREAM) | flags, 0);
    if (fd < 0) die("socket", errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("SO_REUSEADDR", errno);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        die("bind " + given.address, errno);
    }
    return fd;
}

inline int listening_socket(const options& given, int flags) {
    if (given.udp) die("no UDP in this server", EINVAL);
    const int fd = bound_socket(given, flags);
    if (listen(fd, 4096) != 0) die("listen", errno);
    return fd;
}

/// The next connection, ready for use; -1 when there is none now.
inline int next_connection(int listener, int flags) {
    for (;;) {
        const int fd = accept4(listener, nullptr, nullptr, flags);
        if (fd < 0 && errno == EAGAIN) return -1;
        if (fd < 0 && (errno == ECONNABORTED || errno == EPROTO || errno == EINTR)) continue;
        if (fd < 0) die("accept", errno);
        const int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return fd;
    }
}

}  // namespace server
