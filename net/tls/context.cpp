// context.cpp: makes contexts of files and options, and replaces them while connections go on.
// SPDX-License-Identifier: MIT
#include "net/tls/config.hpp"

#include <anel/error.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <new>
#include <stdexcept>

#include <openssl/rand.h>

namespace anel {
namespace detail {
namespace {

// Forward secrecy and authenticated encryption alone; TLS 1.3 has no others.
constexpr const char* ciphers_of_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

std::string alpn_to_send(const std::vector<std::string>& names) {
    std::string sent;
    for (const std::string& name : names) {
        if (name.empty() || name.size() > 255) {
            throw std::invalid_argument("anel: an ALPN name has 1 to 255 bytes; \"" + name +
                                        "\" has " + std::to_string(name.size()));
        }
        sent += static_cast<char>(name.size());
        sent += name;
    }
    return sent;
}

std::vector<tls_certificate> all_of(std::string chain, std::string key,
                                    const tls_server_options& options) {
    std::vector<tls_certificate> all;
    all.push_back({std::move(chain), std::move(key), options.password});
    all.insert(all.end(), options.more.begin(), options.more.end());
    return all;
}

// A resumed session shows no certificate: whoever made it has looked at one. So it is resumed only
// where the same clients are let in by the same authorities, also when ticket keys are shared.
void keep_sessions_within(SSL_CTX* context, const std::vector<unsigned char>& admits) {
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    static_assert(SSL_MAX_SID_CTX_LENGTH == 32);  // that of SHA-256
    if (::EVP_Digest(admits.data(), admits.size(), id, &size, ::EVP_sha256(), nullptr) != 1 ||
        ::SSL_CTX_set_session_id_context(context, id, size) != 1) {
        throw_openssl_error("make a TLS context", {});
    }
}

std::unique_ptr<secrets_log> log_to(const std::string& path) {
    return path.empty() ? nullptr : std::make_unique<secrets_log>(path);
}

}  // namespace

SSL_CTX* tls_credentials::context_for(const char* host) const noexcept {
    for (const entry& each : entries) {
        // Its names alone; the common name was for that once, and no client looks at it.
        if (::X509_check_host(each.certificate.get(), host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                              nullptr) == 1) {
            return each.context.get();
        }
    }
    return entries.front().context.get();
}

void ticket_keys::set(std::span<const tls_ticket_key> keys) {
    const std::lock_guard lock(guard_);
    keys_.assign(keys.begin(), keys.end());
    lifetime_ = std::chrono::nanoseconds::zero();
}

void ticket_keys::rotate(time_point now) {
    const bool due = lifetime_ > duration::zero() && now >= after(made_, lifetime_);
    if (!keys_.empty() && !due) return;
    keys_.insert(keys_.begin(), tls_ticket_key::random());
    if (keys_.size() > 2) keys_.pop_back();
    made_ = now;
}

tls_ticket_key ticket_keys::newest(time_point now) {
    const std::lock_guard lock(guard_);
    rotate(now);
    return keys_.front();
}

std::optional<ticket_keys::found> ticket_keys::find(const unsigned char* name, time_point now) {
    const std::lock_guard lock(guard_);
    rotate(now);
    for (const tls_ticket_key& key : keys_) {
        if (std::equal(name, name + 16, key.bytes.begin())) {
            return found{key, &key == &keys_.front()};
        }
    }
    return {};
}

void session_cache::put(const std::string& server, ssl_session_ptr session) {
    const std::lock_guard lock(guard_);
    if (sessions_.size() >= servers_max && !sessions_.contains(server)) {
        sessions_.erase(sessions_.begin());
    }
    auto& of_server = sessions_[server];
    if (of_server.size() >= of_a_server_max) of_server.erase(of_server.begin());
    of_server.push_back(std::move(session));
}

ssl_session_ptr session_cache::take(const std::string& server) {
    const std::lock_guard lock(guard_);
    const auto found = sessions_.find(server);
    if (found == sessions_.end()) return {};
    if (found->second.empty()) return {};  // put() had no memory for its first
    ssl_session_ptr session = std::move(found->second.back());
    if (::SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION) {
        // Good for many connections, and no ticket follows.
        ::SSL_SESSION_up_ref(session.get());
        found->second.back().reset(session.get());
        return session;
    }
    found->second.pop_back();
    if (found->second.empty()) sessions_.erase(found);
    return session;
}

secrets_log::secrets_log(const std::string& path) {
    errno = 0;
    file_.reset(std::fopen(path.c_str(), "ae"));
    if (!file_) throw_errno(errno, "open key log", path);
}

void secrets_log::write(const char* line) noexcept {
    const std::lock_guard lock(guard_);
    std::fprintf(file_.get(), "%s\n", line);
    std::fflush(file_.get());
}

tls_config::tls_config(std::string chain, std::string key, tls_server_options options)
    : tickets(options.ticket_key_lifetime),
      is_server_(true),
      certificates_(all_of(std::move(chain), std::move(key), options)),
      roots_(options.client_roots),
      alpn_(alpn_to_send(options.alpn)),
      peer_may_show_none_(options.client_certificate_optional),
      timeout_(options.handshake_timeout),
      version_min_(options.version_min),
      log_(log_to(options.key_log)),
      credentials_(read()) {}

tls_config::tls_config(tls_client_options options)
    : tickets({}),
      is_server_(false),
      certificates_{options.certificate},
      roots_(options.roots),
      alpn_(alpn_to_send(options.alpn)),
      timeout_(options.handshake_timeout),
      version_min_(options.version_min),
      log_(log_to(options.key_log)),
      credentials_(read()) {}

ssl_ctx_ptr tls_config::context() const {
    ::ERR_clear_error();
    ssl_ctx_ptr made(::SSL_CTX_new(is_server_ ? ::TLS_server_method() : ::TLS_client_method()));
    if (!made) throw_openssl_error("make a TLS context", {});
    SSL_CTX* context = made.get();
    const int least = version_min_ == tls_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // An idle connection keeps no record's memory.
    ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (::SSL_CTX_set_min_proto_version(context, least) != 1 ||
        ::SSL_CTX_set_cipher_list(context, ciphers_of_1_2) != 1) {
        throw_openssl_error("make a TLS context", {});
    }
    // Tickets hold the sessions of a server; those of a client are ours to keep.
    ::SSL_CTX_set_session_cache_mode(context, is_server_ ? SSL_SESS_CACHE_OFF
                                                         : SSL_SESS_CACHE_CLIENT |
                                                               SSL_SESS_CACHE_NO_INTERNAL);
    if (!is_server_ && !alpn_.empty()) {
        const auto* names = reinterpret_cast<const unsigned char*>(alpn_.data());
        if (::SSL_CTX_set_alpn_protos(context, names, static_cast<unsigned>(alpn_.size())) != 0) {
            throw_openssl_error("set ALPN", {});
        }
    }
    tls_callbacks::install(context, *this);
    const bool asks = !is_server_ || !roots_.empty();
    std::vector<unsigned char> admits;
    if (asks) admits = trust(context, roots_, is_server_);
    int mode = asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (asks && is_server_ && !peer_may_show_none_) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    ::SSL_CTX_set_verify(context, mode, ::SSL_CTX_get_verify_callback(context));
    admits.push_back(static_cast<unsigned char>(mode));
    keep_sessions_within(context, admits);
    return made;
}

std::shared_ptr<const tls_credentials> tls_config::read() const {
    auto made = std::make_shared<tls_credentials>();
    for (const tls_certificate& files : certificates_) {
        tls_credentials::entry entry;
        entry.context = context();
        if (is_server_ || !files.chain.empty()) {
            entry.certificate = use_certificate(entry.context.get(), files);
        }
        made->entries.push_back(std::move(entry));
    }
    return made;
}

void tls_config::reload() {
    auto fresh = read();
    const std::lock_guard lock(guard_);
    credentials_.swap(fresh);
}

std::shared_ptr<const tls_credentials> tls_config::credentials() const {
    const std::lock_guard lock(guard_);
    return credentials_;
}

}  // namespace detail

using namespace detail;

tls_ticket_key tls_ticket_key::random() {
    tls_ticket_key made;
    ::ERR_clear_error();
    if (::RAND_priv_bytes(made.bytes.data(), static_cast<int>(made.bytes.size())) != 1) {
        throw_openssl_error("make a ticket key", {});
    }
    return made;
}

tls_ticket_key tls_ticket_key::read(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) throw_errno(errno != 0 ? errno : EIO, "open ticket key", path);
    tls_ticket_key made;
    file.read(reinterpret_cast<char*>(made.bytes.data()),
              static_cast<std::streamsize>(made.bytes.size()));
    if (file.gcount() != static_cast<std::streamsize>(made.bytes.size())) {
        throw_errno(EINVAL, "read 80 bytes of ticket key", path);
    }
    return made;
}

tls_context::tls_context(std::shared_ptr<tls_config> config) noexcept
    : config_(std::move(config)) {}

tls_context tls_context::server(std::string certificate_chain, std::string key,
                                tls_server_options options) {
    return tls_context(std::make_shared<tls_config>(std::move(certificate_chain), std::move(key),
                                                    std::move(options)));
}

tls_context tls_context::client(tls_client_options options) {
    return tls_context(std::make_shared<tls_config>(std::move(options)));
}

void tls_context::reload() { config_->reload(); }

void tls_context::set_ticket_keys(std::span<const tls_ticket_key> keys) {
    if (!is_server()) throw std::invalid_argument("anel: a TLS client makes no tickets");
    if (keys.empty()) throw std::invalid_argument("anel: no ticket key was given");
    config_->tickets.set(keys);
}

bool tls_context::is_server() const noexcept { return config_->is_server(); }

std::chrono::nanoseconds tls_context::handshake_timeout() const noexcept {
    return config_->handshake_timeout();
}

}  // namespace anel
