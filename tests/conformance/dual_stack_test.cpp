// dual_stack_test.cpp: zones of IPv6 addresses, IPv4 peers of IPv6 sockets, binds for both
// families.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

namespace anel::test {
namespace {

/// An address that means something on one link alone, and the name of its interface.
struct link_local_address {
    endpoint address;  // with its zone and without a port
    std::string interface;

    [[nodiscard]] std::string host() const {
        const std::string text = address.to_string();  // [fe80::1%2]:0
        return text.substr(1, text.find('%') - 1);
    }
    [[nodiscard]] endpoint zoned(std::uint32_t scope, std::uint16_t port) const {
        return endpoint::ipv6(address.address_bytes(), port, scope);
    }
};

/// Nothing: this machine has none that can be bound to.
std::optional<link_local_address> link_local() {
    if (simulated) return link_local_address{endpoint("[fe80::1%2]:0"), "eth0"};
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) < 0) return std::nullopt;
    std::optional<link_local_address> found;
    for (const ifaddrs* each = all; each && !found; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET6) continue;
        sockaddr_in6 name{};
        std::memcpy(&name, each->ifa_addr, sizeof name);
        if (!IN6_IS_ADDR_LINKLOCAL(&name.sin6_addr)) continue;
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &name.sin6_addr, bytes.size());
        const unsigned index = ::if_nametoindex(each->ifa_name);
        // Not while its duplicates are looked for, nor where the link is down.
        const raw_socket probe(::socket(AF_INET6, SOCK_DGRAM | close_on_exec, 0));
        name.sin6_scope_id = index;
        if (::bind(probe.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0) continue;
        found = link_local_address{endpoint::ipv6(bytes, 0, index), each->ifa_name};
    }
    ::freeifaddrs(all);
    return found;
}

class dual_stack : public over_backends {
protected:
    static bool has_link_local() { return GetParam() == backend_kind::sim || link_local(); }
};
ANEL_OVER_BACKENDS(dual_stack);

constexpr std::uint32_t no_such_zone = 999'999;

/// What `inner` throws is `CALL ADDRESS: REASON`.
template <awaitable A>
task<> expect_refusal(A inner, const char* call, endpoint address, const char* reason) {
    const std::string text = co_await failure_of(std::move(inner));
    EXPECT_EQ(text, std::string(call) + " " + address.to_string() + ": " + reason);
}

constexpr const char* no_device = "No such device (ENODEV)";
constexpr const char* invalid = "Invalid argument (EINVAL)";
constexpr const char* unreachable = "Network is unreachable (ENETUNREACH)";
constexpr const char* not_ours = "Cannot assign requested address (EADDRNOTAVAIL)";
constexpr const char* other_family = "Address family not supported by protocol (EAFNOSUPPORT)";

// --- zones --------------------------------------------------------------------------------------

TEST_P(dual_stack, a_datagram_keeps_the_zone_and_its_answer_finds_back) {
    if (!has_link_local()) GTEST_SKIP() << "no link-local address here";
    run([&]() -> task<> {
        const auto own = link_local();
        udp_options options;
        options.tell_local_address = true;
        auto server = co_await udp_socket::bind(own->address, options);
        auto client = co_await udp_socket::bind(own->address);
        EXPECT_EQ(server.local_endpoint().with_port(0), own->address);
        std::array<char, 64> buffer{};
        co_await client.sendto("one", server.local_endpoint());
        auto plain = co_await server.recvfrom(buffer);
        EXPECT_EQ(plain.from, client.local_endpoint());
        co_await server.sendto("back", plain.from);
        auto back = co_await client.recvfrom(buffer);
        EXPECT_EQ(back.from, server.local_endpoint());
        // With the address at this end, which has a zone of its own.
        co_await client.sendto("two", server.local_endpoint());
        auto told = co_await server.recvmsg(buffer);
        EXPECT_EQ(told.local, own->address);
        EXPECT_EQ(told.interface_index, own->address.scope_id());
        co_await server.sendmsg("back", told.from, told.local);
        back = co_await client.recvfrom(buffer);
        EXPECT_EQ(back.from, server.local_endpoint());
        // In a batch, which is answered where it lies.
        auto batch = datagram_batch::with_control(100);
        co_await client.sendto("three", server.local_endpoint());
        co_await server.recv_batch(batch);
        EXPECT_EQ(batch[0].peer(), client.local_endpoint());
        EXPECT_EQ(batch[0].local(), own->address);
        co_await server.send_batch(batch);
        back = co_await client.recvfrom(buffer);
        EXPECT_EQ(back.from, server.local_endpoint());
        // And on connected sockets.
        co_await client.connect(server.local_endpoint());
        co_await client.send("four");
        plain = co_await server.recvfrom(buffer);
        EXPECT_EQ(plain.from, client.local_endpoint());
    });
}

TEST_P(dual_stack, a_socket_for_every_address_learns_the_zone_of_its_peer) {
    if (!has_link_local()) GTEST_SKIP() << "no link-local address here";
    run([&]() -> task<> {
        const auto own = link_local();
        auto server = co_await udp_socket::bind("[::]:0");
        const std::uint16_t port = server.local_endpoint().port();
        auto client = co_await udp_socket::bind(own->address);
        std::array<char, 64> buffer{};
        co_await client.sendto("x", own->address.with_port(port));
        auto got = co_await server.recvfrom(buffer);
        EXPECT_EQ(got.from, client.local_endpoint());
        co_await server.sendto("y", got.from);
        got = co_await client.recvfrom(buffer);
        EXPECT_EQ(got.from, own->address.with_port(port));
    });
}

TEST_P(dual_stack, a_connection_has_its_zone_at_both_ends) {
    if (!has_link_local()) GTEST_SKIP() << "no link-local address here";
    run([&]() -> task<> {
        const auto own = link_local();
        auto pair = co_await connected_pair(own->address);
        EXPECT_EQ(pair.client.peer_endpoint(), pair.server.local_endpoint());
        EXPECT_EQ(pair.server.peer_endpoint(), pair.client.local_endpoint());
        EXPECT_EQ(pair.server.local_endpoint().with_port(0), own->address);
        EXPECT_EQ(pair.client.local_endpoint().with_port(0), own->address);
    });
}

TEST_P(dual_stack, the_zone_of_an_address_may_be_the_name_of_an_interface) {
    if (!has_link_local()) GTEST_SKIP() << "no link-local address here";
    run([&]() -> task<> {
        const auto own = link_local();
        auto listener = co_await tcp_listener::bind(own->address);
        const std::uint16_t port = listener.local_endpoint().port();
        const std::string host = own->host() + "%" + own->interface;
        auto found = co_await resolve(host, port);
        EXPECT_EQ(found, std::vector{own->address.with_port(port)});
        auto client = co_await connect(host, port);
        EXPECT_EQ(client.peer_endpoint(), own->address.with_port(port));
        const std::string unknown = own->host() + "%nosuch0";
        std::string text = co_await failure_of(resolve(unknown, 80));
        EXPECT_EQ(text, "resolve " + unknown + ": No such device (ENODEV)");
        text = co_await failure_of(connect(unknown, 80));
        EXPECT_EQ(text, "resolve " + unknown + ": No such device (ENODEV)");
    });
}

#ifdef __linux__  // the errors are Linux's
TEST_P(dual_stack, a_zone_that_is_missing_or_unknown_is_refused_with_its_address) {
    if (!has_link_local()) GTEST_SKIP() << "no link-local address here";
    run([&]() -> task<> {
        const auto own = link_local();
        const endpoint unknown = own->zoned(no_such_zone, 4'000);
        const endpoint none = own->zoned(0, 4'000);
        co_await expect_refusal(udp_socket::bind(unknown), "bind", unknown, no_device);
        co_await expect_refusal(tcp_listener::bind(unknown), "bind", unknown, no_device);
        co_await expect_refusal(udp_socket::bind(none), "bind", none, invalid);
        co_await expect_refusal(tcp_listener::bind(none), "bind", none, invalid);
        auto socket = co_await udp_socket::bind("[::]:0");
        co_await expect_refusal(socket.sendto("x", unknown), "sendto", unknown, unreachable);
        co_await expect_refusal(socket.connect(unknown), "connect", unknown, unreachable);
        auto another = co_await udp_socket::bind("[::]:0");  // Linux keeps to a zone it was refused
        co_await expect_refusal(another.connect(none), "connect", none, invalid);
        co_await expect_refusal(connect(unknown), "connect", unknown, unreachable);
        co_await expect_refusal(connect(none), "connect", none, invalid);
        // That of the loopback interface is not this address's.
        const endpoint other = own->zoned(1, 4'000);
        co_await expect_refusal(udp_socket::bind(other), "bind", other, not_ours);
    });
}

#endif

TEST_P(dual_stack, an_address_of_more_than_one_link_has_no_zone) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("[::1%7]:0");
        EXPECT_EQ(socket.local_endpoint().scope_id(), 0U);
        std::array<char, 64> buffer{};
        const std::array<std::uint8_t, 16> bytes = socket.local_endpoint().address_bytes();
        const std::uint16_t port = socket.local_endpoint().port();
        co_await socket.sendto("x", endpoint::ipv6(bytes, port, 7));
        auto got = co_await socket.recvfrom(buffer);
        EXPECT_EQ(got.from, socket.local_endpoint());
    });
}

// --- IPv4 by an IPv6 socket ---------------------------------------------------------------------

TEST_P(dual_stack, a_mapped_peer_is_an_ipv4_peer_at_the_other_end) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        // A connection.
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint mapped("::ffff:127.0.0.1", listener.local_endpoint().port());
        auto client = co_await connect(mapped);
        auto server = co_await listener.accept();
        EXPECT_EQ(client.peer_endpoint(), mapped);
        EXPECT_EQ(client.peer_endpoint().to_string(),
                  "[::ffff:127.0.0.1]:" + std::to_string(mapped.port()));
        EXPECT_EQ(server.peer_endpoint().family(), address_family::ipv4);
        EXPECT_EQ(client.local_endpoint(),
                  endpoint("::ffff:127.0.0.1", server.peer_endpoint().port()));
        // Datagrams.
        auto four = co_await udp_socket::bind("127.0.0.1:0");
        auto six = co_await udp_socket::bind("[::ffff:127.0.0.1]:0");
        EXPECT_EQ(six.local_endpoint().with_port(0), endpoint("[::ffff:127.0.0.1]:0"));
        const endpoint to("::ffff:127.0.0.1", four.local_endpoint().port());
        const endpoint here("127.0.0.1", six.local_endpoint().port());
        std::array<char, 64> buffer{};
        co_await six.sendto("x", to);
        auto got = co_await four.recvfrom(buffer);
        EXPECT_EQ(got.from, here);
        co_await four.sendto("y", got.from);
        got = co_await six.recvfrom(buffer);
        EXPECT_EQ(got.from, to);
        co_await six.connect(to);
        co_await six.send("z");
        got = co_await four.recvfrom(buffer);
        EXPECT_EQ(got.from, here);
    });
}

TEST_P(dual_stack, a_connect_gives_a_datagram_socket_for_both_families_one_address) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        const std::pair<endpoint, endpoint> ways[] = {{"127.0.0.1:0", "[::ffff:127.0.0.1]:0"},
                                                      {"[::1]:0", "[::1]:0"}};
        for (const auto& [host, seen] : ways) {
            auto peer = co_await udp_socket::bind(host);
            auto socket = co_await udp_socket::bind("[::]:0");
            const std::uint16_t port = socket.local_endpoint().port();
            co_await socket.connect(seen.with_port(peer.local_endpoint().port()));
            EXPECT_EQ(socket.local_endpoint(), seen.with_port(port));
            std::array<char, 64> buffer{};
            co_await socket.send("x");
            auto got = co_await peer.recvfrom(buffer);
            EXPECT_EQ(got.from, host.with_port(port));
            co_await peer.sendto("y", got.from);
            got = co_await socket.recvfrom(buffer);
            EXPECT_EQ(got.from, seen.with_port(peer.local_endpoint().port()));
        }
    });
}

#ifdef __linux__
TEST_P(dual_stack, what_an_ipv6_socket_cannot_reach_is_refused) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        const endpoint mapped = "[::ffff:127.0.0.1]:4000";
        const endpoint six = "[::1]:4000";
        udp_options options;
        options.v6_only = true;
        auto only = co_await udp_socket::bind("[::]:0", options);
        auto bound = co_await udp_socket::bind("[::1]:0");
        for (udp_socket* each : {&only, &bound}) {
            co_await expect_refusal(each->sendto("x", mapped), "sendto", mapped, unreachable);
            co_await expect_refusal(each->connect(mapped), "connect", mapped, unreachable);
        }
        auto as_four = co_await udp_socket::bind("[::ffff:127.0.0.1]:0");
        co_await expect_refusal(as_four.sendto("x", six), "sendto", six, other_family);
        co_await expect_refusal(as_four.connect(six), "connect", six, other_family);
        auto four = co_await udp_socket::bind("127.0.0.1:0");
        co_await expect_refusal(four.sendto("x", six), "sendto", six, other_family);
        co_await expect_refusal(four.sendto("x", mapped), "sendto", mapped, other_family);
        // A mapped address is IPv4's, which v6_only excludes.
        const endpoint any_port = "[::ffff:127.0.0.1]:0";
        co_await expect_refusal(udp_socket::bind(any_port, options), "bind", any_port, invalid);
        listen_options listening;
        listening.v6_only = true;
        co_await expect_refusal(tcp_listener::bind(any_port, listening), "bind", any_port, invalid);
    });
}

#endif

// --- binds --------------------------------------------------------------------------------------

struct pair_of_binds {
    endpoint six;
    bool v6_only;
    bool fit;  // beside 0.0.0.0 and beside 127.0.0.1
};

constexpr pair_of_binds binds[] = {
    {"[::]:0", false, false},
    {"[::]:0", true, true},
    {"[::1]:0", false, true},
    {"[::ffff:127.0.0.1]:0", false, false},
    {"[::ffff:0.0.0.0]:0", false, false},
};

// `first` binds a port that the system chooses, `second` the same one. Somebody else may have that
// one of the other family, so what should fit is tried again.
template <class First, class Second>
task<> try_to_bind(bool fit, First first, Second second) {
    std::error_code error;
    for (int tries = fit ? 20 : 1; tries > 0; --tries) {
        auto one = co_await first();
        const std::uint16_t port = one.local_endpoint().port();
        error = co_await error_of(second(port));
        if (!error) break;
    }
    EXPECT_EQ(error, fit ? std::error_code() : code(EADDRINUSE));
}

TEST_P(dual_stack, datagram_sockets_of_both_families_share_a_port_only_when_they_can) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        for (const pair_of_binds& each : binds) {
            for (const endpoint& host : {endpoint("0.0.0.0:0"), endpoint("127.0.0.1:0")}) {
                udp_options options;
                options.v6_only = each.v6_only;
                const auto six = [&](std::uint16_t port) {
                    return udp_socket::bind(each.six.with_port(port), options);
                };
                const auto four = [&](std::uint16_t port) {
                    return udp_socket::bind(host.with_port(port));
                };
                SCOPED_TRACE(each.six.to_string() + " and " + host.to_string());
                const auto six_first = [&] { return six(0); };
                const auto four_first = [&] { return four(0); };
                co_await try_to_bind(each.fit, six_first, four);
                co_await try_to_bind(each.fit, four_first, six);
            }
        }
    });
}

TEST_P(dual_stack, listeners_of_both_families_share_a_port_only_when_they_can) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
    run([&]() -> task<> {
        for (const pair_of_binds& each : binds) {
            for (const endpoint& host : {endpoint("0.0.0.0:0"), endpoint("127.0.0.1:0")}) {
                listen_options options;
                options.v6_only = each.v6_only;
                const auto six = [&](std::uint16_t port) {
                    return tcp_listener::bind(each.six.with_port(port), options);
                };
                const auto four = [&](std::uint16_t port) {
                    return tcp_listener::bind(host.with_port(port));
                };
                SCOPED_TRACE(each.six.to_string() + " and " + host.to_string());
                const auto six_first = [&] { return six(0); };
                const auto four_first = [&] { return four(0); };
                co_await try_to_bind(each.fit, six_first, four);
                co_await try_to_bind(each.fit, four_first, six);
            }
        }
    });
}

}  // namespace
}  // namespace anel::test
