// tls_context.hpp: what TLS connections have in common: certificates, whom they trust, how long a
// handshake may take.
//
// Knows: files of certificates and keys. Must not know: streams. No header of OpenSSL is included.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace anel {

namespace detail {
class tls_engine;
class tls_config;
}  // namespace detail

/// Errors of TLS, by OpenSSL's numbers and in its words: `no shared cipher`, `tlsv1 alert unknown
/// ca`. They compare equal to std::errc::protocol_error.
const std::error_category& tls_category() noexcept;
/// Why a certificate was refused, by the numbers X509_V_ERR_: `certificate has expired`, `hostname
/// mismatch`. They compare equal to std::errc::permission_denied.
const std::error_category& certificate_category() noexcept;

enum class tls_version : std::uint8_t { tls_1_2, tls_1_3 };

/// A certificate and its key, in files of PEM text.
struct tls_certificate {
    std::string chain;     ///< the certificate, followed by the intermediate ones
    std::string key;       ///< its private key
    std::string password;  ///< of the key, if it is encrypted
};

/// What session tickets are made and opened with. Whoever has it can read sessions that were
/// resumed with its tickets: rotate it, and keep it where keys are kept.
struct tls_ticket_key {
    std::array<unsigned char, 80> bytes{};  ///< 16 of a name, 32 for HMAC-SHA256, 32 for AES-256

    /// A new one.
    /// Errors  tls_category(), when there is no randomness.
    static tls_ticket_key random();
    /// The first 80 bytes of a file, as `openssl rand 80` makes it and nginx reads it.
    /// Errors  io_error: ENOENT, EACCES …; EINVAL when the file does not have 80 bytes.
    static tls_ticket_key read(const std::string& path);
};

struct tls_server_options {
    /// Of the first key, if it is encrypted.
    std::string password;
    /// Further certificates. A client gets the first one that has the name it asks for (SNI), and
    /// one that asks for no name, or an unknown one, gets the first of all.
    std::vector<tls_certificate> more;
    /// Protocols to speak over TLS, "h2" or "http/1.1", best first. Empty: none is spoken of. A
    /// client that offers only others is refused; one that offers none is not.
    std::vector<std::string> alpn;
    /// A file of certificates: clients must show one that these have signed. Empty: nobody asks.
    std::string client_roots;
    /// Clients may also show none.
    bool client_certificate_optional = false;
    /// From the first byte of a handshake to its end. Zero: no limit.
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
    /// A new ticket key is made so often; the one before still opens its tickets. Zero, and once
    /// keys were given to set_ticket_keys(): never.
    std::chrono::nanoseconds ticket_key_lifetime = std::chrono::hours(12);
    tls_version version_min = tls_version::tls_1_2;
    /// A file to which the secrets of every connection are appended, for Wireshark: whoever has it
    /// can read them all. Empty: none.
    std::string key_log;
};

struct tls_client_options {
    /// A file of certificates, which are trusted instead of those of the system.
    std::string roots;
    /// What is shown to a server that asks. No chain: nothing.
    tls_certificate certificate;
    /// Protocols to speak over TLS, best first. Empty: none is offered.
    std::vector<std::string> alpn;
    /// From the first byte of a handshake to its end. Zero: no limit.
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
    tls_version version_min = tls_version::tls_1_2;
    /// As for a server.
    std::string key_log;
};

/// What connections begin with. A handle: its copies are the same context. TLS 1.2 at least; no
/// compression, and no renegotiation.
/// Thread  any: connections of several loops may share one.
class tls_context {
public:
    /// A server's: PEM files of its certificate, followed by the intermediate ones, and of its key.
    /// Errors   io_error that names the file: ENOENT …; `no certificate`; a key of another
    ///          certificate, a wrong password. std::invalid_argument for an ALPN name of no bytes,
    ///          or more than 255.
    /// Thread   reads files, and the caller waits for it. So does reload().
    static tls_context server(std::string certificate_chain, std::string key,
                              tls_server_options options = {});
    /// A client's. Certificates of servers are checked always: whether one that is trusted has
    /// signed them, whether they are valid today, and whether they are those of the host.
    /// Errors   the same; and when nobody is trusted, because the system has no certificates.
    static tls_context client(tls_client_options options = {});

    /// Reads all files again. Handshakes that begin from now on use what they hold now; connections
    /// go on as they are, and sessions can still be resumed, unless `client_roots` holds others.
    /// Errors   those of server(); then everything stays as it was.
    void reload();

    /// Tickets are made with the first key, and opened with each: all processes that are given the
    /// same keys, and ask clients for the same certificates, resume each other's sessions. To
    /// rotate them, put a new one second everywhere, and later first.
    /// Errors   std::invalid_argument for none at all, and for a client's context.
    void set_ticket_keys(std::span<const tls_ticket_key> keys);

    [[nodiscard]] bool is_server() const noexcept;
    [[nodiscard]] std::chrono::nanoseconds handshake_timeout() const noexcept;

private:
    friend detail::tls_engine;
    explicit tls_context(std::shared_ptr<detail::tls_config> config) noexcept;
    std::shared_ptr<detail::tls_config> config_;
};

}  // namespace anel
