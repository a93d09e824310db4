// openssl.hpp: OpenSSL's objects with an owner, and its errors as ours.
//
// Knows: OpenSSL. Must not know: what it is used for.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>
#include <system_error>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace anel::detail {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using x509_store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using evp_pkey_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;

/// The first error that OpenSSL has noted in this thread, which is the cause of the others; it
/// forgets them all.
std::error_code take_openssl_error() noexcept;

/// Throws what take_openssl_error() gives.
[[noreturn]] void throw_openssl_error(std::string_view operation, std::string_view subject);

}  // namespace anel::detail
