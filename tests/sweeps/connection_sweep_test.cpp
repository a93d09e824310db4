// connection_sweep_test.cpp: listening, accepting, connecting and looking up names, with every
// descriptor and connection accounted for.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <filesystem>

namespace anel::test {
using namespace detail;
namespace {

struct accept : scenario {
    using scenario::scenario;
    static constexpr std::size_t clients = 3;
    task<> set_up() {
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        accepted.reserve(clients);
        connected.reserve(clients);
        address = listener.local_endpoint();
    }
    task<> beside() {
        for (std::size_t i = 0; i < clients; ++i) {
            for (int turns = 0; turns < 3; ++turns) co_await next_turn();
            connected.push_back(raw_socket::connected_to(address));
        }
    }
    task<> body() {
        while (accepted.size() < clients) {
            auto next = co_await listener.accept();
            accepted.push_back(std::move(next));
        }
    }
    // A connection that was not delivered is still in the backlog, and none was closed.
    task<> check(const report&) {
        const std::size_t left = connected.size() - accepted.size();
        const std::size_t waiting = co_await take_waiting(listener, left);
        EXPECT_EQ(accepted.size() + waiting, connected.size());
        for (std::size_t i = 0; i < accepted.size(); ++i) {
            EXPECT_EQ(accepted[i].peer_endpoint(), connected[i].local_endpoint());
        }
    }
    tcp_listener listener;
    endpoint address;
    std::vector<tcp_stream> accepted;
    std::vector<raw_socket> connected;
};
ANEL_SWEEP(accept);

struct connect_endpoint : scenario {
    using scenario::scenario;
    task<> set_up() {
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        address = listener.local_endpoint();
        descriptors = count_descriptors();
    }
    task<> body() {
        auto made = co_await connect(address);
        stream = std::move(made);
    }
    task<> check(const report& said) {
        EXPECT_EQ(stream.is_open(), said.completed);
        EXPECT_EQ(count_descriptors(), descriptors + (stream.is_open() ? 1U : 0U));
        const std::size_t waiting = co_await take_waiting(listener, stream.is_open() ? 1 : 0);
        EXPECT_LE(waiting, 1U);
        if (stream.is_open()) {
            EXPECT_EQ(waiting, 1U);
        }
    }
    tcp_listener listener;
    endpoint address;
    std::size_t descriptors = 0;
    tcp_stream stream;
};
ANEL_SWEEP(connect_endpoint);

/// A path for the file of a unix listener, of this process alone.
std::string socket_path_of_test() {
    return (std::filesystem::temp_directory_path() / ("anel_sweep_" + std::to_string(::getpid())))
        .string();
}

/// The listener's backlog is full, and is emptied after a while.
struct connect_unix : scenario {
    using scenario::scenario;
    task<> set_up() {
        listen_options tiny;
        tiny.backlog = 0;
        address = endpoint("unix:" + socket_path_of_test());
        listener = co_await tcp_listener::bind(address, tiny);
        crowd = fill_backlog(address);
        descriptors = count_descriptors();
    }
    task<> beside() {
        for (int i = 0; i < 5; ++i) co_await next_turn();
        const raw_socket one(::accept(listener.native_handle(), nullptr, nullptr));
    }
    task<> body() {
        auto made = co_await connect(address);
        stream = std::move(made);
    }
    task<> check(const report& said) {
        EXPECT_EQ(stream.is_open(), said.completed);
        EXPECT_EQ(count_descriptors(), descriptors + (stream.is_open() ? 1U : 0U));
        co_return;
    }
    endpoint address;
    tcp_listener listener;
    std::vector<raw_socket> crowd;
    std::size_t descriptors = 0;
    tcp_stream stream;
};
ANEL_SWEEP(connect_unix);

struct connect_host : connect_endpoint {
    using connect_endpoint::connect_endpoint;
    task<> body() {
        auto made = co_await connect("localhost", address.port());
        stream = std::move(made);
    }
    // "localhost" may have two addresses, of which one listens: when the other is broken as well,
    // it is the last error that is told.
    static bool handles(opcode failed, int) { return failed != opcode::resolve; }
};
ANEL_SWEEP(connect_host);

struct resolve_host : scenario {
    using scenario::scenario;
    task<> body() {
        auto literal = co_await resolve("192.0.2.1", 7);
        found = std::move(literal);
        auto looked_up = co_await resolve("localhost", 7);
        found = std::move(looked_up);
    }
    task<> check(const report& said) {
        if (said.completed) {
            EXPECT_FALSE(found.empty());
        }
        for (const endpoint& address : found) EXPECT_EQ(address.port(), 7);
        co_return;
    }
    std::vector<endpoint> found;
};
ANEL_SWEEP(resolve_host);

/// Makes a listener of each kind; one that was not given out holds no address.
struct bind : scenario {
    using scenario::scenario;
    task<> set_up() {
        auto taken = co_await tcp_listener::bind("127.0.0.1:0");
        free_port = taken.local_endpoint();
    }
    task<> body() {
        listen_options options;
        options.reuse_port = true;
        options.send_buffer = options.receive_buffer = 65536;
        listener = co_await tcp_listener::bind(free_port, options);
        udp_options datagrams;
        datagrams.reuse_address = datagrams.reuse_port = true;
        datagrams.send_buffer = datagrams.receive_buffer = 65536;
        udp = co_await udp_socket::bind(free_port, datagrams);
        if (!has_ipv6()) co_return;
        listener6 = co_await tcp_listener::bind("[::1]:0");
        udp6 = co_await udp_socket::bind("[::1]:0");
    }
    task<> check(const report&) {
        listener.stop();
        udp.close_now();
        auto again = co_await tcp_listener::bind(free_port);
        auto datagrams_again = co_await udp_socket::bind(free_port);
        EXPECT_TRUE(again.is_open() && datagrams_again.is_open());
    }
    endpoint free_port;
    tcp_listener listener;
    tcp_listener listener6;
    udp_socket udp;
    udp_socket udp6;
};
ANEL_SWEEP(bind);

/// The file of a listener that is gone is in the way, and removed; where there is none one is made.
/// Both go with their listeners.
struct bind_unix : scenario {
    using scenario::scenario;
    task<> set_up() {
        old_path = socket_path_of_test();
        new_path = old_path + "_new";
        old_address = endpoint("unix:" + old_path);
        new_address = endpoint("unix:" + new_path);
        ::unlink(old_path.c_str());
        const raw_socket gone = raw_socket::bound_to(old_address);
        co_return;
    }
    task<> body() {
        second = co_await tcp_listener::bind(new_address);
        first = co_await tcp_listener::bind(old_address);
    }
    static bool handles(opcode failed, int error) {
        // An error of the probe says that somebody may be there; a file that cannot be looked at or
        // removed is left alone.
        return failed == opcode::identify_path || failed == opcode::remove_path ||
               failed == opcode::connect || failed == opcode::open_socket ||
               (failed == opcode::bind && error == EADDRINUSE);
    }
    static bool tells_lack_of_memory(std::error_code error) {
        return scenario::tells_lack_of_memory(error) || error == code(EADDRINUSE);  // the probe's
    }
    task<> check(const report& said) {
        if (said.failed != opcode::identify_path && said.failed != opcode::remove_path) {
            EXPECT_EQ(std::filesystem::exists(new_path), second.is_open());
            second.stop();
            EXPECT_FALSE(std::filesystem::exists(new_path));
            const bool had_it = first.is_open();
            first.stop();
            if (had_it) {
                EXPECT_FALSE(std::filesystem::exists(old_path));
            }
        }
        first.stop();
        second.stop();
        // Whatever happened, nobody listens now, and the path can be had.
        auto again = co_await tcp_listener::bind(old_address);
        again.stop();
        EXPECT_FALSE(std::filesystem::exists(old_path));
        auto new_again = co_await tcp_listener::bind(new_address);
    }
    std::string old_path;
    std::string new_path;
    endpoint old_address;
    endpoint new_address;
    tcp_listener first;
    tcp_listener second;
};
ANEL_SWEEP(bind_unix);

}  // namespace
}  // namespace anel::test
