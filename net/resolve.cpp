// resolve.cpp: what may be asked, and what the answer is.
// SPDX-License-Identifier: MIT
#include <anel/resolve.hpp>

#include "net/address.hpp"

#include <anel/detail/io.hpp>
#include <anel/hostname.hpp>

#include <algorithm>
#include <cerrno>

namespace anel {
using namespace detail;
namespace {

class resolve_wait : public io<resolve_wait> {
public:
    resolve_wait(const std::string& host, name_lookup& question) noexcept
        : io(opcode::resolve, -1, &question), host_(host) {}

    std::error_code failure() const noexcept {
        const auto& answer = *static_cast<const name_lookup*>(data);
        if (result < 0 && answer.name_error != 0) return {answer.name_error, name_category()};
        return error_of_result();
    }
    void value() const noexcept {}
    io_error describe(std::error_code error) const { return io_error(error, "resolve", host_); }

private:
    const std::string& host_;
};

[[noreturn]] void refuse(const std::string& host, hostname_error why) {
    // The name may hold anything: only what is harmless on a terminal is repeated.
    std::string shown = host.substr(0, 64);
    std::replace_if(shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    const std::string_view reason = error_text(why);
    throw_errno(EINVAL, "resolve", "\"" + shown + "\", " + std::string(reason));
}

// fe80::1%eth0: the zone is an interface by name, which only the system can look up.
bool is_zoned_literal(std::string_view host) noexcept {
    const std::size_t percent = host.find('%');
    if (percent == host.npos || !endpoint::parse_host(host.substr(0, percent), 0)) return false;
    const std::string_view zone = host.substr(percent + 1);
    constexpr std::size_t name_size_max = 15;  // Linux: IFNAMSIZ, with its zero
    return host.find(':') != host.npos && zone.size() <= name_size_max &&
           check_hostname(zone) == hostname_error::none;
}

}  // namespace

task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port) {
    std::vector<endpoint> found;
    if (const auto literal = endpoint::parse_host(host, port)) {
        found.push_back(*literal);
        co_return found;
    }
    const bool zoned = is_zoned_literal(host);
    const auto why = zoned ? hostname_error::none : check_hostname(host);
    if (why != hostname_error::none) refuse(host, why);

    name_lookup question;
    question.host = host.c_str();
    resolve_wait answer(host, question);
    try {
        co_await answer;
    } catch (const io_error&) {
        if (zoned && question.name_error != 0) throw_errno(ENODEV, "resolve", host);
        throw;
    }
    for (std::uint32_t i = 0; i < question.count; ++i) {
        const auto address = from_socket_address(question.addresses[i]);
        if (address) found.push_back(address->with_port(port));
    }
    if (found.empty()) throw_errno(EADDRNOTAVAIL, "resolve", host);
    co_return found;
}

}  // namespace anel
