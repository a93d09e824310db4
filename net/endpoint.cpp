// endpoint.cpp: endpoints in and out of the system's sockaddr, and what endpoint does not inline.
//
// The one file of net that includes the system's socket headers, for their layouts and constants
// only. Every layout is copied in and out whole: casting between sockaddr types is undefined, and
// the layouts differ between systems (BSD has a length byte before the family).
//
// Must not: call the system, or believe a size that the system reports.
// SPDX-License-Identifier: MIT
#include "net/address.hpp"

#include <anel/endpoint.hpp>
#include <anel/error.hpp>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace anel {
using namespace detail;
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

template <class Sockaddr>
concept has_length_byte = requires(Sockaddr& header) { header.sa_len; };

// Ports stand in network order in both forms of a 16-bit field.
std::uint16_t swap_network_order(std::uint16_t port) noexcept {
    if constexpr (std::endian::native == std::endian::big) return port;
    return static_cast<std::uint16_t>(port << 8 | port >> 8);
}

template <class Header = sockaddr>
void set_size(socket_address& address, std::size_t size) noexcept {
    address.size = static_cast<std::uint32_t>(size);
    if constexpr (has_length_byte<Header>)
        address.bytes[offsetof(Header, sa_len)] = static_cast<std::byte>(size);
}

template <class Sockaddr>
socket_address store(const Sockaddr& native) noexcept {
    static_assert(std::is_trivially_copyable_v<Sockaddr>);
    static_assert(sizeof(Sockaddr) <= sizeof(socket_address::bytes));
    socket_address result{};
    std::memcpy(result.bytes, &native, sizeof native);
    set_size(result, sizeof native);
    return result;
}

template <class Sockaddr>
std::optional<Sockaddr> load(const socket_address& address) noexcept {
    Sockaddr native;
    if (address.size < sizeof native) return std::nullopt;
    std::memcpy(&native, address.bytes, sizeof native);
    return native;
}

socket_address store_path(std::string_view path) noexcept {
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    socket_address result = store(native);
    if (path.empty()) {
        set_size(result, path_offset);
        return result;
    }
    // Past the end of a sun_path shorter than Linux's the system sees the true length and refuses.
    static_assert(path_offset + endpoint::path_size_max + 1 <= sizeof result.bytes);
    std::memcpy(result.bytes + path_offset, path.data(), path.size());
    const bool abstract = path.front() == '@';
    if (abstract) result.bytes[path_offset] = std::byte{0};
    // A pathname counts its terminator; in an abstract name every byte counts, unix(7).
    set_size(result, path_offset + path.size() + (abstract ? 0 : 1));
    return result;
}

std::optional<endpoint> load_path(const socket_address& address) noexcept {
    if (address.size < path_offset) return std::nullopt;
    std::array<char, sizeof address.bytes - path_offset> bytes{};
    const std::size_t size = address.size - path_offset;
    std::memcpy(bytes.data(), address.bytes + path_offset, size);
    const std::string_view name(bytes.data(), size);
    if (name.empty()) return endpoint::unix_unnamed();
    if (name.front() != '\0') {
        if (name.front() == '@') return std::nullopt;
        return endpoint::unix_path(name.substr(0, name.find('\0')));
    }
    // BSD has no abstract names; it reports an unnamed socket as a sun_path of zeros.
    if constexpr (has_length_byte<sockaddr>) return endpoint::unix_unnamed();
    bytes[0] = '@';
    return endpoint::unix_path(name);
}

/// Puts `text` in quotes for a message: printable whatever it holds, and not endless.
std::string quoted(std::string_view text) {
    constexpr std::size_t shown_max = 256;  // more than the longest valid text
    constexpr std::string_view hex = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : text.substr(0, shown_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            result += c;
        } else {
            result += "\\x";
            result += hex[byte >> 4];
            result += hex[byte & 15];
        }
    }
    return result += text.size() > shown_max ? "...\"" : "\"";
}

}  // namespace

socket_address detail::to_socket_address(const endpoint& address) noexcept {
    const std::array<std::uint8_t, 16> bytes = address.address_bytes();
    if (address.is_unix()) return store_path(address.path());
    if (address.family() == address_family::ipv4) {
        sockaddr_in native{};
        native.sin_family = AF_INET;
        native.sin_port = swap_network_order(address.port());
        std::memcpy(&native.sin_addr, bytes.data(), sizeof native.sin_addr);
        return store(native);
    }
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = swap_network_order(address.port());
    native.sin6_scope_id = address.scope_id();
    std::memcpy(&native.sin6_addr, bytes.data(), sizeof native.sin6_addr);
    return store(native);
}

std::optional<endpoint> detail::from_socket_address(const socket_address& address) noexcept {
    // The system reports the size it wanted, which is more than the buffer when it cut the address.
    if (address.size > sizeof address.bytes) return std::nullopt;
    decltype(sockaddr::sa_family) family{};
    if (address.size < offsetof(sockaddr, sa_family) + sizeof family) return std::nullopt;
    std::memcpy(&family, address.bytes + offsetof(sockaddr, sa_family), sizeof family);
    if (family == AF_UNIX) return load_path(address);
    if (family == AF_INET) {
        const auto native = load<sockaddr_in>(address);
        if (!native) return std::nullopt;
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &native->sin_addr, bytes.size());
        return endpoint::ipv4(bytes, swap_network_order(native->sin_port));
    }
    if (family == AF_INET6) {
        const auto native = load<sockaddr_in6>(address);
        if (!native) return std::nullopt;
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &native->sin6_addr, bytes.size());
        return endpoint::ipv6(bytes, swap_network_order(native->sin6_port), native->sin6_scope_id);
    }
    return std::nullopt;
}

std::string detail::text_of(const socket_address& address) {
    const auto known = from_socket_address(address);
    return known ? known->to_string() : std::string();
}

void endpoint::fail(endpoint_error error, std::string_view text) {
    throw_errno(EINVAL, "bad address", quoted(text).append(": ").append(error_text(error)));
}

std::string endpoint::to_string() const {
    std::array<char, text_size_max> buffer;
    return std::string(print(buffer));
}

std::ostream& operator<<(std::ostream& out, const endpoint& address) {
    std::array<char, endpoint::text_size_max> buffer;
    return out << address.print(buffer);
}

}  // namespace anel
