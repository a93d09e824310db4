// certificates.cpp: reads certificates, keys and roots from files, and says which file is at fault.
// SPDX-License-Identifier: MIT
#include "net/tls/config.hpp"

#include <anel/error.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include <openssl/pem.h>

namespace anel::detail {
namespace {

bio_ptr open_file(const std::string& path, const char* what) {
    ::ERR_clear_error();
    errno = 0;
    bio_ptr file(::BIO_new_file(path.c_str(), "r"));
    if (!file) {
        const int error = errno;
        ::ERR_clear_error();
        throw_errno(error != 0 ? error : EIO, std::string("open ") + what, path);
    }
    // A directory can be opened, and nothing can be read from it.
    if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
        throw_errno(EISDIR, std::string("open ") + what, path);
    }
    return file;
}

struct password_wish {
    const std::string& password;
    bool asked = false;
};

// Without this one OpenSSL would ask the terminal.
int give_password(char* into, int size, int, void* given) noexcept {
    auto& wish = *static_cast<password_wish*>(given);
    wish.asked = true;
    if (wish.password.empty() || wish.password.size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(into, wish.password.data(), wish.password.size());
    return static_cast<int>(wish.password.size());
}

// The end of a file is an error to PEM's reader, and the only one that is none.
bool at_end_of_file() noexcept {
    const unsigned long last = ::ERR_peek_last_error();
    const bool ended =
        ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (ended) ::ERR_clear_error();
    return ended;
}

evp_pkey_ptr read_key(const tls_certificate& files) {
    const bio_ptr file = open_file(files.key, "key");
    password_wish wish{files.password};
    evp_pkey_ptr key(::PEM_read_bio_PrivateKey(file.get(), nullptr, &give_password, &wish));
    if (key) return key;
    if (wish.asked && files.password.empty()) {
        throw_openssl_error("read encrypted key, no password given,", files.key);
    }
    if (wish.asked) throw_openssl_error("read key with the given password", files.key);
    const bool found_nothing = ERR_GET_REASON(::ERR_peek_error()) == ERR_R_UNSUPPORTED;
    if (at_end_of_file() || found_nothing) {
        throw_errno(EINVAL, "no key in", files.key);
    }
    throw_openssl_error("read key", files.key);
}

}  // namespace

x509_ptr use_certificate(SSL_CTX* context, const tls_certificate& files) {
    const bio_ptr file = open_file(files.chain, "certificate");
    x509_ptr leaf(::PEM_read_bio_X509_AUX(file.get(), nullptr, nullptr, nullptr));
    if (!leaf) {
        if (!at_end_of_file()) throw_openssl_error("read certificate", files.chain);
        throw_errno(EINVAL, "no certificate in", files.chain);
    }
    if (::SSL_CTX_use_certificate(context, leaf.get()) != 1) {
        throw_openssl_error("use certificate", files.chain);
    }
    while (x509_ptr next{::PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr)}) {
        if (::SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
            throw_openssl_error("use certificate", files.chain);
        }
    }
    if (!at_end_of_file()) throw_openssl_error("read certificate", files.chain);

    const evp_pkey_ptr key = read_key(files);
    if (::X509_check_private_key(leaf.get(), key.get()) != 1 ||
        ::SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
        throw_openssl_error("certificate " + files.chain + " with key", files.key);
    }
    return leaf;
}

namespace {

// What a connection would find of the system's certificates, which are read when they are needed.
bool has_system_roots(const X509_STORE* store) {
    if (const auto* objects = ::X509_STORE_get0_objects(store)) {
        if (sk_X509_OBJECT_num(objects) > 0) return true;
    }
    const char* set = std::getenv(::X509_get_default_cert_dir_env());
    const std::string directories = set ? set : ::X509_get_default_cert_dir();
    std::string_view rest = directories;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        std::error_code error;
        for (const auto& file : std::filesystem::directory_iterator(one, error)) {
            if (file.path().extension() == ".0") return true;  // named by their hash
        }
    }
    return false;
}

}  // namespace

std::vector<unsigned char> trust(SSL_CTX* context, const std::string& path, bool tell_clients) {
    std::vector<unsigned char> fingerprints;
    ::ERR_clear_error();
    X509_STORE* store = ::SSL_CTX_get_cert_store(context);
    if (path.empty()) {
        if (::SSL_CTX_set_default_verify_paths(context) != 1) {
            throw_openssl_error("read the certificates of the system", {});
        }
        ::ERR_clear_error();
        if (!has_system_roots(store)) {
            throw_errno(ENOENT, "no certificate to trust in",
                        std::string(::X509_get_default_cert_file()) + " or " +
                            ::X509_get_default_cert_dir());
        }
        return fingerprints;
    }
    const bio_ptr file = open_file(path, "certificates to trust");
    while (x509_ptr root{::PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr)}) {
        if (::X509_STORE_add_cert(store, root.get()) != 1) {
            throw_openssl_error("trust the certificates in", path);
        }
        if (tell_clients && ::SSL_CTX_add_client_CA(context, root.get()) != 1) {
            throw_openssl_error("trust the certificates in", path);
        }
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        if (::X509_digest(root.get(), ::EVP_sha256(), digest, &size) != 1) {
            throw_openssl_error("trust the certificates in", path);
        }
        fingerprints.insert(fingerprints.end(), digest, digest + size);
    }
    if (!at_end_of_file()) throw_openssl_error("read certificates to trust", path);
    if (fingerprints.empty()) throw_errno(EINVAL, "no certificate in", path);
    return fingerprints;
}

}  // namespace anel::detail
