// config.hpp: what stands behind a tls_context: files that were read, ticket keys, sessions of a
// client, the log of secrets.
//
// Loops of several threads share one, so what changes has a lock, which is held for the copy of a
// pointer or a key, and for a line of the log.
// Knows: OpenSSL. Must not know: streams.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/tls/openssl.hpp"

#include <anel/detail/tls_engine.hpp>
#include <anel/time.hpp>
#include <anel/tls_context.hpp>

#include <cstddef>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace anel::detail {

/// All that was read at one time. Never changes.
struct tls_credentials {
    struct entry {
        ssl_ctx_ptr context;
        x509_ptr certificate;  // null for a client without one
    };
    std::vector<entry> entries;  // one for a client

    /// The context whose certificate has this name; the first when none has.
    [[nodiscard]] SSL_CTX* context_for(const char* host) const noexcept;
};

/// Ticket keys: the first makes tickets, all open them.
class ticket_keys {
public:
    explicit ticket_keys(std::chrono::nanoseconds lifetime) : lifetime_(lifetime) {}

    void set(std::span<const tls_ticket_key> keys);
    /// The key for a new ticket. Errors: io_error, when there is no randomness.
    tls_ticket_key newest(time_point now);
    struct found {
        tls_ticket_key key;
        bool is_newest;
    };
    /// The key that has this name, 16 bytes.
    std::optional<found> find(const unsigned char* name, time_point now);

private:
    void rotate(time_point now);

    std::mutex guard_;
    std::vector<tls_ticket_key> keys_;
    std::chrono::nanoseconds lifetime_;  // zero: they are somebody else's affair
    time_point made_{};
};

/// Sessions that a client can resume, by the server's name and port.
class session_cache {
public:
    void put(const std::string& server, ssl_session_ptr session);
    /// One that can be resumed; null when there is none.
    ssl_session_ptr take(const std::string& server);

private:
    // A server gives two tickets, and each is for one connection.
    static constexpr std::size_t of_a_server_max = 4;
    static constexpr std::size_t servers_max = 256;

    std::mutex guard_;
    std::map<std::string, std::vector<ssl_session_ptr>> sessions_;
};

/// The file that secrets are appended to.
class secrets_log {
public:
    explicit secrets_log(const std::string& path);
    void write(const char* line) noexcept;

private:
    std::mutex guard_;
    std::unique_ptr<std::FILE, freed_by<std::fclose>> file_;
};

class tls_config {
public:
    /// Errors  those of tls_context::server().
    tls_config(std::string chain, std::string key, tls_server_options options);
    explicit tls_config(tls_client_options options);

    void reload();
    [[nodiscard]] std::shared_ptr<const tls_credentials> credentials() const;
    [[nodiscard]] bool is_server() const noexcept { return is_server_; }
    [[nodiscard]] std::chrono::nanoseconds handshake_timeout() const noexcept { return timeout_; }
    /// ALPN names as they are sent: each behind its length.
    [[nodiscard]] const std::string& alpn() const noexcept { return alpn_; }
    [[nodiscard]] bool logs_secrets() const noexcept { return log_ != nullptr; }
    void log_secret(const char* line) const noexcept { log_->write(line); }

    ticket_keys tickets;
    session_cache sessions;

private:
    [[nodiscard]] std::shared_ptr<const tls_credentials> read() const;
    [[nodiscard]] ssl_ctx_ptr context() const;

    const bool is_server_;
    std::vector<tls_certificate> certificates_;
    std::string roots_;  // of the other side
    std::string alpn_;
    bool peer_may_show_none_ = false;
    std::chrono::nanoseconds timeout_;
    tls_version version_min_;
    std::unique_ptr<secrets_log> log_;

    mutable std::mutex guard_;
    std::shared_ptr<const tls_credentials> credentials_;
};

/// What OpenSSL calls back.
struct tls_callbacks {
    /// Installs them in a context of `of`.
    static void install(SSL_CTX* context, const tls_config& of) noexcept;
    /// How a connection reads and writes: its engine's memory.
    static const BIO_METHOD* memory() noexcept;

private:
    static tls_engine& engine_of(const SSL* connection) noexcept;
    static int choose_certificate(SSL* connection, int* alert, void*) noexcept;
    static int choose_protocol(SSL* connection, const unsigned char** out, unsigned char* size,
                               const unsigned char* offered, unsigned int offered_size,
                               void*) noexcept;
    static int verify(int good, X509_STORE_CTX* checked) noexcept;
    static int crypt_ticket(SSL* connection, unsigned char* name, unsigned char* vector,
                            EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int making) noexcept;
    static int pad_ticket(SSL* connection, void*) noexcept;
    static int keep_session(SSL* connection, SSL_SESSION* session) noexcept;
    static void log_secret(const SSL* connection, const char* line) noexcept;
    static int read(BIO* from, char* into, std::size_t size, std::size_t* count) noexcept;
    static int write(BIO* to, const char* bytes, std::size_t size, std::size_t* count) noexcept;
    static long control(BIO* of, int command, long, void*) noexcept;
};

/// The files of a certificate in a context of `like`. Errors: see tls_context::server().
x509_ptr use_certificate(SSL_CTX* context, const tls_certificate& files);
/// Trusts the certificates of a file; of the system where `path` is empty.
/// Returns  the fingerprints of those of the file, one behind the other.
std::vector<unsigned char> trust(SSL_CTX* context, const std::string& path, bool tell_clients);

}  // namespace anel::detail
