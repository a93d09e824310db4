// tls_stream.hpp: a stream whose bytes travel enciphered over another stream.
//
// Used as tcp_stream is: one task may send while another receives.
// Knows: the engine, streams, tasks. Must not know: OpenSSL.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/tls_connection.hpp>
#include <anel/recv_buffer.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>
#include <anel/tls_context.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace anel {

/// TLS over a connected stream `Next`. Move-only, also while tasks wait on it. The handshake comes
/// with the first call, or is awaited by name, to know what was agreed on. When it goes after the
/// end of its input, it says its own end to the peer if the socket takes that at once. Before that
/// nobody knows whether all was sent, and the peer must not take a part for the whole: say it with
/// shutdown_send() or close().
template <class Next>
class tls_over {
public:
    tls_over() noexcept = default;

    /// A server's end, over a connection that was accepted.
    /// Errors  std::invalid_argument for the context of a client; std::bad_alloc.
    tls_over(Next below, const tls_context& context)
        : connection_(new connection(std::move(below), context, std::string_view())) {}
    /// A client's end. `host` is whom the server's certificate must be made for: a name or a
    /// numeric address.
    /// Errors  std::invalid_argument for the context of a server, for no host, and for one that
    ///         begins with a dot or holds a zero byte.
    tls_over(Next below, const tls_context& context, std::string_view host)
        : connection_(new connection(std::move(below), context, host)) {}

    tls_over(tls_over&& other) noexcept = default;
    tls_over& operator=(tls_over&& other) noexcept {
        if (this != &other) {
            say_end();
            connection_ = std::move(other.connection_);
        }
        return *this;
    }
    ~tls_over() { say_end(); }

    /// Agrees with the peer on keys; ends at once where that was done. After a cancel or a timeout
    /// of yours it can be awaited again.
    /// Errors   `TLS handshake with PEER: REASON`: tls_category(), certificate_category();
    ///          ETIMEDOUT once the context's handshake_timeout is over, ECONNRESET …;
    ///          errc::unexpected_eof.
    task<> handshake() { return connection::handshake(connection_.get()); }

    /// Receives at least one byte and at most `buffer.size` bytes.
    /// Returns  bytes received; 0 once the peer has said its end, or when `buffer` is empty.
    /// Errors   errc::unexpected_eof when the connection ends and the peer has not said so: what
    ///          came may be a part. tls_category() for what cannot be deciphered; those of `Next`
    ///          and of handshake(). A cancel loses nothing: the next receive finds the bytes.
    /// Lifetime `buffer` must outlive the co_await.
    /// Cost     what arrived and does not fit into `buffer` is copied. A stream that waits holds no
    ///          memory for a record.
    task<std::size_t> recv(mutable_buffer buffer) {
        return connection::recv(connection_.get(), buffer);
    }
    /// Receives what arrives, 64 KiB and a record at most, into memory of its own: a stream that
    /// waits holds none.
    /// Returns  a recv_buffer; an empty one, which is false, once the peer has said its end.
    task<recv_buffer> recv() { return connection::recv(connection_.get()); }

    /// Sends all bytes of `buffer`: waits while the peer does not read. Sends of several tasks go
    /// one after the other.
    /// Errors   those of `Next` and of handshake(); EPIPE after shutdown_send(). After an error,
    ///          and after a cancel, some bytes may have been sent: the only sound thing left is to
    ///          close. Further sends fail with EPIPE, and the peer is not told of an end.
    /// Lifetime `buffer` must outlive the co_await.
    task<> send(const_buffer buffer) { return connection::send(connection_.get(), buffer); }

    /// Says the end to the peer, which receives 0. Receiving goes on. Does not wait for the peer's.
    /// After a cancel it can be awaited again. A receive sends the rest only if the socket takes it
    /// at once.
    task<> shutdown_send() { return connection::shutdown_send(connection_.get()); }

    /// Says the end to the peer if the socket takes that at once, ends what other tasks wait for
    /// with ECANCELED, and closes. Over a stream without try_send() only shutdown_send() says it.
    [[nodiscard("co_await it")]] auto close() noexcept {
        return typename connection::close_wait(connection_.get());
    }
    [[nodiscard]] bool is_open() const noexcept { return connection_ && !connection_->closed; }

    /// Changes the keys of both directions, which TLS 1.3 can, for a connection that lives long.
    /// Returns  false where there is nothing of the kind.
    task<bool> update_keys() { return connection::update_keys(connection_.get()); }

    /// The peer, for the text of an error: `192.0.2.7:4711`.
    [[nodiscard]] std::string peer_text() const {
        return connection_ ? connection_->peer_text() : std::string();
    }
    /// The peer, where the stream below knows it.
    [[nodiscard]] endpoint peer_endpoint() const
        requires requires(const Next& next) { next.peer_endpoint(); }
    {
        return connection_ ? connection_->below.peer_endpoint() : endpoint();
    }
    /// The protocol that was agreed on, "h2" say; empty when none was.
    /// Lifetime  of this and the next: until the stream goes.
    [[nodiscard]] std::string_view alpn() const noexcept {
        return connection_ ? connection_->engine.alpn() : std::string_view();
    }
    /// The host that the client asked for; empty when it named none.
    [[nodiscard]] std::string_view server_name() const noexcept {
        return connection_ ? connection_->engine.server_name() : std::string_view();
    }
    /// "TLSv1.3".
    [[nodiscard]] std::string_view version() const noexcept {
        return connection_ ? connection_->engine.version() : "";
    }
    /// "TLS_AES_256_GCM_SHA384".
    [[nodiscard]] std::string_view cipher() const noexcept {
        return connection_ ? connection_->engine.cipher() : "";
    }
    /// Whether the handshake went on with an earlier session.
    [[nodiscard]] bool is_resumed() const noexcept {
        return connection_ && connection_->engine.is_resumed();
    }
    /// The peer's certificate; nothing when it has shown none. Also of a resumed session.
    [[nodiscard]] std::optional<tls_peer_certificate> peer_certificate() const {
        return connection_ ? connection_->engine.peer_certificate() : std::nullopt;
    }

    /// The stream that carries this one, to set options of its socket.
    /// Lifetime  not of a stream that was made by default or moved from.
    [[nodiscard]] Next& below() noexcept { return connection_->below; }
    /// The socket that carries its bytes; null when there is none. serve() asks.
    [[nodiscard]] socket_handle* underlying_socket() noexcept {
        return connection_ ? connection_->socket() : nullptr;
    }

private:
    using connection = detail::tls_connection<Next>;

    void say_end() noexcept {
        if (connection_ && connection_->input_ended) connection_->say_end();
    }

    struct abandons {
        void operator()(connection* left) const noexcept { left->abandon(); }
    };

    // Where it is, it stays: OpenSSL knows the address, and tasks wait on what is in it.
    std::unique_ptr<connection, abandons> connection_;
};

/// TLS over TCP, or over a unix socket.
using tls_stream = tls_over<tcp_stream>;

extern template class detail::tls_connection<tcp_stream>;

}  // namespace anel
