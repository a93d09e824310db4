// connection.hpp: a connection of the load generator for TCP, plain or with TLS.
//
// Knows how bytes go in and out. Must not know when.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "common/unique_fd.hpp"
#include "load/tls.hpp"

namespace anel_bench {

struct connection {
    unique_fd fd;
    tls_session tls;
    std::uint64_t allowed = 0;   // bytes of requests that may go out
    std::uint64_t sent = 0;      // bytes the socket has taken
    std::uint64_t received = 0;  // bytes of replies that were right
    std::size_t of_reply = 0;    // bytes of the current reply that are here
    std::size_t oldest = 0;      // slot of the start time of the oldest request in flight
    std::size_t in_flight = 0;
    std::chrono::steady_clock::time_point began;  // churn: when connect(2) was called
    bool connecting = false;                      // churn: on its way
    bool waits_to_send = false;                   // EPOLLOUT is on
    bool finished = false;  // everything answered, our side of the stream is shut down
    bool over = false;      // takes no further part
};

/// As recv(2), send(2) do.
inline ssize_t take(connection& c, std::span<char> into) {
    if (c.tls) return c.tls.recv(into);
    return recv(c.fd.get(), into.data(), into.size(), 0);
}

inline ssize_t put(connection& c, std::span<const char> data) {
    if (c.tls) return c.tls.send(data);
    return send(c.fd.get(), data.data(), data.size(), MSG_NOSIGNAL);
}

/// Why one of them has failed, from errno.
inline std::string why(const connection& c, const char* call) {
    const bool of_tls = c.tls && errno == EPROTO;
    return std::string(call) + ": " + (of_tls ? c.tls.why().c_str() : std::strerror(errno));
}

}  // namespace anel_bench
