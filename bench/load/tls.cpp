// tls.cpp: TLS for the load generator, with OpenSSL.
//
// See tls.hpp.
//
// SPDX-License-Identifier: MIT
#include "load/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "common/text.hpp"
#include "common/unique_fd.hpp"
#include "load/peer.hpp"

namespace anel_bench {
namespace {

constexpr int handshake_timeout_ms = 10'000;
constexpr std::size_t read_ahead = 128 << 10;  // some records of 16 KiB in one call
constexpr long valid_for = 7L * 24 * 3600;     // seconds

template <auto Free>
struct freed {
    template <class T>
    void operator()(T* one) const noexcept {
        Free(one);
    }
};
using context_ptr = std::unique_ptr<SSL_CTX, freed<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed<SSL_free>>;
using ticket_ptr = std::unique_ptr<SSL_SESSION, freed<SSL_SESSION_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free_all>>;

std::string last_error() {
    const auto code = ERR_peek_last_error();
    const char* const reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return reason != nullptr ? reason : "the peer broke it off";
}

void check(bool well, const char* what) {
    if (!well) throw std::runtime_error(format("%s: %s", what, last_error().c_str()));
}

}  // namespace

struct tls_session::state {
    ssl_ptr ssl;
    bool has_to_resume = false;
    std::string why;

    /// What a call of OpenSSL came to.
    ssize_t result(int n) {
        if (n > 0) return n;
        switch (SSL_get_error(ssl.get(), n)) {
            case SSL_ERROR_WANT_READ:
            case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
            case SSL_ERROR_ZERO_RETURN: return 0;
            default: return failed("TLS: " + last_error());
        }
    }
    ssize_t failed(std::string text) {
        why = std::move(text);
        errno = EPROTO;
        return -1;
    }
};

tls_session::tls_session() noexcept = default;
tls_session::tls_session(tls_session&&) noexcept = default;
tls_session& tls_session::operator=(tls_session&&) noexcept = default;
tls_session::~tls_session() = default;

void tls_session::handshake(int fd, const std::string& name) {
    for (;;) {
        ERR_clear_error();
        if (state_->result(SSL_do_handshake(state_->ssl.get())) > 0) return;
        if (errno != EAGAIN) throw std::runtime_error(name + ": " + state_->why);
        const bool writes = SSL_want_write(state_->ssl.get());
        pollfd waiting{fd, static_cast<short>(writes ? POLLOUT : POLLIN), 0};
        const int ready = poll(&waiting, 1, handshake_timeout_ms);
        if (ready < 0 && errno != EINTR) fail("poll");
        if (ready == 0) fail(name + ": TLS handshake", ETIMEDOUT);
    }
}

ssize_t tls_session::recv(std::span<char> into) {
    ERR_clear_error();
    const auto size = std::min<std::size_t>(into.size(), INT_MAX);
    const auto n = state_->result(SSL_read(state_->ssl.get(), into.data(), static_cast<int>(size)));
    if (n > 0 && std::exchange(state_->has_to_resume, false) &&
        SSL_session_reused(state_->ssl.get()) == 0) {
        return state_->failed("TLS: the server has not resumed the session");
    }
    return n;
}

ssize_t tls_session::send(std::span<const char> data) {
    ERR_clear_error();
    const auto size = std::min<std::size_t>(data.size(), INT_MAX);
    const auto n =
        state_->result(SSL_write(state_->ssl.get(), data.data(), static_cast<int>(size)));
    return n == 0 ? state_->failed("TLS: the peer has ended the session") : n;
}

bool tls_session::waits_for_peer() const noexcept { return SSL_want_read(state_->ssl.get()); }
bool tls_session::holds_more() const noexcept {
    return state_ && SSL_has_pending(state_->ssl.get()) == 1;
}
void tls_session::end() noexcept {
    ERR_clear_error();
    if (SSL_is_init_finished(state_->ssl.get())) SSL_shutdown(state_->ssl.get());
}
const std::string& tls_session::why() const noexcept { return state_->why; }

struct tls_client::shared {
    context_ptr context{SSL_CTX_new(TLS_client_method())};
    ticket_ptr ticket;  // the newest that a server gave

    static int keep(SSL* ssl, SSL_SESSION* ticket) {
        auto* self = static_cast<shared*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
        self->ticket.reset(ticket);
        return 1;  // it is ours now
    }
};

tls_client::tls_client(bool resumes) : shared_(std::make_unique<shared>()) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL sends with write(2)
    SSL_CTX* const context = shared_->context.get();
    check(context != nullptr, "TLS");
    check(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
              SSL_CTX_set1_groups_list(context, "X25519") == 1,
          "TLS settings");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, read_ahead);
    if (!resumes) return;
    SSL_CTX_set_app_data(context, shared_.get());
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, &shared::keep);
}

tls_client::~tls_client() = default;

tls_session tls_client::begin(int fd) {
    tls_session session;
    session.state_ = std::make_unique<tls_session::state>();
    session.state_->ssl.reset(SSL_new(shared_->context.get()));
    SSL* const ssl = session.state_->ssl.get();
    check(ssl != nullptr && SSL_set_fd(ssl, fd) == 1, "TLS session");
    if (shared_->ticket) {
        // A copy: OpenSSL marks what it has used once.
        const ticket_ptr copy(SSL_SESSION_dup(shared_->ticket.get()));
        check(copy && SSL_set_session(ssl, copy.get()) == 1, "TLS ticket");
        session.state_->has_to_resume = true;
    }
    SSL_set_connect_state(ssl);
    return session;
}

const std::string& tls_identity() {
    static const unique_fd file(memfd_create("certificate", MFD_CLOEXEC));
    static const std::string path = [] {
        if (!file) fail("memfd_create");
        const key_ptr key(EVP_EC_gen("P-256"));
        const certificate_ptr one(X509_new());
        check(key && one, "a key");
        X509_NAME* const name = X509_get_subject_name(one.get());
        const std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>> names(
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"));
        check(X509_set_version(one.get(), X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set(X509_get_serialNumber(one.get()), 1) == 1 &&
                  X509_gmtime_adj(X509_getm_notBefore(one.get()), -3600) != nullptr &&
                  X509_gmtime_adj(X509_getm_notAfter(one.get()), valid_for) != nullptr &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                             reinterpret_cast<const unsigned char*>("anel-bench"),
                                             -1, -1, 0) == 1 &&
                  X509_set_issuer_name(one.get(), name) == 1 &&
                  X509_set_pubkey(one.get(), key.get()) == 1 && names &&
                  X509_add_ext(one.get(), names.get(), -1) == 1 &&
                  X509_sign(one.get(), key.get(), EVP_sha256()) > 0,
              "a certificate");
        const bio_ptr out(BIO_new_fd(file.get(), BIO_NOCLOSE));
        check(out && PEM_write_bio_X509(out.get(), one.get()) == 1 &&
                  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                           nullptr) == 1,
              "writing a certificate");
        return format("/proc/%d/fd/%d", static_cast<int>(getpid()), file.get());
    }();
    return path;
}

}  // namespace anel_bench
