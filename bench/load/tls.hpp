// tls.hpp: TLS for the load generator: the client's side, and a certificate for servers it starts.
//
// Every server is asked for the same: TLS 1.3, TLS_AES_128_GCM_SHA256, X25519. Nothing is verified
// but the bytes, since who answers is known. Knows one socket at a time, no load and no epoll.
// Must not know: how anel does TLS; OpenSSL is used by itself.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace anel_bench {

/// TLS on a socket that does not block.
class tls_session {
public:
    tls_session() noexcept;  // none
    tls_session(tls_session&& other) noexcept;
    tls_session& operator=(tls_session&& other) noexcept;
    ~tls_session();
    explicit operator bool() const noexcept { return state_ != nullptr; }

    /// Waits until the handshake is over. Errors: std::runtime_error or std::system_error.
    void handshake(int fd, const std::string& name);
    /// As recv(2) and send(2) do; the first of them makes the handshake, where it is still to come.
    /// Errors  -1 with errno: EAGAIN; EPROTO with why() in words.
    ssize_t recv(std::span<char> into);
    ssize_t send(std::span<const char> data);
    /// Whether a send that gave EAGAIN goes on after something has come from the peer.
    [[nodiscard]] bool waits_for_peer() const noexcept;
    /// Whether there is more to recv() than the socket tells.
    [[nodiscard]] bool holds_more() const noexcept;
    /// Tells the peer that this is the end.
    void end() noexcept;
    [[nodiscard]] const std::string& why() const noexcept;

private:
    friend class tls_client;
    struct state;
    std::unique_ptr<state> state_;
};

/// What the sessions of a load share.
class tls_client {
public:
    /// `resumes`: every session but the first resumes an earlier one, or fails.
    /// Errors  std::invalid_argument when this program was built without OpenSSL.
    explicit tls_client(bool resumes);
    tls_client(const tls_client&) = delete;
    tls_client& operator=(const tls_client&) = delete;
    ~tls_client();
    tls_session begin(int fd);

private:
    struct shared;
    std::unique_ptr<shared> shared_;
};

/// The path of a file with a certificate for 127.0.0.1 and its key (P-256), made at the first call.
/// It is in memory, and there while this process lives.
const std::string& tls_identity();

}  // namespace anel_bench
