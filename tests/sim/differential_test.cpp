// differential_test.cpp: random socket programs, run over a real loopback interface and over the
// simulated one: each step must end in the same way.
//
// A program is a list of steps that follow from a number. One task makes them, one after the other,
// so over loopback, where a call is done when it returns, its outcome is determined.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#include "net/sim/random.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace anel::test {
namespace {

using outcomes = std::vector<std::string>;

/// The text of a step's end: a count, or the error's name.
template <class T>
std::string told(const char* step, result<T>& ended) {
    std::string text = step;
    if (!ended) return text + " " + std::string(errno_name(ended.error().value()));
    if constexpr (!std::is_void_v<T>) {
        if constexpr (std::is_integral_v<T>) text += " " + std::to_string(ended.value());
    }
    return text;
}

/// Some connections, and steps on them.
class program {
public:
    /// `settle`: how long it takes until a step has had all its effects.
    program(std::uint64_t seed, duration settle) : draw_(seed, 77), settle_(settle) {}

    task<> run(outcomes& into) {
        listener_ = co_await tcp_listener::bind("127.0.0.1:0");
        for (int step = 0; step < 40; ++step) {
            const std::size_t which = draw_.below(pairs);
            if (!used_[which]) {
                co_await connect_pair(which, into);
                continue;
            }
            tcp_stream& stream = ends_[2 * which + draw_.below(2U)];
            std::string text;
            co_await do_step(stream, text);
            co_await settled();
            into.push_back(std::to_string(stream.is_open()) + " " + text);
        }
        co_await datagrams(into);
        co_await nobody(into);
    }

private:
    static constexpr std::size_t pairs = 3;

    task<> settled() {
        if (settle_ > 0s) co_await sleep_for(settle_);
    }

    task<> connect_pair(std::size_t which, outcomes& into) {
        ends_[2 * which] = co_await connect(listener_.local_endpoint());
        ends_[2 * which + 1] = co_await listener_.accept();
        used_[which] = true;
        into.push_back("pair");
    }

    task<> do_step(tcp_stream& stream, std::string& text) {
        const std::uint64_t kind = draw_.below(14U);
        const std::size_t size = std::array<std::size_t, 4>{1, 64, 1000, 5000}[draw_.below(4U)];
        std::string bytes(size, 'x');
        if (kind < 4) {
            auto sent = co_await as_result(stream.send(bytes));
            text = told("send", sent);
        } else if (kind < 9) {
            auto got = co_await as_result(with_timeout(2ms, stream.recv(bytes)));
            text = told("recv", got);
        } else if (kind == 9) {
            auto got = co_await as_result(with_timeout(2ms, stream.recv_exact(bytes)));
            // A reset after some of the bytes: io_uring's receive of a whole counts them, and the
            // kernel tells the error to nobody. Here it is an error of the one kind or the other.
            text = got ? "recv_exact" : "recv_exact fails";
            if (!got) co_await stream.close();  // nobody knows what was taken
        } else if (kind == 10) {
            auto sent = co_await as_result(stream.send_some(bytes));
            text = told("send_some", sent);
        } else if (kind == 11) {
            auto ended = co_await as_result(stream.shutdown_send());
            text = told("shutdown", ended);
        } else {
            if (kind == 12 && stream.is_open()) stream.reset_on_close();
            co_await stream.close();
            text = kind == 12 ? "reset" : "close";
        }
    }

    task<> datagrams(outcomes& into) {
        auto one = co_await udp_socket::bind("127.0.0.1:0");
        auto other = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 100> buffer{};
        for (int step = 0; step < 8; ++step) {
            co_await settled();
            const std::uint64_t kind = draw_.below(4U);
            const std::string bytes(draw_.below(200U), 'u');
            if (kind == 0) {
                auto sent = co_await as_result(one.sendto(bytes, other.local_endpoint()));
                into.push_back(told("sendto", sent));
            } else if (kind == 1) {
                auto got = co_await as_result(with_timeout(2ms, other.recvfrom(buffer)));
                into.push_back(told("recvfrom", got));
                if (got) into.back() += std::to_string(got->size) + (got->truncated ? "+" : "");
            } else if (kind == 2) {
                auto fixed = co_await as_result(one.connect(other.local_endpoint()));
                into.push_back(told("connect", fixed));
            } else {
                auto sent = co_await as_result(one.send(bytes));
                into.push_back(told("send", sent));
            }
        }
        co_await settled();
        co_await other.close();
        for (int step = 0; step < 3; ++step) {
            co_await settled();
            auto sent = co_await as_result(one.send("x"));
            into.push_back(told("send to nobody", sent));
        }
    }

    task<> nobody(outcomes& into) {
        const endpoint where = listener_.local_endpoint();
        auto waiting = co_await connect(where);
        listener_.stop();
        co_await settled();
        std::string byte = "?";
        auto got = co_await as_result(with_timeout(2ms, waiting.recv(byte)));
        into.push_back(told("recv from a stopped listener", got));
        auto refused = co_await as_result(connect(where));
        into.push_back(refused ? "connected" : told("connect", refused));
        auto elsewhere = co_await as_result(udp_socket::bind("192.0.2.1:0"));
        into.push_back(elsewhere ? "bound" : told("bind", elsewhere));
    }

    sim::random_stream draw_;
    duration settle_;
    tcp_listener listener_;
    std::array<tcp_stream, 2 * pairs> ends_;
    std::array<bool, pairs> used_{};
};

task<> run_program(std::uint64_t seed, duration settle, outcomes& into) {
    program steps(seed, settle);
    co_await steps.run(into);
}

outcomes on_loopback(backend_kind kind, std::uint64_t seed) {
    outcomes all;
    run_options how;
    how.backend.kind = kind;
    how.signals = false;
    anel::run(run_program(seed, 0s, all), how);
    return all;
}

/// `far`: the packets travel as between two hosts, and each step waits until they have.
outcomes simulated_loopback(std::uint64_t seed, bool far) {
    outcomes all;
    sim::world_options options;
    options.swarm = false;
    options.instant_loopback = !far;
    options.latency_max = options.latency_min;
    sim::world world(seed, options);
    const duration settle = far ? 10ms : 0ms;
    world.client("host", "10.0.0.1", [&] { return run_program(seed, settle, all); });
    world.run(1h);
    return all;
}

/// Where two runs part, with the steps before; empty when they do not.
std::string difference(const outcomes& real, const outcomes& simulated_ones) {
    for (std::size_t i = 0; i < std::max(real.size(), simulated_ones.size()); ++i) {
        const std::string one = i < real.size() ? real[i] : "(end)";
        const std::string other = i < simulated_ones.size() ? simulated_ones[i] : "(end)";
        if (one == other) continue;
        std::string text = "step " + std::to_string(i) + " after ";
        for (std::size_t j = i > 6 ? i - 6 : 0; j < i; ++j) text += real[j] + ", ";
        return text + "real: " + one + ", simulated: " + other;
    }
    return {};
}

TEST(sim_differential, random_programs_end_as_over_a_real_loopback) {
    for (const backend_kind kind : kernels_here()) {
        for (int seed = 1; seed <= rounds(150); ++seed) {
            const auto number = static_cast<std::uint64_t>(seed);
            const outcomes real = on_loopback(kind, number);
            EXPECT_GT(real.size(), 50U);
            for (const bool far : {false, true}) {
                ASSERT_EQ(difference(real, simulated_loopback(number, far)), "")
                    << name_of(kind) << ", program " << seed << (far ? ", between hosts" : "");
            }
        }
    }
}

}  // namespace
}  // namespace anel::test
