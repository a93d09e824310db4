// callbacks.cpp: what OpenSSL asks during a handshake, and how a connection reads and writes.
//
// They are called from inside OpenSSL, so nothing may leave them but a number.
// SPDX-License-Identifier: MIT
#include "net/tls/config.hpp"

#include <anel/error.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace anel::detail {
namespace {

/// The beginning of a text that a peer has made, for a line of a log: whole characters, and of
/// those that control a terminal OpenSSL has left U+0080 to U+009F.
std::string printable(std::string_view text) {
    constexpr std::size_t most = 200;
    std::size_t size = std::min(text.size(), most);
    while (size > 0 && size < text.size() && (text[size] & 0xc0) == 0x80) size -= 1;
    std::string safe(text.substr(0, size));
    for (std::size_t i = 1; i < safe.size(); ++i) {
        if (safe[i - 1] == '\xc2' && (safe[i] & 0xe0) == 0x80) safe.replace(i - 1, 2, "?");
    }
    return safe;
}

/// ` (certificate CN=old.example.com)`.
std::string about_certificate(X509* certificate) {
    std::string text = " (certificate ";
    const bio_ptr printed(::BIO_new(::BIO_s_mem()));
    if (!printed || !certificate) return {};
    ::X509_NAME_print_ex(printed.get(), ::X509_get_subject_name(certificate), 0,
                         XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    char* begin = nullptr;
    const long size = BIO_get_mem_data(printed.get(), &begin);
    if (size > 0) text += printable({begin, static_cast<std::size_t>(size)});
    return text + ')';
}

/// ` (it offers h3, http/0.9)`.
std::string about_offer(const unsigned char* offered, unsigned int size) {
    std::string text;
    for (unsigned int at = 0; at < size && text.size() < 200; at += 1U + offered[at]) {
        text += text.empty() ? " (it offers " : ", ";
        for (unsigned int i = 1; i <= offered[at] && at + i < size; ++i) {
            const unsigned char c = offered[at + i];
            text += c >= ' ' && c < 127 ? static_cast<char>(c) : '?';
        }
    }
    return text.empty() ? text : text + ')';
}

}  // namespace

void tls_callbacks::install(SSL_CTX* context, const tls_config& of) noexcept {
    ::SSL_CTX_set_verify(context, SSL_VERIFY_NONE, &verify);
    if (of.is_server()) {
        ::SSL_CTX_set_tlsext_servername_callback(context, &choose_certificate);
        ::SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &crypt_ticket);
        ::SSL_CTX_set_session_ticket_cb(context, &pad_ticket, nullptr, nullptr);
        if (!of.alpn().empty()) ::SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
    } else {
        ::SSL_CTX_sess_set_new_cb(context, &keep_session);
    }
    // OpenSSL writes each secret out in hexadecimal first: 7 % of a handshake's instructions.
    if (of.logs_secrets()) ::SSL_CTX_set_keylog_callback(context, &log_secret);
}

tls_engine& tls_callbacks::engine_of(const SSL* connection) noexcept {
    return *static_cast<tls_engine*>(SSL_get_app_data(connection));
}

int tls_callbacks::choose_certificate(SSL* connection, int*, void*) noexcept {
    const char* host = ::SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    if (!host) return SSL_TLSEXT_ERR_NOACK;
    ::SSL_set_SSL_CTX(connection, engine_of(connection).credentials_->context_for(host));
    return SSL_TLSEXT_ERR_OK;
}

int tls_callbacks::choose_protocol(SSL* connection, const unsigned char** out, unsigned char* size,
                                   const unsigned char* offered, unsigned int offered_size,
                                   void*) noexcept {
    tls_engine& engine = engine_of(connection);
    const std::string& ours = engine.config_->alpn();
    unsigned char* chosen = nullptr;
    const int found =
        ::SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                static_cast<unsigned int>(ours.size()), offered, offered_size);
    *out = chosen;
    if (found == OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_OK;
    try {
        engine.about_ = about_offer(offered, offered_size);
    } catch (const std::bad_alloc&) {
        engine.about_.clear();
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int tls_callbacks::verify(int good, X509_STORE_CTX* checked) noexcept {
    if (good == 1) return 1;
    const auto* connection = static_cast<const SSL*>(
        ::X509_STORE_CTX_get_ex_data(checked, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
    tls_engine& engine = engine_of(connection);
    try {
        engine.about_ = about_certificate(::X509_STORE_CTX_get_current_cert(checked));
    } catch (const std::bad_alloc&) {
        engine.about_.clear();
    }
    return 0;
}

int tls_callbacks::crypt_ticket(SSL* connection, unsigned char* name, unsigned char* vector,
                                EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int making) noexcept {
    const tls_engine& engine = engine_of(connection);
    tls_ticket_key key;
    bool renew = false;
    try {
        if (making == 1) {
            key = engine.config_->tickets.newest(engine.now_);
        } else {
            const auto found = engine.config_->tickets.find(name, engine.now_);
            if (!found) return 0;  // a full handshake
            key = found->key;
            // A ticket of TLS 1.3 is for one connection, and the next one needs another.
            renew = !found->is_newest || ::SSL_version(connection) >= TLS1_3_VERSION;
        }
    } catch (...) {
        return -1;  // no memory, or no randomness
    }
    const EVP_CIPHER* algorithm = ::EVP_aes_256_cbc();
    if (making == 1) {
        std::memcpy(name, key.bytes.data(), 16);
        if (::RAND_bytes(vector, ::EVP_CIPHER_get_iv_length(algorithm)) != 1) return -1;
    }
    char digest[] = "SHA256";
    const OSSL_PARAM how[] = {
        ::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.bytes.data() + 16, 32),
        ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        ::OSSL_PARAM_construct_end()};
    if (::EVP_MAC_CTX_set_params(mac, how) != 1 ||
        ::EVP_CipherInit_ex(cipher, algorithm, nullptr, key.bytes.data() + 48, vector, making) !=
            1) {
        return -1;
    }
    return renew ? 2 : 1;
}

// A ticket holds random numbers, which are written without their leading zeros: its length would
// differ from run to run, and a simulated run would not repeat itself.
int tls_callbacks::pad_ticket(SSL* connection, void*) noexcept {
    constexpr std::size_t step = 256;
    constexpr unsigned char zeros[2 * step]{};
    SSL_SESSION* session = ::SSL_get_session(connection);
    std::size_t padding = 0;
    for (int i = 0; i < 3; ++i) {  // its own length takes bytes, too
        if (::SSL_SESSION_set1_ticket_appdata(session, zeros, padding) != 1) return 0;
        const auto size = static_cast<std::size_t>(::i2d_SSL_SESSION(session, nullptr));
        const std::size_t more = (step - size % step) % step;
        if (more == 0 || padding + more > sizeof zeros) break;
        padding += more;
    }
    return 1;
}

// Returns whether the session is ours now.
int tls_callbacks::keep_session(SSL* connection, SSL_SESSION* session) noexcept {
    const tls_engine& engine = engine_of(connection);
    if (::SSL_SESSION_is_resumable(session) != 1) return 0;
    try {
        engine.config_->sessions.put(engine.place_, ssl_session_ptr(session));
    } catch (const std::bad_alloc&) {
        // It is gone, and the next handshake is a full one.
    }
    return 1;
}

void tls_callbacks::log_secret(const SSL* connection, const char* line) noexcept {
    engine_of(connection).config_->log_secret(line);
}

int tls_callbacks::read(BIO* from, char* into, std::size_t size, std::size_t* count) noexcept {
    tls_engine& engine = *static_cast<tls_engine*>(::BIO_get_data(from));
    BIO_clear_retry_flags(from);
    *count = std::min(size, engine.input_.size());
    if (*count == 0) {
        BIO_set_retry_read(from);
        return 0;
    }
    std::memcpy(into, engine.input_.data(), *count);
    engine.input_ = engine.input_.subspan(*count);
    return 1;
}

int tls_callbacks::write(BIO* to, const char* bytes, std::size_t size,
                         std::size_t* count) noexcept {
    tls_engine& engine = *static_cast<tls_engine*>(::BIO_get_data(to));
    BIO_clear_retry_flags(to);
    if (!engine.output.append(std::as_bytes(std::span(bytes, size)))) {
        engine.out_of_memory_ = true;
        return 0;
    }
    *count = size;
    return 1;
}

long tls_callbacks::control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* tls_callbacks::memory() noexcept {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = ::BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "anel");
        if (!made) return made;
        ::BIO_meth_set_read_ex(made, &read);
        ::BIO_meth_set_write_ex(made, &write);
        ::BIO_meth_set_ctrl(made, &control);
        return made;
    }();
    return method;
}

}  // namespace anel::detail
