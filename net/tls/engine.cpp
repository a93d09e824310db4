// engine.cpp: drives OpenSSL over memory, one call at a time.
// SPDX-License-Identifier: MIT
#include <anel/detail/tls_engine.hpp>

#include "net/tls/config.hpp"

#include <anel/detail/byte_memory.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

namespace anel::detail {

// --- the queue of bytes -------------------------------------------------------------------------

bool byte_queue::reserve(std::size_t size) noexcept {
    if (size <= room_ - end_) return true;
    const std::size_t held = this->size();
    const std::size_t room = std::max(held + size, 2 * held);
    std::byte* larger = nullptr;
    try {
        larger = take_byte_memory(room);
    } catch (const std::bad_alloc&) {
        return false;
    }
    if (held > 0) std::memcpy(larger, memory_ + begin_, held);
    give_back_byte_memory(memory_);
    memory_ = larger;
    room_ = room;
    begin_ = 0;
    end_ = held;
    return true;
}

bool byte_queue::append(std::span<const std::byte> bytes) noexcept {
    if (!reserve(bytes.size())) return false;
    if (!bytes.empty()) std::memcpy(memory_ + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
    return true;
}

void byte_queue::clear() noexcept {
    give_back_byte_memory(std::exchange(memory_, nullptr));
    room_ = begin_ = end_ = 0;
}

// --- a connection -------------------------------------------------------------------------------

namespace {

// The most that a record holds, and what it adds: header, authentication tag, padding.
constexpr std::size_t record_max = 16'384;
constexpr std::size_t record_overhead = 64;

bool is_numeric(const std::string& host) noexcept {
    ASN1_OCTET_STRING* address = ::a2i_IPADDRESS(host.c_str());
    ::ERR_clear_error();
    ::ASN1_OCTET_STRING_free(address);
    return address != nullptr;
}

std::string shown(std::string_view host) {
    std::string text;
    for (const char c : host) {
        if (c == '\0') text += "\\0";
        else text += c;
    }
    return text;
}

// What the certificate must be made for, and the name that is told to the server.
bool set_host(SSL* connection, const std::string& host) noexcept {
    ::SSL_set_hostflags(connection,
                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_numeric(host)) {
        return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(connection), host.c_str()) == 1;
    }
    return ::SSL_set1_host(connection, host.c_str()) == 1 &&
           SSL_set_tlsext_host_name(connection, host.c_str()) == 1;
}

}  // namespace

tls_engine::tls_engine(const tls_context& context, std::string_view host, std::string_view place)
    : config_(context.config_), credentials_(config_->credentials()) {
    const bool is_server = config_->is_server();
    if (is_server && !host.empty()) {
        throw std::invalid_argument("anel: a TLS server names no host, \"" + std::string(host) +
                                    "\"");
    }
    if (!is_server && host.empty()) {
        throw std::invalid_argument("anel: a TLS client needs the name of the host, which the "
                                    "server's certificate must have");
    }
    // To OpenSSL the one is any name in a domain, and the other ends before its end.
    if (!is_server && (host.front() == '.' || host.find('\0') != host.npos)) {
        throw std::invalid_argument("anel: no name of a host: \"" + shown(host) + "\"");
    }
    std::string name(host);
    if (name.size() > 1 && name.back() == '.') name.pop_back();  // the root of all names
    if (!is_server) place_ = name + ' ' + std::string(place);

    ::ERR_clear_error();
    ssl_ = ::SSL_new(credentials_->entries.front().context.get());
    BIO* memory = ssl_ ? ::BIO_new(tls_callbacks::memory()) : nullptr;
    if (!memory) {
        ::SSL_free(ssl_);
        throw std::bad_alloc();
    }
    ::BIO_set_data(memory, this);
    ::BIO_set_init(memory, 1);
    ::SSL_set_bio(ssl_, memory, memory);
    SSL_set_app_data(ssl_, this);
    if (is_server) {
        ::SSL_set_accept_state(ssl_);
        return;
    }
    ::SSL_set_connect_state(ssl_);
    if (!set_host(ssl_, name)) {
        ::SSL_free(ssl_);
        throw std::invalid_argument("anel: no name of a host: \"" + name + "\"");
    }
    if (const ssl_session_ptr session = config_->sessions.take(place_)) {
        ::SSL_set_session(ssl_, session.get());
    }
}

tls_engine::~tls_engine() {
    // Else a session whose connection ended without a farewell could not be resumed.
    if (!error_) ::SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    ::SSL_free(ssl_);
}

bool tls_engine::keep() noexcept {
    if (input_.empty()) {
        kept_.clear();
        return true;
    }
    const std::span<const std::byte> kept = kept_.bytes();
    if (!kept_.empty() && input_.data() >= kept.data() &&
        input_.data() < kept.data() + kept.size()) {
        return true;  // it lies there already
    }
    kept_.clear();
    if (!kept_.append(input_)) return false;
    input_ = kept_.bytes();
    return true;
}

std::size_t tls_engine::readable_max() const noexcept {
    const auto deciphered = static_cast<std::size_t>(std::max(::SSL_pending(ssl_), 0));
    // A record of which a beginning has been taken is larger than its rest.
    const bool has_part = deciphered == 0 && ::SSL_has_pending(ssl_) == 1;
    if (input_.empty()) return deciphered;
    return deciphered + input_.size() + (has_part ? record_max : 0);
}

tls_step tls_engine::failed() noexcept {
    // Every library numbers its reasons: to ASN.1 this one is a string that is no UTF-8.
    const unsigned long cause = ::ERR_peek_error();
    const bool refused = ERR_GET_LIB(cause) == ERR_LIB_SSL &&
                         ERR_GET_REASON(cause) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    error_ = take_openssl_error();
    if (refused) error_ = {static_cast<int>(::SSL_get_verify_result(ssl_)), certificate_category()};
    if (out_of_memory_) error_ = {ENOMEM, std::system_category()};
    return tls_step::failed;
}

tls_step tls_engine::step_of(int result) noexcept {
    switch (::SSL_get_error(ssl_, result)) {
        case SSL_ERROR_NONE: return tls_step::done;
        case SSL_ERROR_WANT_READ: return tls_step::starved;
        case SSL_ERROR_ZERO_RETURN: return tls_step::ended;
        default: return failed();
    }
}

tls_step tls_engine::shake(time_point now) noexcept {
    if (error_) return tls_step::failed;
    if (ready_) return tls_step::done;
    now_ = now;
    ::ERR_clear_error();
    const tls_step step = step_of(::SSL_do_handshake(ssl_));
    ready_ = step == tls_step::done;
    return step;
}

tls_step tls_engine::read(std::span<std::byte> into, std::size_t& count) noexcept {
    count = 0;
    if (error_) return tls_step::failed;
    while (count < into.size()) {
        std::size_t some = 0;
        ::ERR_clear_error();
        const tls_step step =
            step_of(::SSL_read_ex(ssl_, into.data() + count, into.size() - count, &some));
        count += some;
        // An end is told again; a failure is in error_.
        if (step != tls_step::done) return count > 0 ? tls_step::done : step;
    }
    return tls_step::done;
}

tls_step tls_engine::write(std::span<const std::byte> bytes) noexcept {
    if (error_) return tls_step::failed;
    const std::size_t records = bytes.size() / record_max + 1;
    if (!output.reserve(bytes.size() + records * record_overhead)) {
        error_ = {ENOMEM, std::system_category()};
        return tls_step::failed;
    }
    std::size_t written = 0;
    ::ERR_clear_error();
    // Memory takes everything, so this does all or nothing.
    return step_of(::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written));
}

tls_step tls_engine::say_end() noexcept {
    if (said_end_) return tls_step::done;
    if (error_ || !ready_) return tls_step::failed;
    if (!output.reserve(record_overhead)) return tls_step::failed;
    ::ERR_clear_error();
    // In the middle of a message of the peer OpenSSL says nothing.
    if (::SSL_in_init(ssl_) == 1) {
        const tls_step step = step_of(::SSL_do_handshake(ssl_));
        if (step != tls_step::done) return step;
    }
    static_cast<void>(::SSL_shutdown(ssl_));
    ::ERR_clear_error();
    said_end_ = (::SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0;
    return said_end_ ? tls_step::done : tls_step::failed;
}

tls_step tls_engine::update_keys() noexcept {
    if (error_) return tls_step::failed;
    ::ERR_clear_error();
    if (::SSL_version(ssl_) < TLS1_3_VERSION ||
        ::SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED) != 1) {
        ::ERR_clear_error();
        return tls_step::ended;  // it is not that version, or no time for it
    }
    return step_of(::SSL_do_handshake(ssl_));
}

std::string_view tls_engine::alpn() const noexcept {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    ::SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string_view tls_engine::server_name() const noexcept {
    const char* name = ::SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

const char* tls_engine::version() const noexcept { return ::SSL_get_version(ssl_); }

const char* tls_engine::cipher() const noexcept { return ::SSL_get_cipher_name(ssl_); }

bool tls_engine::is_resumed() const noexcept { return ::SSL_session_reused(ssl_) == 1; }

std::chrono::nanoseconds tls_engine::handshake_timeout() const noexcept {
    return config_->handshake_timeout();
}

bool tls_engine::is_server() const noexcept { return config_->is_server(); }

std::optional<tls_peer_certificate> tls_engine::peer_certificate() const {
    X509* certificate = ::SSL_get0_peer_certificate(ssl_);
    if (!certificate) return {};
    tls_peer_certificate known;
    const bio_ptr printed(::BIO_new(::BIO_s_mem()));
    if (!printed) throw std::bad_alloc();
    ::X509_NAME_print_ex(printed.get(), ::X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char* begin = nullptr;
    const long size = BIO_get_mem_data(printed.get(), &begin);
    if (size > 0) known.subject.assign(begin, static_cast<std::size_t>(size));

    const std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>> names(
        static_cast<GENERAL_NAMES*>(
            ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        const ASN1_STRING* text = name->d.dNSName;
        known.dns_names.emplace_back(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
                                     static_cast<std::size_t>(::ASN1_STRING_length(text)));
    }

    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (::X509_digest(certificate, ::EVP_sha256(), digest, &length) != 1) throw std::bad_alloc();
    for (unsigned int i = 0; i < length; ++i) {
        constexpr char digits[] = "0123456789abcdef";
        known.sha256 += digits[digest[i] >> 4];
        known.sha256 += digits[digest[i] & 15];
    }
    return known;
}

}  // namespace anel::detail
