// tls_sealer.hpp: enciphers any bytes as records of a connection whose secrets are known, also
// those that no sane peer would send.
//
// For the ciphers that OpenSSL prefers: AES-256-GCM with SHA-384.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace anel::test {

inline void require(bool fact, std::source_location here = std::source_location::current()) {
    if (fact) return;
    std::fprintf(stderr, "%s:%u is not so\n", here.file_name(), unsigned{here.line()});
    std::abort();
}

/// What a key derivation of OpenSSL gives: "HKDF" to expand, "TLS1-PRF".
inline std::string derived(const char* function, std::string secret, std::string info,
                           std::size_t size) {
    EVP_KDF* kind = ::EVP_KDF_fetch(nullptr, function, nullptr);
    EVP_KDF_CTX* context = ::EVP_KDF_CTX_new(kind);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA384";
    const bool expands = std::string_view(function) == "HKDF";
    const auto octets = [](const char* name, std::string& bytes) {
        return ::OSSL_PARAM_construct_octet_string(name, bytes.data(), bytes.size());
    };
    const OSSL_PARAM how[] = {::OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                              octets(expands ? OSSL_KDF_PARAM_KEY : OSSL_KDF_PARAM_SECRET, secret),
                              octets(expands ? OSSL_KDF_PARAM_INFO : OSSL_KDF_PARAM_SEED, info),
                              expands ? ::OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode)
                                      : ::OSSL_PARAM_construct_end(),
                              ::OSSL_PARAM_construct_end()};
    std::string made(size, '\0');
    require(::EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(made.data()), size, how) ==
            1);
    ::EVP_KDF_CTX_free(context);
    ::EVP_KDF_free(kind);
    return made;
}

/// One direction of a connection.
class tls_sealer {
public:
    tls_sealer() = default;

    /// Of TLS 1.3, from the secret of that direction, after `sealed` records with it.
    static tls_sealer of_1_3(std::string secret, std::uint64_t sealed) {
        tls_sealer made;
        made.secret_ = std::move(secret);
        made.use_secret();
        made.count_ = sealed;
        return made;
    }
    /// Of TLS 1.2, from the master secret and the random bytes of server and client. The first
    /// record of a direction is the end of its handshake.
    static tls_sealer of_1_2(const std::string& master, const std::string& randoms,
                             bool of_server) {
        const std::string block = derived("TLS1-PRF", master, "key expansion" + randoms, 72);
        tls_sealer made;
        made.key_ = block.substr(of_server ? 32 : 0, 32);
        made.vector_ = block.substr(of_server ? 68 : 64, 4);
        made.count_ = 1;
        return made;
    }

    /// A record of this type.
    std::string seal(std::uint8_t type, std::string text) {
        const std::string number = big_endian(count_, 8);
        const bool renews = !secret_.empty() && type == 22 && text.size() == 5 &&
                            text.starts_with(std::string_view("\x18\0\0\1", 4));
        std::string nonce = vector_;
        std::string record(1, static_cast<char>(type));
        record += "\x03\x03";
        if (secret_.empty()) {
            nonce += number;
            const std::string covered = number + record + big_endian(text.size(), 2);
            record += big_endian(8 + text.size() + 16, 2) + number + gcm(nonce, covered, text);
        } else {
            for (std::size_t i = 0; i < 8; ++i) {
                nonce[4 + i] = static_cast<char>(nonce[4 + i] ^ number[i]);
            }
            text += std::exchange(record[0], '\x17');  // the true type is a secret, too
            record += big_endian(text.size() + 16, 2);
            record += gcm(nonce, record, text);
        }
        count_ += 1;
        if (renews) {  // whatever else it holds: as a peer does that has sent it
            secret_ = expanded(secret_, "traffic upd", 48);
            use_secret();
            count_ = 0;
        }
        return record;
    }

private:
    static std::string big_endian(std::uint64_t value, std::size_t size) {
        std::string bytes(size, '\0');
        for (std::size_t i = size; i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value & 255);
        return bytes;
    }
    static std::string expanded(const std::string& secret, std::string label, std::size_t size) {
        label.insert(0, "tls13 ");
        std::string info = big_endian(size, 2) + static_cast<char>(label.size()) + label + '\0';
        return derived("HKDF", secret, info, size);
    }
    void use_secret() {
        key_ = expanded(secret_, "key", 32);
        vector_ = expanded(secret_, "iv", 12);
    }
    [[nodiscard]] std::string gcm(std::string_view nonce, std::string_view covered,
                                  std::string_view text) const {
        const auto raw = [](std::string_view bytes) {
            return reinterpret_cast<const unsigned char*>(bytes.data());
        };
        EVP_CIPHER_CTX* cipher = ::EVP_CIPHER_CTX_new();
        std::string sealed(text.size() + 16, '\0');
        auto* out = reinterpret_cast<unsigned char*>(sealed.data());
        int count = 0;
        bool good =
            ::EVP_EncryptInit_ex(cipher, ::EVP_aes_256_gcm(), nullptr, raw(key_), raw(nonce)) == 1;
        good = good && ::EVP_EncryptUpdate(cipher, nullptr, &count, raw(covered),
                                           static_cast<int>(covered.size())) == 1;
        good = good && ::EVP_EncryptUpdate(cipher, out, &count, raw(text),
                                           static_cast<int>(text.size())) == 1;
        good = good && ::EVP_EncryptFinal_ex(cipher, out + text.size(), &count) == 1;
        good = good &&
               ::EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, out + text.size()) == 1;
        ::EVP_CIPHER_CTX_free(cipher);
        require(good);
        return sealed;
    }

    std::string secret_;  // of TLS 1.3
    std::string key_;
    std::string vector_;
    std::uint64_t count_ = 0;
};

}  // namespace anel::test
