// endpoint_test.cpp: endpoint against its grammar, the C library, and the system's own addresses.
// SPDX-License-Identifier: MIT
#include <anel/endpoint.hpp>

#include "net/address.hpp"

#include <anel/detail/packed_endpoint.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

namespace {

using anel::address_family;
using anel::endpoint;
using anel::endpoint_error;
using anel::detail::socket_address;
using anel::detail::to_socket_address;
using namespace std::string_literals;
using namespace std::string_view_literals;

static_assert(std::is_trivially_copyable_v<endpoint> && std::regular<endpoint>);
static_assert(std::is_convertible_v<const char*, endpoint>);
static_assert(std::is_convertible_v<std::string, endpoint>);
static_assert(std::is_convertible_v<std::string_view, endpoint>);
static_assert(!std::is_constructible_v<endpoint, std::nullptr_t>);
static_assert(std::totally_ordered<endpoint>);

constexpr endpoint home = "127.0.0.1:7777";
static_assert(home.family() == address_family::ipv4 && home.port() == 7777 && home.is_loopback());
static_assert(home == endpoint::loopback_ipv4(7777) && home == endpoint("127.0.0.1", 7777));
static_assert(endpoint("[::1]:0") == endpoint::loopback_ipv6(0));
static_assert(endpoint("[fe80::1%3]:80").scope_id() == 3);
static_assert(endpoint("unix:/run/x.sock").path() == "/run/x.sock");
static_assert(endpoint() == endpoint::any_ipv4(0));
static_assert(!endpoint::parse("127.0.0.1:99999"));
static_assert([] {
    std::array<char, endpoint::text_size_max> buffer{};
    return endpoint("fe80::1:0:0:1%7", 443).print(buffer) == "[fe80::1:0:0:1%7]:443";
}());
static_assert(std::hash<endpoint>()(home) == std::hash<endpoint>()(home.with_port(7777)));
static_assert(anel::detail::unpack(anel::detail::pack(home)) == home);

endpoint_error reason(std::string_view text) {
    auto why = endpoint_error::none;
    const bool parsed = endpoint::parse(text, &why).has_value();
    EXPECT_EQ(parsed, why == endpoint_error::none) << text;
    return why;
}

// Random addresses in which runs of zeros and IPv4 prefixes are frequent.
class address_source {
public:
    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>(random_() % bound);
    }

    std::array<std::uint8_t, 16> ipv6_bytes() {
        std::array<std::uint8_t, 16> bytes{};
        for (std::size_t i = 0; i < 16; i += 2) {
            const std::uint32_t kind = below(6);
            const std::uint32_t field = kind < 3    ? 0
                                        : kind == 3 ? 0xffff
                                        : kind == 4 ? below(16)
                                                    : below(0x10000);
            bytes[i] = static_cast<std::uint8_t>(field >> 8);
            bytes[i + 1] = static_cast<std::uint8_t>(field);
        }
        if (below(8) == 0) {
            std::fill_n(bytes.begin(), 10, std::uint8_t{0});
            bytes[10] = bytes[11] = 0xff;
        }
        return bytes;
    }

    endpoint any_endpoint() {
        const auto port = static_cast<std::uint16_t>(below(0x10000));
        const auto bytes = ipv6_bytes();
        switch (below(3)) {
            case 0: return endpoint::ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}, port);
            case 1: return endpoint::ipv6(bytes, port, below(2) * below(UINT32_MAX));
            default: break;
        }
        std::string path(1 + below(endpoint::path_size_max), '\0');
        for (char& c : path) c = static_cast<char>(1 + below(255));
        return endpoint::unix_path(path).value_or("unix:@x");
    }

    std::string mutated(std::string text) {
        constexpr std::string_view alphabet = "0123456789abcdefABCDEFgx:::...% +-/[]\n";
        for (std::uint32_t changes = below(4); changes > 0; --changes) {
            const char c = alphabet[below(static_cast<std::uint32_t>(alphabet.size()))];
            const std::size_t at = below(static_cast<std::uint32_t>(text.size() + 1));
            switch (below(4)) {
                case 0: text.insert(at, 1, c); break;
                case 1: text.erase(at, 1); break;
                case 2: text.insert(at, text.substr(at, 1 + below(4))); break;
                default:
                    if (at < text.size()) text[at] = c;
            }
        }
        return text;
    }

private:
    std::mt19937_64 random_{20240601};
};

struct reading {
    std::string_view text;
    endpoint expected;
};

TEST(endpoint, reads_and_prints_each_form) {
    const reading readings[] = {
        {"127.0.0.1:7777", endpoint::ipv4({127, 0, 0, 1}, 7777)},
        {"0.0.0.0:0", endpoint::any_ipv4(0)},
        {"255.255.255.255:65535", endpoint::ipv4({255, 255, 255, 255}, 65535)},
        {"[::]:80", endpoint::any_ipv6(80)},
        {"[::1]:0", endpoint::loopback_ipv6(0)},
        {"[fe80::1%3]:80", endpoint("fe80::1%3", 80)},
        {"[fe80::1%4294967295]:80", endpoint("fe80::1%4294967295", 80)},
        {"[::ffff:1.2.3.4]:5", endpoint("::ffff:102:304", 5)},
        {"unix:/run/x.sock", *endpoint::unix_path("/run/x.sock")},
        {"unix:@name", *endpoint::unix_path("@name")},
        {"unix:a b", *endpoint::unix_path("a b")},
        {"unix:unix:", *endpoint::unix_path("unix:")},
    };
    for (const auto& [text, expected] : readings) {
        EXPECT_EQ(endpoint::parse(text), expected) << text;
        EXPECT_EQ(expected.to_string(), text);
        EXPECT_EQ(endpoint(std::string(text)), expected);
    }
}

TEST(endpoint, refuses_each_bad_text_with_its_reason) {
    const std::pair<std::string, endpoint_error> refusals[] = {
        {"", endpoint_error::empty},
        {"\0"s, endpoint_error::embedded_nul},
        {"127.0.0.1\0:80"s, endpoint_error::embedded_nul},
        {"127.0.0.1:80\0"s, endpoint_error::embedded_nul},
        {"unix:/run/x\0y"s, endpoint_error::embedded_nul},
        {":7777", endpoint_error::missing_host},
        {":", endpoint_error::missing_host},
        {"*:7777", endpoint_error::missing_host},
        {"127.0.0.1", endpoint_error::missing_port},
        {"[::1]", endpoint_error::missing_port},
        {"[::1]80", endpoint_error::missing_port},
        {"::1", endpoint_error::missing_brackets},
        {"::1:80", endpoint_error::missing_brackets},
        {"127.0.0.1:80:80", endpoint_error::missing_brackets},
        {"[::1:80", endpoint_error::unclosed_bracket},
        {"[", endpoint_error::unclosed_bracket},
        {"localhost:80", endpoint_error::bad_ipv4},
        {"127.1:80", endpoint_error::bad_ipv4},
        {"0x7f.1:80", endpoint_error::bad_ipv4},
        {"010.0.0.1:80", endpoint_error::bad_ipv4},
        {"2130706433:80", endpoint_error::bad_ipv4},
        {"1.2.3.256:80", endpoint_error::bad_ipv4},
        {"1.2.3.4.:80", endpoint_error::bad_ipv4},
        {" 1.2.3.4:80", endpoint_error::bad_ipv4},
        {"1.2.3.4%1:80", endpoint_error::bad_ipv4},
        {"UNIX:/run/x", endpoint_error::bad_ipv4},
        {"[]:80", endpoint_error::bad_ipv6},
        {"[127.0.0.1]:80", endpoint_error::bad_ipv6},
        {"[::1 ]:80", endpoint_error::bad_ipv6},
        {"[[::1]]:80", endpoint_error::bad_ipv6},
        {"[1::2::3]:80", endpoint_error::bad_ipv6},
        {"[1:2:3:4:5:6:7:8:9]:80", endpoint_error::bad_ipv6},
        {"[1:2:3:4:5:6:7::8]:80", endpoint_error::bad_ipv6},
        {"[12345::]:80", endpoint_error::bad_ipv6},
        {"[::1%]:80", endpoint_error::bad_scope},
        {"[fe80::1%eth0]:80", endpoint_error::bad_scope},
        {"[fe80::1%03]:80", endpoint_error::bad_scope},
        {"[fe80::1%3%3]:80", endpoint_error::bad_scope},
        {"[fe80::1%4294967296]:80", endpoint_error::bad_scope},
        {"127.0.0.1:", endpoint_error::bad_port},
        {"127.0.0.1:65536", endpoint_error::bad_port},
        {"127.0.0.1:99999999999999999999", endpoint_error::bad_port},
        {"127.0.0.1:+80", endpoint_error::bad_port},
        {"127.0.0.1:-1", endpoint_error::bad_port},
        {"127.0.0.1: 80", endpoint_error::bad_port},
        {"127.0.0.1:80 ", endpoint_error::bad_port},
        {"127.0.0.1:080", endpoint_error::bad_port},
        {"127.0.0.1:http", endpoint_error::bad_port},
        {"[::1]:", endpoint_error::bad_port},
        {"unix:", endpoint_error::path_empty},
        {"unix:@", endpoint_error::path_empty},
        {"unix:" + std::string(108, 'p'), endpoint_error::path_too_long},
    };
    for (const auto& [text, expected] : refusals) {
        EXPECT_EQ(reason(text), expected) << text << ": " << error_text(reason(text));
        EXPECT_THROW(endpoint{text}, std::system_error) << text;
    }
    EXPECT_EQ(reason("unix:" + std::string(107, 'p')), endpoint_error::none);
}

TEST(endpoint, exception_names_the_value_and_the_reason) {
    const auto message = [](auto make) -> std::string {
        try {
            make();
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), std::errc::invalid_argument);
            return error.what();
        }
        return "nothing thrown";
    };
    EXPECT_TRUE(message([] {
                    endpoint("127.0.0.1:99999");
                }).starts_with("bad address \"127.0.0.1:99999\": port must be 0..65535"));
    EXPECT_TRUE(message([] { endpoint("name", 1); }).starts_with("bad address \"name\": IPv4 is"));
    // Text from a peer must not write its own lines into a log, nor megabytes.
    EXPECT_TRUE(message([] {
                    endpoint("a\"\n\x80\0"sv);
                }).starts_with("bad address \"a\\x22\\x0a\\x80\\x00\": it contains a NUL"));
    EXPECT_LT(message([] { endpoint(std::string(1 << 20, '\n')); }).size(), 1200U);
}

TEST(endpoint, every_error_has_a_text_of_its_own) {
    std::set<std::string_view> texts;
    const auto last = static_cast<unsigned>(endpoint_error::path_too_long);
    for (unsigned i = 0; i <= last; ++i) texts.insert(error_text(static_cast<endpoint_error>(i)));
    EXPECT_EQ(texts.size(), last + 1);
    EXPECT_EQ(texts.count("unknown error"), 0U);
    EXPECT_EQ(error_text(static_cast<endpoint_error>(last + 1)), "unknown error");
}

TEST(endpoint, prints_ipv6_as_rfc_5952) {
    const std::pair<std::string_view, std::string_view> forms[] = {
        {"2001:DB8::AbCd", "2001:db8::abcd"},              // lower case
        {"2001:0db8::0001", "2001:db8::1"},                // no leading zeros
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},         // as short as possible
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero field stays
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},   // even if it came as "::"
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of two equal runs
        {"0:0:1:0:0:0:0:0", "0:0:1::"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::ffff:a0b:c0d", "::ffff:10.11.12.13"},
        {"::1.2.3.4", "::102:304"},  // only mapped IPv4 has dots
        {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
        {"fe80::1%0", "fe80::1"},
    };
    for (const auto& [text, expected] : forms)
        EXPECT_EQ(endpoint(text, 1).to_string(), "[" + std::string(expected) + "]:1") << text;
}

TEST(endpoint, equals_the_parse_of_its_print) {
    address_source source;
    for (int i = 0; i < 20'000; ++i) {
        const endpoint address = source.any_endpoint();
        ASSERT_EQ(endpoint::parse(address.to_string()), address);
        std::ostringstream out;
        out << address;
        ASSERT_EQ(out.str(), address.to_string());
    }
    EXPECT_EQ(endpoint::unix_unnamed().to_string(), "unix:");
}

TEST(endpoint, takes_the_literals_that_inet_pton_takes) {
    const std::string seeds[] = {"127.0.0.1",
                                 "255.249.199.0",
                                 "0.0.0.0",
                                 "::",
                                 "::1",
                                 "1::",
                                 "2001:db8::1",
                                 "1:2:3:4:5:6:7:8",
                                 "1:2:3:4:5:6:7::",
                                 "::2:3:4:5:6:7:8",
                                 "1:2:3:4:5::7:8",
                                 "::ffff:1.2.3.4",
                                 "1:2:3:4:5:6:1.2.3.4",
                                 "1:2:3:4:5::1.2.3.4",
                                 "ABCD:ef01::f",
                                 "",
                                 ":",
                                 "."};
    address_source source;
    int accepted = 0;
    for (int i = 0; i < 100'000; ++i) {
        const std::string text = source.mutated(seeds[source.below(std::size(seeds))]);
        if (text.find('%') != text.npos) continue;  // a scope is no part of inet_pton's form
        std::array<std::uint8_t, 16> expected{};
        const bool is_ipv4 = inet_pton(AF_INET, text.c_str(), expected.data()) == 1;
        const bool is_ipv6 = !is_ipv4 && inet_pton(AF_INET6, text.c_str(), expected.data()) == 1;

        const auto address = endpoint::parse_host(text, 9);
        ASSERT_EQ(address.has_value(), is_ipv4 || is_ipv6) << text;
        const std::string with_port = is_ipv4 ? text + ":9" : "[" + text + "]:9";
        ASSERT_EQ(endpoint::parse(with_port), address) << text;
        if (!address) continue;
        accepted += 1;
        ASSERT_EQ(address->family(), is_ipv4 ? address_family::ipv4 : address_family::ipv6);
        ASSERT_EQ(address->address_bytes(), expected) << text;
    }
    EXPECT_GT(accepted, 10'000);
}

TEST(endpoint, prints_as_inet_ntop_and_getnameinfo_do) {
    address_source source;
    for (int i = 0; i < 20'000; ++i) {
        const endpoint address = source.any_endpoint();
        if (address.is_unix()) continue;
        const auto bytes = address.address_bytes();
        const bool is_ipv6 = address.family() == address_family::ipv6;
        // glibc also prints the long obsolete ::1.2.3.4 with dots.
        if (is_ipv6 && std::all_of(bytes.begin(), bytes.begin() + 12, [](int b) { return b == 0; }))
            continue;
        char host[128];
        ASSERT_NE(inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, bytes.data(), host, sizeof host),
                  nullptr);
        const std::string port = ":" + std::to_string(address.port());
        const std::string scope =
            address.scope_id() == 0 ? "" : "%" + std::to_string(address.scope_id());
        ASSERT_EQ(address.to_string(), is_ipv6 ? "[" + (host + scope) + "]" + port : host + port);

        const socket_address system = to_socket_address(address);
        sockaddr_storage native{};
        std::memcpy(&native, system.bytes, system.size);
        char service[16];
        ASSERT_EQ(getnameinfo(reinterpret_cast<const sockaddr*>(&native), system.size, host,
                              sizeof host, service, sizeof service,
                              NI_NUMERICHOST | NI_NUMERICSERV),
                  0);
        ASSERT_EQ(address.to_string(),
                  is_ipv6 ? "["s + host + "]:" + service : host + ":"s + service);
    }
}

TEST(endpoint, print_never_cuts) {
    const endpoint longest[] = {
        "255.255.255.255:65535", "[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535",
        "[::ffff:255.255.255.255%4294967295]:65535", "unix:" + std::string(107, 'p'), "unix:@x"};
    for (const endpoint& address : longest) {
        const std::string text = address.to_string();
        ASSERT_LE(text.size(), endpoint::text_size_max);
        for (std::size_t size = 0; size <= text.size(); ++size) {
            std::vector<char> buffer(size);  // its own allocation: a sanitizer sees a byte too many
            EXPECT_EQ(address.print(buffer), size == text.size() ? text : "") << size;
        }
    }
}

TEST(endpoint, knows_loopback_and_any) {
    for (const std::string_view text : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.1.2.3"})
        EXPECT_TRUE(endpoint(text, 1).is_loopback()) << text;
    for (const std::string_view text : {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "::127.0.0.1"})
        EXPECT_FALSE(endpoint(text, 1).is_loopback()) << text;
    for (const std::string_view text : {"0.0.0.0", "::", "::ffff:0.0.0.0"})
        EXPECT_TRUE(endpoint(text, 1).is_any()) << text;
    for (const std::string_view text : {"0.0.0.1", "::1", "::ffff:0.0.0.1", "::ffff:0:0:0"})
        EXPECT_FALSE(endpoint(text, 1).is_any()) << text;
    for (const endpoint& address : {endpoint("unix:/x"), endpoint::unix_unnamed()}) {
        EXPECT_FALSE(address.is_loopback());
        EXPECT_FALSE(address.is_any());
    }
}

TEST(endpoint, with_port_changes_only_an_ip_address) {
    EXPECT_EQ(endpoint("[fe80::1%3]:80").with_port(81), "[fe80::1%3]:81");
    EXPECT_EQ(endpoint("unix:/x").with_port(81), "unix:/x");
    EXPECT_EQ(endpoint("unix:/x").port(), 0);
    EXPECT_EQ(endpoint("127.0.0.1:1").path(), "");
}

TEST(endpoint, orders_by_family_address_scope_and_port) {
    const endpoint ordered[] = {"1.2.3.4:9", "1.2.3.5:8", "200.0.0.0:1", "[::1]:1",
                                "[::1]:2",   "[::1%1]:1", "[::2]:0",     "[ff00::]:0",
                                "unix:a",    "unix:a/",   "unix:b",      "unix:\x80"};
    std::unordered_set<endpoint> distinct;
    for (std::size_t i = 0; i < std::size(ordered); ++i) {
        distinct.insert(ordered[i]);
        for (std::size_t j = 0; j < std::size(ordered); ++j) {
            EXPECT_EQ(ordered[i] <=> ordered[j], i <=> j) << ordered[i] << " " << ordered[j];
            EXPECT_EQ(ordered[i] == ordered[j], i == j);
        }
    }
    EXPECT_EQ(distinct.size(), std::size(ordered));
    EXPECT_TRUE(distinct.contains("[0::1]:1"));
}

}  // namespace
