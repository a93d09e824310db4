// hostname_test.cpp: what may reach a resolver, rule by rule, and against inet_aton(3).
// SPDX-License-Identifier: MIT
#include <anel/hostname.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace {

using anel::check_hostname;
using anel::hostname_error;
using namespace std::string_literals;

static_assert(check_hostname("example.org") == hostname_error::none);
static_assert(check_hostname("127.1") == hostname_error::ambiguous_number);

// A name of `size` bytes in valid labels.
std::string name_of_size(std::size_t size) {
    std::string name(size, 'a');
    for (std::size_t i = 63; i + 1 < size; i += 64) name[i] = '.';
    return name;
}

TEST(hostname, accepts_names_and_strict_ipv4) {
    for (const std::string& name : {"localhost"s,
                                    "example.org"s,
                                    "example.org."s,
                                    "EXAMPLE.Org"s,
                                    "a"s,
                                    "xn--bcher-kva.example"s,
                                    "_dmarc.example.org"s,
                                    "my_host"s,
                                    "3com.com"s,
                                    "1e100.net"s,
                                    "0x7f.org"s,
                                    "1.2.3.4.in-addr.arpa"s,
                                    "a.0xg"s,
                                    "-"s,
                                    "127.0.0.1"s,
                                    "0.0.0.0"s,
                                    "255.255.255.255"s,
                                    std::string(63, 'a'),
                                    name_of_size(253),
                                    name_of_size(253) + "."}) {
        EXPECT_EQ(check_hostname(name), hostname_error::none) << name;
    }
}

TEST(hostname, refuses_each_bad_name_with_its_reason) {
    const std::pair<std::string, hostname_error> refusals[] = {
        {"", hostname_error::empty},
        {name_of_size(254), hostname_error::too_long},
        {name_of_size(254) + ".", hostname_error::too_long},
        {std::string(1 << 20, 'a'), hostname_error::too_long},
        {".", hostname_error::label_empty},
        {"..", hostname_error::label_empty},
        {".org", hostname_error::label_empty},
        {"a..org", hostname_error::label_empty},
        {"a.org..", hostname_error::label_empty},
        {std::string(64, 'a'), hostname_error::label_too_long},
        {std::string(64, 'a') + ".org", hostname_error::label_too_long},
        {"a." + std::string(64, 'a'), hostname_error::label_too_long},
        {"\0"s, hostname_error::embedded_nul},
        {"good.org\0.evil.org"s, hostname_error::embedded_nul},
        {"good.org\0"s, hostname_error::embedded_nul},
        {" ", hostname_error::space_or_control},
        {"a b", hostname_error::space_or_control},
        {"a.org\n", hostname_error::space_or_control},
        {"a\x7f", hostname_error::space_or_control},
        {"b\xc3\xbc"
         "cher.example",
         hostname_error::non_ascii},
        {"a\xe3\x80\x82org",
         hostname_error::non_ascii},  // an ideographic full stop is a dot to some
        {"\xff", hostname_error::non_ascii},
        {"a/b", hostname_error::bad_character},
        {"user@a.org", hostname_error::bad_character},
        {"a.org:80", hostname_error::bad_character},
        {"::1", hostname_error::bad_character},
        {"[::1]", hostname_error::bad_character},
        {"fe80::1%eth0", hostname_error::bad_character},
        {"*", hostname_error::bad_character},
        {"127.1", hostname_error::ambiguous_number},
        {"127.0.1", hostname_error::ambiguous_number},
        {"0x7f.1", hostname_error::ambiguous_number},
        {"1.0x7f", hostname_error::ambiguous_number},
        {"0X7F000001", hostname_error::ambiguous_number},
        {"0x", hostname_error::ambiguous_number},
        {"010.0.0.1", hostname_error::ambiguous_number},
        {"2130706433", hostname_error::ambiguous_number},
        {"1.2.3.256", hostname_error::ambiguous_number},
        {"1.2.3.4.5", hostname_error::ambiguous_number},
        {"1.2.3.4.", hostname_error::ambiguous_number},
        {"example.1", hostname_error::ambiguous_number},
    };
    for (const auto& [name, expected] : refusals) {
        EXPECT_EQ(check_hostname(name), expected)
            << name.substr(0, 80) << ": " << error_text(check_hostname(name));
    }
}

TEST(hostname, allows_only_letters_digits_hyphen_underscore_and_dot) {
    std::string allowed;
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        if (check_hostname(std::string("a") + c + "a") == hostname_error::none) allowed += c;
    }
    EXPECT_EQ(allowed, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
}

TEST(hostname, lets_no_number_through_that_inet_aton_reads_otherwise) {
    constexpr std::string_view alphabet = "0123456789abcdefxX....-";
    std::mt19937 random(20240601);
    int numbers = 0;
    for (int i = 0; i < 300'000; ++i) {
        std::string text(1 + random() % 12, '0');
        for (char& c : text) c = alphabet[random() % alphabet.size()];
        in_addr address{};
        if (inet_aton(text.c_str(), &address) == 0) continue;
        numbers += 1;
        const bool strict = inet_pton(AF_INET, text.c_str(), &address) == 1;
        ASSERT_EQ(check_hostname(text) == hostname_error::none, strict) << text;
    }
    EXPECT_GT(numbers, 1'000);
}

TEST(hostname, every_error_has_a_text_of_its_own) {
    std::set<std::string_view> texts;
    const auto last = static_cast<unsigned>(hostname_error::ambiguous_number);
    for (unsigned i = 0; i <= last; ++i) texts.insert(error_text(static_cast<hostname_error>(i)));
    EXPECT_EQ(texts.size(), last + 1);
    EXPECT_EQ(texts.count("unknown error"), 0U);
    EXPECT_EQ(error_text(static_cast<hostname_error>(last + 1)), "unknown error");
}

}  // namespace
