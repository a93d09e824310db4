// no_tls.cpp: what tls.hpp promises, where there is no OpenSSL: TLS cannot be asked for.
//
// SPDX-License-Identifier: MIT
#include <stdexcept>

#include "load/tls.hpp"

namespace anel_bench {
namespace {

[[noreturn]] void refuse() {
    throw std::invalid_argument("--tls: this anel-bench was built without OpenSSL 3");
}

}  // namespace

struct tls_session::state {};
struct tls_client::shared {};

tls_session::tls_session() noexcept = default;
tls_session::tls_session(tls_session&&) noexcept = default;
tls_session& tls_session::operator=(tls_session&&) noexcept = default;
tls_session::~tls_session() = default;
void tls_session::handshake(int, const std::string&) { refuse(); }
ssize_t tls_session::recv(std::span<char>) { refuse(); }
ssize_t tls_session::send(std::span<const char>) { refuse(); }
bool tls_session::waits_for_peer() const noexcept { return false; }
bool tls_session::holds_more() const noexcept { return false; }
void tls_session::end() noexcept {}
const std::string& tls_session::why() const noexcept {
    static const std::string nothing;
    return nothing;
}

tls_client::tls_client(bool) { refuse(); }
tls_client::~tls_client() = default;
tls_session tls_client::begin(int) { refuse(); }

const std::string& tls_identity() { refuse(); }

}  // namespace anel_bench
