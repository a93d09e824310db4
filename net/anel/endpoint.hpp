// endpoint.hpp: a socket address as a value: IPv4, IPv6 or a unix path, with its text form.
//
// Text is taken whole or refused, printed whole or not at all: an address that was cut is another
// address. Every endpoint except the unnamed unix one equals the parse of its printed text.
//
// Knows: the text forms, its own layout. Must not know: the system's sockaddr, names, resolvers.
// Invariant: bytes_ past size_, and what a family has no use for, are 0.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/address_text.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace anel {

/// What kind of address an endpoint is.
enum class address_family : std::uint8_t { ipv4, ipv6, unix_path };

/// Why a text is not an address.
enum class endpoint_error : std::uint8_t {
    none,
    empty,
    embedded_nul,
    missing_host,
    missing_port,
    missing_brackets,
    unclosed_bracket,
    bad_ipv4,
    bad_ipv6,
    bad_scope,
    bad_port,
    path_empty,
    path_too_long,
};

/// Returns  the reason in words, without the text it is about.
[[nodiscard]] constexpr std::string_view error_text(endpoint_error error) noexcept;

/// The address of one end of a socket: what is bound to, connected to, or received from.
/// Made from text where an address is expected: "127.0.0.1:7777", "[::1]:0", "[fe80::1%3]:80",
/// "unix:/run/x.sock", "unix:@name" (a Linux abstract name). Names are not addresses: they go
/// through resolve(). A constexpr endpoint is checked by the compiler.
class endpoint {
public:
    /// Longest printed text in bytes, no terminator: "unix:" and the longest path.
    static constexpr std::size_t text_size_max = 112;
    /// Longest unix path in bytes: Linux's sun_path of 108 less its terminator, unix(7).
    static constexpr std::size_t path_size_max = 107;

    /// 0.0.0.0:0.
    constexpr endpoint() noexcept = default;

    /// Errors   EINVAL for anything but one exact address; what() quotes `text` and says why.
    constexpr endpoint(std::string_view text) { require(assign_text(text), text); }
    constexpr endpoint(const char* text) : endpoint(std::string_view(text)) {}
    endpoint(const std::string& text) : endpoint(std::string_view(text)) {}
    endpoint(std::nullptr_t) = delete;

    /// Takes a numeric address without brackets: "127.0.0.1", "::", "fe80::1%3".
    /// Errors   EINVAL for anything else; what() quotes `host` and says why.
    constexpr endpoint(std::string_view host, std::uint16_t port) : port_(port) {
        require(assign_host(host), host);
    }

    /// Reads `text` as the constructor does, without throwing.
    /// Returns  nothing if `text` is not an address, and then the reason in `*why`.
    [[nodiscard]] static constexpr std::optional<endpoint>
    parse(std::string_view text, endpoint_error* why = nullptr) noexcept;
    /// Reads a numeric address without brackets and port; tells a literal from a name.
    /// Returns  nothing if `host` is not a numeric address, and then the reason in `*why`.
    [[nodiscard]] static constexpr std::optional<endpoint>
    parse_host(std::string_view host, std::uint16_t port, endpoint_error* why = nullptr) noexcept;

    /// Takes the address in network order, as it is written: {127, 0, 0, 1}.
    [[nodiscard]] static constexpr endpoint ipv4(const std::array<std::uint8_t, 4>& address,
                                                 std::uint16_t port) noexcept;
    /// Takes the address in network order; `scope` is an interface index, or 0.
    [[nodiscard]] static constexpr endpoint ipv6(const std::array<std::uint8_t, 16>& address,
                                                 std::uint16_t port,
                                                 std::uint32_t scope = 0) noexcept;
    /// Takes a path of 1..107 bytes without NUL; "@name" is a Linux abstract one, "./@name" a file.
    /// Returns  nothing if `path` is not such a path.
    [[nodiscard]] static constexpr std::optional<endpoint>
    unix_path(std::string_view path) noexcept;
    /// The address of a unix socket that was not bound: prints "unix:", which does not parse.
    [[nodiscard]] static constexpr endpoint unix_unnamed() noexcept;

    /// 0.0.0.0: a socket that is bound to it receives at every IPv4 address of this machine.
    [[nodiscard]] static constexpr endpoint any_ipv4(std::uint16_t port) noexcept {
        return ipv4({}, port);
    }
    /// [::], the same for IPv6; for IPv4 as well unless listen_options::v6_only.
    [[nodiscard]] static constexpr endpoint any_ipv6(std::uint16_t port) noexcept {
        return ipv6({}, port);
    }
    /// 127.0.0.1: this machine alone.
    [[nodiscard]] static constexpr endpoint loopback_ipv4(std::uint16_t port) noexcept {
        return ipv4({127, 0, 0, 1}, port);
    }
    /// [::1], the same for IPv6.
    [[nodiscard]] static constexpr endpoint loopback_ipv6(std::uint16_t port) noexcept {
        return ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
    }

    /// What kind of address it is.
    [[nodiscard]] constexpr address_family family() const noexcept { return family_; }
    /// Whether it is a unix path, or an abstract or empty name.
    [[nodiscard]] constexpr bool is_unix() const noexcept {
        return family_ == address_family::unix_path;
    }
    /// Returns  0..65535; 0 for a unix path, and for "any free port" when binding.
    [[nodiscard]] constexpr std::uint16_t port() const noexcept { return port_; }
    /// Returns  the same address with another port; a unix path unchanged.
    [[nodiscard]] constexpr endpoint with_port(std::uint16_t port) const noexcept;
    /// Returns  the index of the interface of an IPv6 address; 0 if there is none.
    [[nodiscard]] constexpr std::uint32_t scope_id() const noexcept { return scope_; }
    /// Returns  the address in network order: IPv6 16 bytes, IPv4 4 and then 0; a unix path: 0.
    [[nodiscard]] constexpr std::array<std::uint8_t, 16> address_bytes() const noexcept;
    /// Returns  the unix path, "@name" for an abstract name; empty if unnamed or not a unix path.
    /// Lifetime a view into this endpoint.
    [[nodiscard]] constexpr std::string_view path() const noexcept {
        return is_unix() ? content() : std::string_view();
    }
    /// Returns  true for 127.0.0.0/8, also as ::ffff:127.0.0.0/104, and ::1; false for a unix path.
    [[nodiscard]] constexpr bool is_loopback() const noexcept;
    /// Returns  true for what a socket binds to for every address: 0.0.0.0, ::, ::ffff:0.0.0.0.
    [[nodiscard]] constexpr bool is_any() const noexcept;

    /// Prints into `buffer`: IPv6 as in RFC 5952, in brackets, a scope as %N.
    /// Returns  the text, inside `buffer`, not terminated; empty if it does not fit, as it always
    ///          does in text_size_max bytes.
    /// Cost     no allocation.
    [[nodiscard]] constexpr std::string_view print(std::span<char> buffer) const noexcept;
    /// What print() prints, as a string.
    [[nodiscard]] std::string to_string() const;
    friend std::ostream& operator<<(std::ostream& out, const endpoint& address);

    [[nodiscard]] constexpr bool operator==(const endpoint& other) const noexcept {
        return (*this <=> other) == 0;
    }
    /// Orders by family, then address or path, scope and port.
    [[nodiscard]] constexpr std::strong_ordering operator<=>(const endpoint& other) const noexcept;

private:
    friend std::hash<endpoint>;

    constexpr endpoint_error assign_text(std::string_view text) noexcept;
    constexpr endpoint_error assign_host(std::string_view host) noexcept;
    constexpr endpoint_error assign_port(std::string_view text) noexcept;
    constexpr endpoint_error assign_path(std::string_view path) noexcept;
    constexpr void assign_bytes(address_family family,
                                std::span<const std::uint8_t> address) noexcept;

    static constexpr void require(endpoint_error error, std::string_view text) {
        // A constant expression may not call fail(): so the compiler refuses a bad literal.
        if (error != endpoint_error::none) fail(error, text);
    }
    [[noreturn]] static void fail(endpoint_error error, std::string_view text);

    [[nodiscard]] constexpr std::string_view content() const noexcept {
        return {bytes_.data(), size_};
    }
    [[nodiscard]] constexpr bool is_mapped_ipv4() const noexcept;

    std::array<char, path_size_max + 1> bytes_{};  // char, so that path() can be a view of it
    std::uint32_t scope_ = 0;
    std::uint16_t port_ = 0;
    address_family family_ = address_family::ipv4;
    std::uint8_t size_ = 4;  // bytes in use: 4, 16, or the length of the path
};
static_assert(sizeof(endpoint) <= 128);

constexpr std::string_view error_text(endpoint_error error) noexcept {
    switch (error) {
        case endpoint_error::none: return "no error";
        case endpoint_error::empty: return "it is empty";
        case endpoint_error::embedded_nul: return "it contains a NUL byte";
        case endpoint_error::missing_host:
            return "an address must be given, such as 127.0.0.1, 0.0.0.0, [::1] or [::]";
        case endpoint_error::missing_port: return "\":port\" must follow the address";
        case endpoint_error::missing_brackets:
            return "an IPv6 address stands in brackets: [::1]:80";
        case endpoint_error::unclosed_bracket: return "\"]\" is missing";
        case endpoint_error::bad_ipv4:
            return "IPv4 is four numbers 0..255 without leading zeros; a name goes through "
                   "resolve()";
        case endpoint_error::bad_ipv6: return "it is not an IPv6 address";
        case endpoint_error::bad_scope:
            return "the scope after % must be an interface index 0..4294967295; only resolve() and "
                   "connect(host, port) also take an interface's name";
        case endpoint_error::bad_port:
            return "port must be 0..65535, decimal, without leading zeros";
        case endpoint_error::path_empty: return "a unix path or name must follow";
        case endpoint_error::path_too_long: return "a unix path must be 1..107 bytes";
    }
    return "unknown error";
}

constexpr std::optional<endpoint> endpoint::parse(std::string_view text,
                                                  endpoint_error* why) noexcept {
    endpoint result;
    const endpoint_error error = result.assign_text(text);
    if (why != nullptr) *why = error;
    return error == endpoint_error::none ? std::optional(result) : std::nullopt;
}

constexpr std::optional<endpoint> endpoint::parse_host(std::string_view host, std::uint16_t port,
                                                       endpoint_error* why) noexcept {
    endpoint result;
    const endpoint_error error = result.assign_host(host);
    result.port_ = port;
    if (why != nullptr) *why = error;
    return error == endpoint_error::none ? std::optional(result) : std::nullopt;
}

constexpr endpoint endpoint::ipv4(const std::array<std::uint8_t, 4>& address,
                                  std::uint16_t port) noexcept {
    endpoint result;
    result.assign_bytes(address_family::ipv4, address);
    result.port_ = port;
    return result;
}

constexpr endpoint endpoint::ipv6(const std::array<std::uint8_t, 16>& address, std::uint16_t port,
                                  std::uint32_t scope) noexcept {
    endpoint result;
    result.assign_bytes(address_family::ipv6, address);
    result.port_ = port;
    result.scope_ = scope;
    return result;
}

constexpr std::optional<endpoint> endpoint::unix_path(std::string_view path) noexcept {
    endpoint result;
    if (result.assign_path(path) != endpoint_error::none) return std::nullopt;
    return result;
}

constexpr endpoint endpoint::unix_unnamed() noexcept {
    endpoint result;
    result.family_ = address_family::unix_path;
    result.size_ = 0;
    return result;
}

constexpr endpoint endpoint::with_port(std::uint16_t port) const noexcept {
    endpoint result = *this;
    if (!is_unix()) result.port_ = port;
    return result;
}

constexpr std::array<std::uint8_t, 16> endpoint::address_bytes() const noexcept {
    std::array<std::uint8_t, 16> result{};
    if (is_unix()) return result;
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = static_cast<std::uint8_t>(bytes_[i]);
    return result;
}

constexpr bool endpoint::is_mapped_ipv4() const noexcept {
    constexpr std::string_view prefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    return family_ == address_family::ipv6 && content().starts_with(prefix);
}

constexpr bool endpoint::is_loopback() const noexcept {
    // A socket that serves both families sees local IPv4 peers as ::ffff:127.0.0.1, ipv6(7).
    if (is_mapped_ipv4()) return bytes_[12] == 127;
    if (family_ == address_family::ipv4) return bytes_[0] == 127;
    return family_ == address_family::ipv6 && address_bytes() == loopback_ipv6(0).address_bytes();
}

constexpr bool endpoint::is_any() const noexcept {
    if (is_unix()) return false;
    const std::string_view address = content().substr(is_mapped_ipv4() ? 12 : 0);
    return address.find_first_not_of('\0') == address.npos;
}

constexpr std::string_view endpoint::print(std::span<char> buffer) const noexcept {
    detail::text_writer out{buffer};
    const std::array<std::uint8_t, 16> bytes = address_bytes();
    switch (family_) {
        case address_family::unix_path:
            out.put("unix:");
            out.put(path());
            break;
        case address_family::ipv4: out.put_ipv4(std::span(bytes).first<4>()); break;
        case address_family::ipv6:
            out.put('[');
            if (is_mapped_ipv4()) {
                out.put("::ffff:");
                out.put_ipv4(std::span(bytes).last<4>());
            } else {
                out.put_ipv6(bytes);
            }
            if (scope_ != 0) {
                out.put('%');
                out.put_number(scope_);
            }
            out.put(']');
            break;
    }
    if (!is_unix()) {
        out.put(':');
        out.put_number(port_);
    }
    return out.fits ? std::string_view(buffer.data(), out.size) : std::string_view();
}

constexpr std::strong_ordering endpoint::operator<=>(const endpoint& other) const noexcept {
    if (const auto order = family_ <=> other.family_; order != 0) return order;
    if (const auto order = content() <=> other.content(); order != 0) return order;
    if (const auto order = scope_ <=> other.scope_; order != 0) return order;
    return port_ <=> other.port_;
}

constexpr endpoint_error endpoint::assign_text(std::string_view text) noexcept {
    constexpr std::string_view unix_prefix = "unix:";
    if (text.empty()) return endpoint_error::empty;
    if (text.find('\0') != text.npos) return endpoint_error::embedded_nul;
    if (text.starts_with(unix_prefix)) return assign_path(text.substr(unix_prefix.size()));

    std::string_view host;
    std::string_view rest;  // from the ':' before the port on
    if (text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == text.npos) return endpoint_error::unclosed_bracket;
        host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
        if (host.find(':') == host.npos) return endpoint_error::bad_ipv6;
    } else {
        const std::size_t colon = text.find(':');
        host = text.substr(0, colon);
        rest = colon == text.npos ? std::string_view() : text.substr(colon);
        if (rest.find(':', 1) != rest.npos) return endpoint_error::missing_brackets;
    }
    if (const endpoint_error error = assign_host(host); error != endpoint_error::none) return error;
    if (!rest.starts_with(':')) return endpoint_error::missing_port;
    return assign_port(rest.substr(1));
}

constexpr endpoint_error endpoint::assign_host(std::string_view host) noexcept {
    // An empty host or "*" would leave open whether IPv4, IPv6 or both are meant.
    if (host.empty() || host == "*") return endpoint_error::missing_host;
    std::array<std::uint8_t, 16> bytes{};
    if (host.find(':') == host.npos) {
        if (!detail::read_ipv4(host, std::span(bytes).first<4>())) return endpoint_error::bad_ipv4;
        assign_bytes(address_family::ipv4, std::span(bytes).first<4>());
        return endpoint_error::none;
    }
    const std::size_t percent = host.find('%');
    if (!detail::read_ipv6(host.substr(0, percent), bytes)) return endpoint_error::bad_ipv6;
    if (percent != host.npos) {
        std::string_view scope = host.substr(percent + 1);
        const auto number = detail::take_decimal(scope, UINT32_MAX);
        if (!number || !scope.empty()) return endpoint_error::bad_scope;
        scope_ = *number;
    }
    assign_bytes(address_family::ipv6, bytes);
    return endpoint_error::none;
}

constexpr endpoint_error endpoint::assign_port(std::string_view text) noexcept {
    const auto number = detail::take_decimal(text, 65535);
    if (!number || !text.empty()) return endpoint_error::bad_port;
    port_ = static_cast<std::uint16_t>(*number);
    return endpoint_error::none;
}

constexpr endpoint_error endpoint::assign_path(std::string_view path) noexcept {
    // "@" alone would be the empty abstract name: more likely a variable that expanded to nothing.
    if (path.empty() || path == "@") return endpoint_error::path_empty;
    if (path.size() > path_size_max) return endpoint_error::path_too_long;
    if (path.find('\0') != path.npos) return endpoint_error::embedded_nul;
    family_ = address_family::unix_path;
    size_ = static_cast<std::uint8_t>(path.size());
    for (std::size_t i = 0; i < path.size(); ++i) bytes_[i] = path[i];
    return endpoint_error::none;
}

constexpr void endpoint::assign_bytes(address_family family,
                                      std::span<const std::uint8_t> address) noexcept {
    family_ = family;
    size_ = static_cast<std::uint8_t>(address.size());
    for (std::size_t i = 0; i < address.size(); ++i) bytes_[i] = static_cast<char>(address[i]);
}

}  // namespace anel

/// Not keyed: a table that hostile peers fill needs a bound of its own.
template <>
struct std::hash<anel::endpoint> {
    [[nodiscard]] constexpr std::size_t operator()(const anel::endpoint& value) const noexcept {
        std::uint64_t sum = 0xcbf29ce484222325;  // FNV-1a, 64 bits: offset basis, then prime
        const auto mix = [&sum](std::uint64_t part) { sum = (sum ^ part) * 0x100000001b3; };
        for (const char c : value.content()) mix(static_cast<unsigned char>(c));
        mix(value.scope_);
        mix(value.port_);
        mix(static_cast<std::uint64_t>(value.family_));
        return static_cast<std::size_t>(sum ^ (sum >> 32));  // the high half is better mixed
    }
};
