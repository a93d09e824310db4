// race_test.cpp: the order in which a host's addresses are tried.
// SPDX-License-Identifier: MIT
#include "net/race.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace {

using anel::address_family;
using anel::endpoint;
using anel::detail::interleaved;

/// Addresses numbered in the order found: "464" is IPv4, IPv6, IPv4.
std::vector<endpoint> addresses(const std::string& families) {
    std::vector<endpoint> found;
    for (const char family : families) {
        const auto port = static_cast<std::uint16_t>(found.size() + 1);
        found.push_back(family == '4' ? endpoint::loopback_ipv4(port)
                                      : endpoint::loopback_ipv6(port));
    }
    return found;
}

/// The numbers of the addresses in the order in which they are tried.
std::vector<int> order(const std::string& families) {
    std::vector<int> numbers;
    for (const endpoint& address : interleaved(addresses(families))) {
        numbers.push_back(address.port());
    }
    return numbers;
}

using numbers = std::vector<int>;

TEST(interleaved, families_take_turns_beginning_with_the_first_found) {
    EXPECT_EQ(order("666444"), (numbers{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(order("444666"), (numbers{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(order("64"), (numbers{1, 2}));
    EXPECT_EQ(order("446"), (numbers{1, 3, 2}));
}

TEST(interleaved, what_takes_turns_already_stays) {
    EXPECT_EQ(order("6464"), (numbers{1, 2, 3, 4}));
    EXPECT_EQ(order("4646"), (numbers{1, 2, 3, 4}));
}

TEST(interleaved, the_longer_family_comes_last_with_what_is_left) {
    EXPECT_EQ(order("64444"), (numbers{1, 2, 3, 4, 5}));
    EXPECT_EQ(order("66664"), (numbers{1, 5, 2, 3, 4}));
    EXPECT_EQ(order("44466"), (numbers{1, 4, 2, 5, 3}));
}

TEST(interleaved, one_family_keeps_its_order) {
    EXPECT_EQ(order(""), numbers{});
    EXPECT_EQ(order("6"), numbers{1});
    EXPECT_EQ(order("44444"), (numbers{1, 2, 3, 4, 5}));
}

TEST(interleaved, loses_and_doubles_no_address_and_keeps_the_order_within_a_family) {
    std::mt19937 random(8305);
    for (int round = 0; round < 1000; ++round) {
        std::string families(random() % 17, '4');
        for (char& family : families) family = random() % 2 ? '4' : '6';
        const auto found = addresses(families);
        const auto tried = interleaved(found);
        ASSERT_TRUE(std::is_permutation(tried.begin(), tried.end(), found.begin(), found.end()));
        for (const auto family : {address_family::ipv4, address_family::ipv6}) {
            int last = 0;
            for (const endpoint& address : tried) {
                if (address.family() != family) continue;
                ASSERT_GT(address.port(), last) << families;
                last = address.port();
            }
        }
        const auto sixes = static_cast<std::size_t>(std::ranges::count(families, '6'));
        const std::size_t pairs = std::min(sixes, families.size() - sixes);
        for (std::size_t i = 1; i < 2 * pairs; ++i) {
            ASSERT_NE(tried[i].family(), tried[i - 1].family()) << families;
        }
    }
}

}  // namespace
