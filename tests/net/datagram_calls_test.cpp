// datagram_calls_test.cpp: batches of datagrams by the calls they make: how many, and what becomes
// of a batch of which the system takes a part.
//
// The calls that move datagrams are replaced for this whole program: they are counted, and can be
// told to take less, or nothing.
// SPDX-License-Identifier: MIT
#include "tests/net/allocations.hpp"
#include "tests/support/streams.hpp"

#include <anel/anel.hpp>

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <tuple>
#include <vector>

namespace {

std::atomic<std::uint64_t> calls{0};

/// What the next calls that send do: -errno, or at most so many datagrams. The last one is repeated
/// for ever. Empty: as usual.
std::vector<int> script;
std::size_t place = 0;

/// Returns how many may be sent, or -errno.
int next_limit() {
    calls.fetch_add(1, std::memory_order_relaxed);
    if (script.empty()) return 1024;
    const int said = script[place];
    place = std::min(place + 1, script.size() - 1);
    return said;
}

/// The system's own function of that name, and of the type of `replaced`.
template <class Function>
Function* next_of(Function* replaced, const char* name) {
    static_cast<void>(replaced);
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
// The flags of a batch are signed in glibc, and unsigned in musl.
template <class... Others>
auto flags_of(int (*)(int, struct mmsghdr*, unsigned, Others...)) {
    return std::get<0>(std::tuple<Others...>());
}
#endif

}  // namespace

extern "C" {

#if !defined(__linux__) || defined(ANEL_POSIX_ONLY)
ssize_t sendmsg(int fd, const msghdr* from, int flags) {
    const int limit = next_limit();
    if (limit >= 0) return next_of(&::sendmsg, "sendmsg")(fd, from, flags);
    errno = -limit;
    return -1;
}
#else
using batch_flags = decltype(flags_of(&::sendmmsg));

int sendmmsg(int fd, mmsghdr* from, unsigned count, batch_flags flags) {
    const int limit = next_limit();
    const unsigned most = std::min(count, static_cast<unsigned>(std::max(limit, 0)));
    if (limit >= 0) return next_of(&::sendmmsg, "sendmmsg")(fd, from, most, flags);
    errno = -limit;
    return -1;
}
int recvmmsg(int fd, mmsghdr* into, unsigned count, batch_flags flags, timespec* limit) {
    calls.fetch_add(1, std::memory_order_relaxed);
    return next_of(&::recvmmsg, "recvmmsg")(fd, into, count, flags, limit);
}
#endif
}

namespace anel::test {
using namespace detail;
namespace {

class datagram_calls : public over_backends {
protected:
    void tell(std::vector<int> what) {
        script = std::move(what);
        place = 0;
    }
    void TearDown() override {
        tell({});
        over_backends::TearDown();
    }
};
ANEL_OVER_KERNELS(datagram_calls);

/// A batch of "0", "1" … for `to`.
datagram_batch numbered(std::size_t count, const endpoint& to) {
    datagram_batch batch;
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_TRUE(batch.push(std::to_string(i), to));
    }
    return batch;
}

std::vector<int> errors_in(const datagram_batch& batch) {
    std::vector<int> errors;
    for (const auto each : batch) errors.push_back(each.error().value());
    return errors;
}

/// What has arrived, without waiting for more.
std::string arrived_at(const raw_socket& peer) {
    std::string text;
    std::array<char, 16> buffer{};
    for (;;) {
        const ssize_t size = ::recv(peer.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

TEST_P(datagram_calls, what_the_system_takes_in_parts_is_sent_once_each) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        datagram_batch batch = numbered(8, peer.local_endpoint());
        // One EAGAIN alone: a poller with edges tells only once that there is room.
        tell({2, -EAGAIN, 1, -EINTR, 1, 1024});
        co_await socket.send_batch(batch);
        EXPECT_EQ(arrived_at(peer), "01234567");
        EXPECT_EQ(errors_in(batch), std::vector<int>(8, 0));
    });
}

TEST_P(datagram_calls, one_that_fails_for_a_moment_is_told_and_not_sent) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        datagram_batch batch = numbered(4, peer.local_endpoint());
        tell({1, -ENOBUFS, -EAGAIN, 1, -EHOSTUNREACH});
        const std::string text = co_await failure_of(socket.send_batch(batch));
        EXPECT_EQ(text, "send_batch " + peer.local_endpoint().to_string() +
                            ": No buffer space available (ENOBUFS)");
        EXPECT_EQ(arrived_at(peer), "02");
        EXPECT_EQ(errors_in(batch), std::vector<int>({0, ENOBUFS, 0, EHOSTUNREACH}));
    });
}

TEST_P(datagram_calls, a_cancel_tells_which_ones_were_sent) {
    run([&]() -> task<> {
        auto socket = co_await udp_socket::bind("127.0.0.1:0");
        const raw_socket peer = raw_socket::bound_to("127.0.0.1:0", SOCK_DGRAM);
        datagram_batch batch = numbered(3, peer.local_endpoint());
        tell({1, -EAGAIN});
        const std::error_code error =
            co_await error_of(with_timeout(5ms, socket.send_batch(batch)));
        EXPECT_EQ(error, std::errc::timed_out);
        EXPECT_EQ(arrived_at(peer), "0");
        EXPECT_EQ(errors_in(batch), std::vector<int>({0, ECANCELED, ECANCELED}));
        // The rest, once there is room.
        tell({});
        batch.erase_if([](batched_datagram each) { return !each.error(); });
        co_await socket.send_batch(batch);
        EXPECT_EQ(arrived_at(peer), "12");
    });
}

struct totals {
    std::uint64_t allocations;
    std::uint64_t waits;
    std::uint64_t moves;
    std::uint64_t operations;

    static totals now(loop& owner) {
        const backend_counters& counts = owner.backend().counters();
        return {allocations_so_far(), counts.waits, calls.load(), counts.operations};
    }
};

// Both ends run in one loop, so each count covers both.
TEST_P(datagram_calls, an_echo_in_batches_allocates_nothing_and_makes_few_calls) {
    constexpr int warm_up = 50;
    constexpr int measured = 500;
    totals before{};
    totals after{};
    run([&]() -> task<> {
        frame& self = co_await detail::this_frame();
        loop& owner = self.scope->owner();
        auto server = co_await udp_socket::bind("127.0.0.1:0");
        auto client = co_await udp_socket::bind("127.0.0.1:0");
        const auto echo = [](udp_socket& socket) -> task<> {
            datagram_batch batch;
            for (;;) {
                co_await socket.recv_batch(batch);
                co_await socket.send_batch(batch);
            }
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(echo, std::ref(server));
            datagram_batch batch = numbered(datagram_batch::capacity, server.local_endpoint());
            datagram_batch replies;
            for (int round = 0; round < warm_up + measured; ++round) {
                if (round == warm_up) before = totals::now(owner);
                co_await client.send_batch(batch);
                for (std::size_t left = batch.size(); left > 0;) {
                    const std::size_t count = co_await client.recv_batch(replies);
                    left -= count;
                }
            }
            after = totals::now(owner);
            group.cancel();
        });
    });
    const auto per_echo = [&](auto member) {
        return static_cast<double>(after.*member - before.*member) /
               (measured * static_cast<double>(datagram_batch::capacity));
    };
    if (allocations_are_counted) {
        EXPECT_EQ(after.allocations - before.allocations, 0U);
    }
    EXPECT_NEAR(per_echo(&totals::operations), 4.0 / 64, 0.01);
    EXPECT_LE(per_echo(&totals::waits), 0.04);
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
    EXPECT_LE(per_echo(&totals::waits) + per_echo(&totals::moves), 0.13);
#endif
    std::printf("%s: %.4f waits, %.4f calls that move, %.4f operations per echo\n",
                name_of(GetParam()), per_echo(&totals::waits), per_echo(&totals::moves),
                per_echo(&totals::operations));
}

}  // namespace
}  // namespace anel::test
