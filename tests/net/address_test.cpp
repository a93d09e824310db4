// address_test.cpp: endpoints through the system's sockaddr and back, and in their short form.
// SPDX-License-Identifier: MIT
#include "net/address.hpp"

#include <anel/detail/packed_endpoint.hpp>

#include <anel/endpoint.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using anel::endpoint;
using anel::detail::from_socket_address;
using anel::detail::pack;
using anel::detail::socket_address;
using anel::detail::to_socket_address;
using anel::detail::unpack;
using namespace std::string_literals;

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

// A unix address as the system could report it: `name` is all of sun_path that counts.
socket_address unix_address(std::string_view name) {
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    socket_address result{};
    std::memcpy(result.bytes, &native, path_offset);
    std::memcpy(result.bytes + path_offset, name.data(), name.size());
    result.size = static_cast<std::uint32_t>(path_offset + name.size());
    return result;
}

TEST(address, ip_endpoints_have_the_layout_of_the_system) {
    const socket_address four = to_socket_address("1.2.3.4:258");
    sockaddr_in native4{};
    ASSERT_EQ(four.size, sizeof native4);
    std::memcpy(&native4, four.bytes, sizeof native4);
    EXPECT_EQ(native4.sin_family, AF_INET);
    EXPECT_EQ(native4.sin_port, htons(258));
    EXPECT_EQ(native4.sin_addr.s_addr, htonl(0x01020304));

    const socket_address six = to_socket_address("[fe80::1%7]:258");
    sockaddr_in6 native6{};
    ASSERT_EQ(six.size, sizeof native6);
    std::memcpy(&native6, six.bytes, sizeof native6);
    EXPECT_EQ(native6.sin6_family, AF_INET6);
    EXPECT_EQ(native6.sin6_port, htons(258));
    EXPECT_EQ(native6.sin6_flowinfo, 0U);
    EXPECT_EQ(native6.sin6_scope_id, 7U);
    EXPECT_EQ(native6.sin6_addr.s6_addr[0], 0xfe);
    EXPECT_EQ(native6.sin6_addr.s6_addr[15], 1);
}

TEST(address, every_endpoint_comes_back_as_it_was) {
    for (const endpoint& address :
         {endpoint("0.0.0.0:0"), endpoint("255.254.253.252:65535"), endpoint("[::]:0"),
          endpoint("[1:2:3:4:5:6:7:8%4294967295]:1"), endpoint("unix:/x"), endpoint("unix:@x"),
          endpoint("unix:./@x"), endpoint("unix:" + std::string(107, 'p')),
          endpoint("unix:@" + std::string(106, 'p')), endpoint::unix_unnamed()}) {
        EXPECT_EQ(from_socket_address(to_socket_address(address)), address);
    }
}

TEST(address, short_cut_and_foreign_system_addresses_are_refused) {
    for (const endpoint& address : {endpoint("1.2.3.4:5"), endpoint("[::1]:5")}) {
        socket_address system = to_socket_address(address);
        const std::uint32_t whole = system.size;
        for (system.size = 0; system.size < whole; ++system.size)
            EXPECT_EQ(from_socket_address(system), std::nullopt) << system.size;
        system.size = sizeof system.bytes;
        EXPECT_EQ(from_socket_address(system), address);
        system.size += 1;
        EXPECT_EQ(from_socket_address(system), std::nullopt) << "cut by the system";
    }
    socket_address foreign{};
    foreign.size = sizeof foreign.bytes;
    EXPECT_EQ(from_socket_address(foreign), std::nullopt) << "AF_UNSPEC";
    EXPECT_EQ(from_socket_address(socket_address{}), std::nullopt) << "no address at all";
}

TEST(address, unix_names_end_at_nul_or_at_the_size) {
    EXPECT_EQ(from_socket_address(unix_address("")), endpoint::unix_unnamed());
    EXPECT_EQ(from_socket_address(unix_address("/x")), endpoint("unix:/x"));
    EXPECT_EQ(from_socket_address(unix_address("/x\0"s)), endpoint("unix:/x"));
    EXPECT_EQ(from_socket_address(unix_address("/x\0rest"s)), endpoint("unix:/x"));
    EXPECT_EQ(from_socket_address(unix_address(std::string(107, 'p'))),
              endpoint("unix:" + std::string(107, 'p')));
}

TEST(address, unix_names_without_a_text_are_refused) {
    // Linux accepts a path that fills sun_path without a terminator, unix(7) BUGS.
    EXPECT_EQ(from_socket_address(unix_address(std::string(108, 'p'))), std::nullopt);
    EXPECT_EQ(from_socket_address(unix_address(std::string(108, 'p') + '\0')), std::nullopt);
    EXPECT_EQ(from_socket_address(unix_address("@x")), std::nullopt) << "a file, not abstract";
}

#ifdef __linux__
TEST(address, abstract_names_are_read_by_size) {
    EXPECT_EQ(from_socket_address(unix_address("\0x"s)), endpoint("unix:@x"));
    EXPECT_EQ(to_socket_address("unix:@x").size, path_offset + 2);
    EXPECT_EQ(from_socket_address(unix_address("\0"s)), std::nullopt) << "the empty name";
    EXPECT_EQ(from_socket_address(unix_address("\0x\0"s)), std::nullopt) << "another name than @x";
    EXPECT_EQ(from_socket_address(unix_address('\0' + std::string(107, 'p'))), std::nullopt);
}
#endif

// What the system says a socket is bound to after binding it to `wanted`; 0.0.0.0:0 if it fails.
endpoint bound_address(const endpoint& wanted) {
    const bool is_ipv6 = wanted.family() == anel::address_family::ipv6;
    const int fd = socket(wanted.is_unix() ? AF_UNIX
                          : is_ipv6        ? AF_INET6
                                           : AF_INET,
                          SOCK_STREAM, 0);
    const socket_address system = to_socket_address(wanted);
    sockaddr_storage native{};
    std::memcpy(&native, system.bytes, system.size);
    endpoint result;
    if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&native), system.size) == 0) {
        socklen_t size = sizeof native;
        EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&native), &size), 0);
        socket_address reported{};
        reported.size = size;
        std::memcpy(reported.bytes, &native, sizeof reported.bytes);
        result = from_socket_address(reported).value_or(endpoint());
    }
    close(fd);
    return result;
}

TEST(address, the_system_understands_it) {
    const auto bound = bound_address("127.0.0.1:0");
    EXPECT_NE(bound.port(), 0);
    EXPECT_EQ(bound.with_port(0), "127.0.0.1:0");

    const std::string path = testing::TempDir() + "anel_address_test." + std::to_string(getpid());
    unlink(path.c_str());
    EXPECT_EQ(bound_address("unix:" + path), "unix:" + path);
    unlink(path.c_str());
#ifdef __linux__
    const std::string name = "unix:@anel_address_test." + std::to_string(getpid());
    EXPECT_EQ(bound_address(name), name);
    // Bound to no name, Linux picks an abstract one: five hexadecimal digits, unix(7).
    const auto picked = bound_address(endpoint::unix_unnamed());
    EXPECT_EQ(picked.path().size(), 6U);
    EXPECT_TRUE(picked.path().starts_with('@'));
#endif
}

TEST(address, a_packed_ip_endpoint_comes_back_as_it_was) {
    for (const endpoint& address : {endpoint("1.2.3.4:5"), endpoint("255.255.255.255:65535"),
                                    endpoint("[::]:0"), endpoint("[fe80::1%4294967295]:65535")}) {
        EXPECT_EQ(unpack(pack(address)), address);
    }
    EXPECT_EQ(unpack(pack("unix:/x")), endpoint::unix_unnamed());
    EXPECT_EQ(unpack(anel::detail::packed_endpoint()), endpoint());
}

TEST(address, arbitrary_system_bytes_give_nothing_or_an_endpoint_that_comes_back) {
    std::mt19937 source(20240601);
    const auto random = [&source](std::uint32_t bound) {
        return static_cast<std::uint32_t>(source() % bound);
    };
    int accepted = 0;
    for (int i = 0; i < 100'000; ++i) {
        socket_address system = to_socket_address(i % 3 == 0   ? endpoint("1.2.3.4:5")
                                                  : i % 3 == 1 ? endpoint("[::1%1]:5")
                                                               : endpoint("unix:/run/x.sock"));
        for (std::uint32_t changes = random(6); changes > 0; --changes)
            system.bytes[random(sizeof system.bytes)] = static_cast<std::byte>(random(256));
        if (random(4) == 0) system.size = random(120);
        const std::optional<endpoint> address = from_socket_address(system);
        if (!address) continue;
        accepted += 1;
        ASSERT_EQ(from_socket_address(to_socket_address(*address)), address);
    }
    EXPECT_GT(accepted, 10'000);
}

}  // namespace
