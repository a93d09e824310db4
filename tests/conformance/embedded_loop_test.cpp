// embedded_loop_test.cpp: a loop that somebody else's loop turns.
// SPDX-License-Identifier: MIT
#include "tests/support/joining_thread.hpp"
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class guests : public over_backends {
protected:
    [[nodiscard]] run_options options() const {
        run_options how;
        how.backend.kind = GetParam();
        how.signals = false;
        return how;
    }
    /// Whether it can be a guest at all; else it says so.
    [[nodiscard]] bool embeds() const { return GetParam() != backend_kind::poll; }

    /// A host with nothing else to do. Returns how often it was woken.
    template <class Guest>
    static int turn_until(Guest& guest, const std::function<bool()>& enough) {
        int woken = 0;
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!guest.finished() && !enough()) {
            if (std::chrono::steady_clock::now() > deadline) {
                ADD_FAILURE() << "the guest does not get on";
                break;
            }
            woken += wait_for(guest, -1);  // for ever: a wake-up that is lost is seen
            guest.step();
        }
        return woken;
    }
    /// Returns whether a step was due before `limit` milliseconds had passed; -1: never.
    template <class Guest>
    static bool wait_for(Guest& guest, std::int64_t limit) {
        const auto left = guest.time_left();
        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        if (left != duration::max() && (limit < 0 || milliseconds < limit)) limit = milliseconds;
        pollfd state{guest.descriptor(), POLLIN, 0};
        const bool told = ::poll(&state, 1, static_cast<int>(limit)) == 1;
        return told || guest.time_left() == duration::zero();
    }
    template <class Guest>
    static void finish(Guest& guest) {
        turn_until(guest, [] { return false; });
        EXPECT_TRUE(guest.finished());
    }
};
ANEL_OVER_KERNELS(guests);

task<std::string> exchange_with_itself(std::size_t size) {
    auto pair = co_await connected_pair();
    const std::string bytes = pattern(size, 1);
    std::string all;
    const auto send = [&]() -> task<> { co_await send_and_finish(pair.client, bytes); };
    const auto receive = [&]() -> task<> { all = co_await receive_all(pair.server); };
    co_await when_all(send(), receive());
    co_await sleep_for(2ms);
    const auto answer = [] { return 42; };
    const int from_helper = co_await offload(answer);
    EXPECT_EQ(from_helper, 42);
    EXPECT_TRUE(all == bytes);
    co_return all.substr(0, 5);
}

TEST_P(guests, sockets_timers_and_helpers_work_in_steps) {
    if (!embeds()) return;
    embedded_loop guest(exchange_with_itself(3'000'000), options());
    EXPECT_FALSE(guest.finished());
    EXPECT_EQ(guest.time_left(), duration::zero());
    finish(guest);
    EXPECT_EQ(guest.deadline(), never);
    EXPECT_EQ(guest.result(), pattern(5, 1));
}

TEST_P(guests, poll_is_refused_with_the_reason) {
    if (embeds()) return;
    bool began = false;
    const auto begin = [&]() -> task<> {
        began = true;
        co_return;
    };
    try {
        const embedded_loop guest(begin(), options());
        ADD_FAILURE() << "poll(2) cannot";
    } catch (const io_error& error) {
        EXPECT_EQ(error.code(), code(EOPNOTSUPP));
        EXPECT_TRUE(std::string_view(error.what()).starts_with("embedded_loop (poll(2) has no"))
            << error.what();
    }
    EXPECT_FALSE(began);
}

// A session waits for a peer, a timer is far, a signal or a helper may come: nothing does.
TEST_P(guests, an_idle_guest_wakes_nobody) {
    if (!embeds()) return;
    raw_pair pair;
    std::string got;
    const auto wait = [&]() -> task<> {
        auto stream = co_await tcp_stream::adopt(pair.first.release());
        const auto far_away = [&]() -> task<> { co_await sleep_for(1h); };
        const auto receive = [&]() -> task<> {
            while (auto bytes = co_await stream.recv()) got += bytes.text();
        };
        co_await when_any(receive(), far_away());
    };
    run_options how = options();
    how.signals = true;
    embedded_loop guest(wait(), how);
    pair.second.write("1");
    turn_until(guest, [&] { return got == "1"; });
    for (int i = 0; i < 100 && wait_for(guest, 0); ++i) guest.step();
    EXPECT_FALSE(wait_for(guest, 1000)) << "nothing was to be done";
    pair.second.write("2");
    turn_until(guest, [&] { return got == "12"; });
    pair.second.close();
    finish(guest);
    EXPECT_EQ(guest.result(), 0);
}

TEST_P(guests, a_host_and_another_thread_reach_their_guest) {
    if (!embeds()) return;
    event from_host;
    channel<int> numbers(4);
    thread_channel<int> from_thread(4);
    int sum = 0;
    const auto listen = [&]() -> task<> {
        co_await from_host.wait();
        sum += 1;
        auto number = co_await numbers.recv();
        sum += *number;
        auto other = co_await from_thread.recv();
        sum += *other;
    };
    embedded_loop guest(listen(), options());
    for (int i = 0; i < 100 && wait_for(guest, 0); ++i) guest.step();
    EXPECT_EQ(guest.deadline(), never);
    from_host.set();
    EXPECT_EQ(guest.time_left(), duration::zero());
    turn_until(guest, [&] { return sum == 1; });
    EXPECT_TRUE(numbers.try_send(10));
    turn_until(guest, [&] { return sum == 11; });
    for (int i = 0; i < 100 && wait_for(guest, 0); ++i) guest.step();
    const joining_thread other([&] {
        anel::run([](thread_channel<int>& to) -> task<> {
            const bool sent = co_await to.send(100);
            EXPECT_TRUE(sent);
        }(from_thread));
    });
    finish(guest);
    EXPECT_EQ(sum, 111);
}

TEST_P(guests, errors_and_cancels_end_it_as_they_end_a_run) {
    if (!embeds()) return;
    const auto fail = []() -> task<int> {
        co_await sleep_for(1ms);
        throw io_error(code(EIO), "fail", "on purpose");
    };
    embedded_loop failing(fail(), options());
    finish(failing);
    EXPECT_THROW(failing.result(), io_error);

    int unwound = 0;
    const auto wait = [&]() -> task<> {
        struct counter {
            int& count;
            ~counter() { count += 1; }
        } at_end{unwound};
        co_await sleep_for(1h);
    };
    embedded_loop cancelled(wait(), options());
    cancelled.step();
    cancelled.cancel();
    EXPECT_EQ(cancelled.time_left(), duration::zero());
    finish(cancelled);
    EXPECT_EQ(cancelled.result(), 0);
    EXPECT_EQ(unwound, 1);
    {
        embedded_loop dropped(wait(), options());
        dropped.step();
        const embedded_loop never_begun(wait(), options());
    }
    EXPECT_EQ(unwound, 2);
}

TEST_P(guests, a_destroyed_guest_closes_what_it_had) {
    if (!embeds()) return;
    raw_pair pair;
    const auto hold = [&]() -> task<> {
        auto stream = co_await tcp_stream::adopt(pair.first.release());
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const auto receive = [&]() -> task<> {
            const auto bytes = co_await stream.recv();
            EXPECT_FALSE(bytes);
        };
        const auto accept = [&]() -> task<> {
            const auto conn = co_await listener.accept();
            EXPECT_FALSE(conn.is_open());
        };
        co_await when_all(receive(), accept());
    };
    {
        embedded_loop guest(hold(), options());
        for (int i = 0; i < 20; ++i) guest.step();
    }
    EXPECT_EQ(pair.second.read(1), "");  // the end, not a wait
}

// The host gets its turn although there is always something to do.
TEST_P(guests, a_step_ends_while_there_is_work) {
    if (!embeds()) return;
    bool enough = false;
    const auto spin = [&]() -> task<> {
        while (!enough) co_await yield();
    };
    embedded_loop guest(spin(), options());
    for (int i = 0; i < 50; ++i) guest.step();
    EXPECT_EQ(guest.time_left(), duration::zero());
    enough = true;
    finish(guest);
}

TEST_P(guests, a_signal_ends_a_guest_that_takes_them) {
    if (!embeds()) return;
    const auto wait = []() -> task<> { co_await sleep_for(1h); };
    run_options how = options();
    how.signals = true;
    how.signal_exit_code = true;
    embedded_loop guest(wait(), how);
    for (int i = 0; i < 100 && wait_for(guest, 0); ++i) guest.step();
    ::raise(SIGTERM);
    finish(guest);
    EXPECT_EQ(guest.result(), 128 + SIGTERM);
}

}  // namespace
}  // namespace anel::test
