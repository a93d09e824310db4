// endpoint_fuzz.cpp: arbitrary bytes as address text, as hostname and as a system address.
//
// What is accepted must survive printing and reading again unchanged; nothing may crash.
// SPDX-License-Identifier: MIT
#include "net/address.hpp"

#include <anel/detail/packed_endpoint.hpp>
#include <anel/endpoint.hpp>
#include <anel/hostname.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace {

void require(bool fact) {
    if (!fact) std::abort();
}

void check_round_trips(const anel::endpoint& address) {
    std::array<char, anel::endpoint::text_size_max> buffer;
    const std::string_view text = address.print(buffer);
    require(!text.empty());
    require(anel::endpoint::parse(text) == address);
    require(anel::detail::from_socket_address(anel::detail::to_socket_address(address)) == address);
    const anel::endpoint unpacked = anel::detail::unpack(anel::detail::pack(address));
    require(address.is_unix() ? unpacked.path().empty() : unpacked == address);
}

void check_text(std::string_view text) {
    auto why = anel::endpoint_error::empty;
    const std::optional<anel::endpoint> address = anel::endpoint::parse(text, &why);
    require(address.has_value() == (why == anel::endpoint_error::none));
    if (address) check_round_trips(*address);

    const std::optional<anel::endpoint> literal = anel::endpoint::parse_host(text, 1);
    if (literal) check_round_trips(*literal);

    if (anel::check_hostname(text) == anel::hostname_error::none) {
        require(text.size() <= anel::hostname_size_max + 1);
        require(text.find('\0') == text.npos);
    }
}

void check_system_address(std::string_view bytes) {
    anel::detail::socket_address system{};
    if (bytes.size() < sizeof system.size) return;
    std::memcpy(&system.size, bytes.data(), sizeof system.size);
    bytes.remove_prefix(sizeof system.size);
    system.size %= sizeof system.bytes + 8;  // mostly plausible, sometimes more than there is
    std::memcpy(system.bytes, bytes.data(), std::min(bytes.size(), sizeof system.bytes));
    const std::optional<anel::endpoint> address = anel::detail::from_socket_address(system);
    if (address && *address != anel::endpoint::unix_unnamed()) check_round_trips(*address);
}

}  // namespace

// The fuzzer's runtime calls this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes;
    if (size > 0) bytes = {reinterpret_cast<const char*>(data), size};
    check_text(bytes);
    check_system_address(bytes);
    return 0;
}
