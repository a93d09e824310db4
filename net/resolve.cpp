// resolve.cpp: what may be asked, and what the answer is.
// SPDX-License-Identifier: MIT
#include <anel/resolve.hpp>

#include "net/address.hpp"

#include <anel/hostname.hpp>
#include <anel/io.hpp>

#include <algorithm>
#include <cerrno>

namespace anel {
namespace {

class resolve_wait : public io<resolve_wait> {
public:
    resolve_wait(const std::string& host, name_lookup& question) noexcept
        : io(opcode::resolve, -1, &question), host_(host) {}

    std::error_code failure() const noexcept {
        const auto& answer = *static_cast<const name_lookup*>(data);
        if (result < 0 && answer.name_error != 0) return {answer.name_error, name_category()};
        return io::failure();
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

}  // namespace

task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port) {
    std::vector<endpoint> found;
    if (const auto literal = endpoint::parse_host(host, port)) {
        found.push_back(*literal);
        co_return found;
    }
    if (const auto why = check_hostname(host); why != hostname_error::none) refuse(host, why);

    name_lookup question;
    question.host = host.c_str();
    resolve_wait answer(host, question);
    co_await answer;
    for (std::uint32_t i = 0; i < question.count; ++i) {
        const auto address = from_socket_address(question.addresses[i]);
        if (address) found.push_back(address->with_port(port));
    }
    if (found.empty()) throw_errno(EADDRNOTAVAIL, "resolve", host);
    co_return found;
}

}  // namespace anel
