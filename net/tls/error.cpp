// error.cpp: OpenSSL's errors, and what it says of certificates, as error codes.
// SPDX-License-Identifier: MIT
#include "net/tls/openssl.hpp"

#include <anel/error.hpp>
#include <anel/tls_context.hpp>

#include <cerrno>
#include <string>

namespace anel {
namespace {

class openssl_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "tls"; }
    std::string message(int code) const override {
        const char* reason = ::ERR_reason_error_string(static_cast<unsigned long>(code));
        return reason ? reason : "unknown TLS error " + std::to_string(code);
    }
    std::error_condition default_error_condition(int) const noexcept override {
        return std::errc::protocol_error;
    }
};

class verify_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "certificate"; }
    std::string message(int code) const override {
        return std::string("certificate refused: ") + ::X509_verify_cert_error_string(code);
    }
    std::error_condition default_error_condition(int) const noexcept override {
        return std::errc::permission_denied;
    }
};

}  // namespace

const std::error_category& tls_category() noexcept {
    static const openssl_category category;
    return category;
}

const std::error_category& certificate_category() noexcept {
    static const verify_category category;
    return category;
}

std::error_code detail::take_openssl_error() noexcept {
    const unsigned long first = ::ERR_get_error();
    ::ERR_clear_error();
    // Nothing noted: a callback of ours has refused.
    if (first == 0) return {EPROTO, std::system_category()};
    if (ERR_SYSTEM_ERROR(first)) return {ERR_GET_REASON(first), std::system_category()};
    if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE) {
        return {ENOMEM, std::system_category()};
    }
    return {static_cast<int>(first), tls_category()};
}

void detail::throw_openssl_error(std::string_view operation, std::string_view subject) {
    throw io_error(take_openssl_error(), operation, subject);
}

}  // namespace anel
