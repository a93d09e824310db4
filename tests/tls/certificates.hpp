// certificates.hpp: certificates for tests, made when they are asked for, in files that go with the
// program. Ed25519: its signatures have one length, so a simulated run repeats itself.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace anel::test {

/// A folder of this process, removed at its end.
class certificate_folder {
public:
    static const std::string& path() {
        static const certificate_folder made;
        return made.path_;
    }
    certificate_folder(const certificate_folder&) = delete;
    certificate_folder& operator=(const certificate_folder&) = delete;
    ~certificate_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

private:
    certificate_folder() {
        std::string name = std::filesystem::temp_directory_path() / "anel_tls.XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp " + name);
        path_ = name;
    }
    std::string path_;
};

/// What a certificate says. `names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1".
struct certificate_wish {
    std::string subject;
    std::string names;
    long valid_from = -3600;  // seconds from now
    long valid_until = 30L * 24 * 3600;
    bool authority = false;
    std::string usage;     // of its key, "clientAuth" say; empty: any
    std::string password;  // of its key
};

/// A certificate, its key, and the files of both.
class test_certificate {
public:
    /// Signed by `issuer`, or by itself.
    explicit test_certificate(const certificate_wish& wish,
                              const test_certificate* issuer = nullptr)
        : key_(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), certificate_(::X509_new()) {
        static int count = 0;  // NOLINT: tests have one thread
        count += 1;
        const std::string base = certificate_folder::path() + '/' + std::to_string(count);
        chain_file = base + ".pem";
        key_file = base + ".key";
        fill(wish, issuer, count);
        write_pem(chain_file, [&](BIO* file) { ::PEM_write_bio_X509(file, certificate_.get()); });
        write_pem(key_file, [&](BIO* file) {
            ::PEM_write_bio_PKCS8PrivateKey(
                file, key_.get(), wish.password.empty() ? nullptr : ::EVP_aes_256_cbc(),
                wish.password.data(), static_cast<int>(wish.password.size()), nullptr, nullptr);
        });
    }

    /// A file with this certificate and `next` behind it.
    [[nodiscard]] std::string with(const test_certificate& next) const {
        const std::string path = chain_file + ".chain";
        write_pem(path, [&](BIO* file) {
            ::PEM_write_bio_X509(file, certificate_.get());
            ::PEM_write_bio_X509(file, next.certificate_.get());
        });
        return path;
    }

    std::string chain_file;
    std::string key_file;

private:
    template <auto Free>
    struct freed_by {
        template <class T>
        void operator()(T* object) const noexcept {
            Free(object);
        }
    };

    void fill(const certificate_wish& wish, const test_certificate* issuer, int serial) {
        X509* made = certificate_.get();
        ::X509_set_version(made, 2);
        // Numbers of one length: a certificate's size is part of a simulated run.
        ::ASN1_INTEGER_set(::X509_get_serialNumber(made), 1000 + serial);
        ::X509_gmtime_adj(::X509_getm_notBefore(made), wish.valid_from);
        ::X509_gmtime_adj(::X509_getm_notAfter(made), wish.valid_until);
        X509_NAME* name = ::X509_get_subject_name(made);
        ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(wish.subject.data()),
                                     static_cast<int>(wish.subject.size()), -1, 0);
        ::X509_set_issuer_name(made,
                               issuer ? ::X509_get_subject_name(issuer->certificate_.get()) : name);
        ::X509_set_pubkey(made, key_.get());
        extend(NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
        if (!wish.names.empty()) extend(NID_subject_alt_name, wish.names);
        if (!wish.usage.empty()) extend(NID_ext_key_usage, wish.usage);
        ::X509_sign(made, issuer ? issuer->key_.get() : key_.get(), nullptr);
    }
    void extend(int what, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        ::X509V3_set_ctx(&context, certificate_.get(), certificate_.get(), nullptr, nullptr, 0);
        const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> made(
            ::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
        if (!made) throw std::runtime_error("certificate extension " + value);
        ::X509_add_ext(certificate_.get(), made.get(), -1);
    }
    template <class Write>
    static void write_pem(const std::string& path, Write write) {
        const std::unique_ptr<BIO, freed_by<BIO_free_all>> file(::BIO_new_file(path.c_str(), "w"));
        if (!file) throw std::runtime_error("write " + path);
        write(file.get());
    }

    std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> key_;
    std::unique_ptr<X509, freed_by<X509_free>> certificate_;
};

inline certificate_wish for_names(std::string subject, std::string names) {
    certificate_wish wish;
    wish.subject = std::move(subject);
    wish.names = std::move(names);
    return wish;
}
inline certificate_wish for_authority(std::string subject) {
    certificate_wish wish;
    wish.subject = std::move(subject);
    wish.authority = true;
    return wish;
}

/// An authority, and a certificate of it for this machine.
struct certificates {
    test_certificate authority{for_authority("anel test root")};
    test_certificate server{for_names("localhost", "DNS:localhost,IP:127.0.0.1,IP:10.0.0.1"),
                            &authority};
    certificates() = default;
};

}  // namespace anel::test
