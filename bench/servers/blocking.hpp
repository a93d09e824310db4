// blocking.hpp: sequential code for one connection, the way sockets are first taught.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "server.hpp"

namespace server {

inline bool send_all(int fd, std::span<const char> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

/// Receives and answers until the peer has finished or is gone; then closes.
inline void serve_connection(int fd, protocol& rules, std::span<char> buffer) {
    for (;;) {
        const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (!send_all(fd, rules.answer(buffer.first(static_cast<std::size_t>(n))))) break;
    }
    close(fd);
}

}  // namespace server
