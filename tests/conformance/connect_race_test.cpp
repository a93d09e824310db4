// connect_race_test.cpp: several addresses, of which some refuse and some never answer: who wins
// and when, and that nothing is left of the losers.
// SPDX-License-Identifier: MIT
#include "net/race.hpp"
#include "tests/support/streams.hpp"

#include <memory>
#include <optional>

namespace anel::test {
namespace {

class connect_race : public over_backends {};
ANEL_OVER_KERNELS(connect_race);

/// An address at which connects wait: its listener's backlog is full.
struct hole {
    raw_socket listener;
    endpoint address;
    std::vector<raw_socket> waiting;

    explicit hole(const endpoint& local = "127.0.0.1:0") : listener(raw_socket::bound_to(local)) {
        EXPECT_EQ(::listen(listener.fd(), 0), 0);
        address = listener.local_endpoint();
        waiting = fill_backlog(address);
    }
};

/// An address that refuses: a socket has it and does not listen.
struct refusal {
    raw_socket holder = raw_socket::bound_to("127.0.0.1:0");
    endpoint address = holder.local_endpoint();
};

/// A listener of the system, with the connections it has taken.
struct target {
    raw_socket listener = raw_socket::bound_to("127.0.0.1:0");
    endpoint address = listener.local_endpoint();

    target() { EXPECT_EQ(::listen(listener.fd(), 16), 0); }
    [[nodiscard]] raw_socket accept() const {
        EXPECT_TRUE(listener.readable()) << "nobody connected";
        return raw_socket(::accept(listener.fd(), nullptr, nullptr));
    }
};

/// How long `inner` takes.
template <awaitable A>
task<duration> time_of(A inner) {
    const time_point start = co_await current_time();
    static_cast<void>(co_await inner);
    const time_point end = co_await current_time();
    co_return end - start;
}

using endpoints = std::vector<endpoint>;

TEST_P(connect_race, the_first_address_wins_when_it_answers) {
    run([&]() -> task<> {
        const target first;
        const target second;
        const endpoints addresses{first.address, second.address};
        auto stream = co_await connect_first(addresses);
        EXPECT_EQ(stream.peer_endpoint(), first.address);
        const raw_socket accepted = first.accept();
        co_await stream.send("x");
        EXPECT_EQ(accepted.read(1), "x");
        EXPECT_FALSE(second.listener.readable(0)) << "nobody tried the second";
    });
}

TEST_P(connect_race, an_attempt_that_fails_starts_the_next_at_once) {
    run([&]() -> task<> {
        const std::vector<refusal> refusals(8);
        const target last;
        endpoints addresses;
        for (const refusal& each : refusals) addresses.push_back(each.address);
        addresses.push_back(last.address);
        const std::size_t descriptors = count_descriptors();
        const duration took = co_await time_of(connect_first(addresses));
        EXPECT_LT(took, 8 * attempt_delay) << "a delay after each would be eight of them";
        EXPECT_EQ(count_descriptors(), descriptors);
    });
}

TEST_P(connect_race, the_next_attempt_starts_a_delay_after_one_that_says_nothing) {
    run([&]() -> task<> {
        const refusal fails_at_once;  // which shortens no later delay
        const hole first;
        const hole second;
        const target third;
        const endpoints addresses{fails_at_once.address, first.address, second.address,
                                  third.address};
        const std::size_t descriptors = count_descriptors();
        // A SYN that nobody takes is sent again after a second: this is not what ended it. One race
        // of three may be held up by other programs.
        const duration most = (slow_build ? 20 : 4) * attempt_delay;
        duration took = most;
        for (int races = 0; races < 3 && took >= most; ++races) {
            const time_point start = co_await current_time();
            auto stream = co_await connect_first(addresses);
            const time_point end = co_await current_time();
            took = end - start;
            EXPECT_EQ(stream.peer_endpoint(), third.address);
            EXPECT_GE(took, 2 * attempt_delay);
            EXPECT_EQ(count_descriptors(), descriptors + 1) << "the losers are closed by now";
        }
        EXPECT_LT(took, most);
    });
}

TEST_P(connect_race, a_failure_later_than_the_delay_starts_the_next_at_once_too) {
    run([&]() -> task<> {
        const hole silent;
        const std::vector<refusal> refusals(8);
        const target last;
        endpoints addresses{silent.address};
        for (const refusal& each : refusals) addresses.push_back(each.address);
        addresses.push_back(last.address);
        const duration took = co_await time_of(connect_first(addresses));
        EXPECT_GE(took, attempt_delay);
        EXPECT_LT(took, 9 * attempt_delay) << "a delay after each would be nine of them";
    });
}

TEST_P(connect_race, an_attempt_goes_on_while_later_ones_are_tried) {
    run([&]() -> task<> {
        hole slow;
        const refusal second;
        const endpoints addresses{slow.address, second.address};
        std::optional<tcp_stream> won;
        const auto connect_to_them = [&]() -> task<> { won = co_await connect_first(addresses); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(connect_to_them);
            co_await sleep_for(2 * attempt_delay);  // the second was tried, and has refused
            EXPECT_FALSE(won);
            slow.waiting.clear();
            for (bool more = true; more; more = slow.listener.readable(0)) {
                const raw_socket taken(::accept(slow.listener.fd(), nullptr, nullptr));
            }
        });
        EXPECT_TRUE(won && won->peer_endpoint() == slow.address);
    });
}

TEST_P(connect_race, when_all_fail_the_last_error_is_thrown) {
    run([&]() -> task<> {
        const refusal first;
        const refusal second;
        const endpoint nowhere("unix:/tmp/there is no such folder/socket");
        const std::size_t descriptors = count_descriptors();
        endpoints addresses{first.address, nowhere, second.address};
        const std::string refused = co_await failure_of(connect_first(addresses));
        EXPECT_EQ(refused,
                  "connect " + second.address.to_string() + ": Connection refused (ECONNREFUSED)");
        addresses = {first.address, second.address, nowhere};
        const std::string missing = co_await failure_of(connect_first(addresses));
        EXPECT_EQ(missing,
                  "connect " + nowhere.to_string() + ": No such file or directory (ENOENT)");
        addresses = {second.address};
        const std::error_code alone = co_await error_of(connect_first(addresses));
        EXPECT_EQ(alone, code(ECONNREFUSED));
        EXPECT_EQ(count_descriptors(), descriptors);
    });
}

TEST_P(connect_race, lack_of_descriptors_is_the_error_of_each_attempt) {
    run([&]() -> task<> {
        const target first;
        const target second;
        const endpoints addresses{first.address, second.address};
        co_await sleep_for(0s);
        no_descriptors_left none;
        const std::string text = co_await failure_of(connect_first(addresses));
        none.end();
        EXPECT_EQ(text, "socket " + second.address.to_string() + ": Too many open files (EMFILE)");
        auto stream = co_await connect_first(addresses);
        EXPECT_TRUE(stream.is_open());
    });
}

TEST_P(connect_race, a_timeout_ends_every_attempt_and_closes_its_descriptor) {
    run([&]() -> task<> {
        const std::vector<hole> holes(3);
        endpoints addresses;
        for (const hole& each : holes) addresses.push_back(each.address);
        const std::size_t descriptors = count_descriptors();
        const auto give_up = [&](duration wait) -> task<> {
            const std::error_code error =
                co_await error_of(with_timeout(wait, connect_first(addresses)));
            EXPECT_EQ(error, code(ETIMEDOUT));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            for (int tenths = 0; tenths < 30; ++tenths) {
                group.spawn(give_up, duration(tenths * attempt_delay / 10));
            }
            co_return;
        });
        EXPECT_EQ(count_descriptors(), descriptors);
    });
}

// Before it began, during the first attempt, the second, and after it has ended: whatever happens,
// the task ends once and nothing is left open.
TEST_P(connect_race, a_cancel_at_any_step_leaves_nothing_open) {
    run([&]() -> task<> {
        const refusal first;
        const target second;
        const endpoints addresses{first.address, second.address};
        const std::size_t descriptors = count_descriptors();
        int connected = 0;
        int cancelled = 0;
        const auto connect_to_them = [&]() -> task<> {
            try {
                auto stream = co_await connect_first(addresses);
                connected += stream.is_open();
            } catch (const task_cancelled&) {
                cancelled += 1;
                throw;
            }
        };
        constexpr int steps_max = 20;
        for (int steps = 0; steps < 2 * steps_max; ++steps) {
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(connect_to_them);
                for (int i = 0; i < steps / 2; ++i) {
                    if (steps % 2 == 0) co_await yield();
                    else co_await next_turn();
                }
                group.cancel();
            });
            EXPECT_EQ(count_descriptors(), descriptors) << "after " << steps << " steps";
            while (second.listener.readable(0)) {
                const raw_socket peer = second.accept();
                EXPECT_EQ(peer.read_to_end(), "") << "the stream was closed";
            }
        }
        EXPECT_GT(connected, 0);
        EXPECT_GT(cancelled, 0);
        EXPECT_LE(connected + cancelled, 2 * steps_max);
    });
}

// Between the win and the end of the losers there are steps in which a cancel can come. What
// happened wins: the connection is there, and is given to whoever asked for it.
TEST_P(connect_race, a_cancel_after_the_win_does_not_take_the_connection_away) {
    run([&]() -> task<> {
        struct one_race {
            hole silent;
            endpoints addresses;
            int steps = 0;
            bool ended = false;
            bool cancelled_before_its_end = false;
            bool stood = false;
        };
        const auto connect_to_them = [](one_race& race) -> task<> {
            std::optional<tcp_stream> stream;
            try {
                stream = co_await connect_first(race.addresses);
            } catch (const task_cancelled&) {
                race.ended = true;
                throw;
            }
            race.ended = true;
            race.stood = stream->is_open() && race.cancelled_before_its_end;
        };
        const auto cancel_after_the_win = [&](one_race& race) -> task<> {
            auto listener = co_await tcp_listener::bind("127.0.0.1:0");
            race.addresses = {race.silent.address, listener.local_endpoint()};
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(connect_to_them, std::ref(race));
                auto accepted = co_await listener.accept();
                for (int i = 0; i < race.steps; ++i) co_await yield();
                race.cancelled_before_its_end = !race.ended;
                group.cancel();
            });
        };
        std::vector<std::unique_ptr<one_race>> races;
        for (int steps = 0; steps < 8; ++steps) {
            races.push_back(std::make_unique<one_race>());
            races.back()->steps = steps;
        }
        const std::size_t descriptors = count_descriptors();
        co_await with_task_group([&](task_group& group) -> task<> {
            for (const auto& race : races) group.spawn(cancel_after_the_win, std::ref(*race));
            co_return;
        });
        EXPECT_EQ(count_descriptors(), descriptors);
        int stood = 0;
        for (const auto& race : races) stood += race->stood;
        EXPECT_GT(stood, 0) << "no cancel came between the win and the end, or it took the stream";
    });
}

// Two attempts that succeed nearly at once: one wins, the other's connection is closed.
TEST_P(connect_race, a_second_winner_is_closed) {
    run([&]() -> task<> {
        const auto accept = [](const hole& from) {
            return raw_socket(::accept(from.listener.fd(), nullptr, nullptr));
        };
        for (int round = 0; round < 3; ++round) {
            const std::string name = "unix:@anel-race-" + std::to_string(::getpid()) + "-";
            hole first(endpoint(name + "1"));
            hole second(endpoint(name + "2"));
            const endpoints addresses{first.address, second.address};
            const std::size_t before = count_descriptors();
            std::size_t descriptors = 0;
            std::optional<tcp_stream> won;
            const auto connect_to_them = [&]() -> task<> {
                won = co_await connect_first(addresses);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(connect_to_them);
                while (count_descriptors() < before + 2) co_await sleep_for(10ms);
                co_await yield();  // both wait for room
                for (hole* each : {&first, &second}) {
                    each->waiting.clear();
                    while (each->listener.readable(0)) accept(*each).close();
                }
                descriptors = count_descriptors();
            });
            EXPECT_TRUE(won && won->is_open());
            EXPECT_EQ(count_descriptors(), descriptors - 1) << "of two sockets one is left";
            int alive = 0;
            for (const hole* each : {&first, &second}) {
                while (each->listener.readable(0)) {
                    const raw_socket peer = accept(*each);
                    alive += !peer.readable(0);  // an end can be read
                }
            }
            EXPECT_LE(alive, 1);
        }
    });
}

TEST_P(connect_race, by_name_a_timeout_and_a_refusal_leave_nothing_open) {
    run([&]() -> task<> {
        const hole silent;
        const refusal closed;
        const std::size_t descriptors = count_descriptors();
        const std::error_code late =
            co_await error_of(with_timeout(20ms, connect("127.0.0.1", silent.address.port())));
        EXPECT_EQ(late, code(ETIMEDOUT));
        EXPECT_EQ(count_descriptors(), descriptors);
        const std::error_code refused =
            co_await error_of(connect("127.0.0.1", closed.address.port()));
        EXPECT_EQ(refused, code(ECONNREFUSED));
        EXPECT_EQ(count_descriptors(), descriptors);
    });
}

}  // namespace
}  // namespace anel::test
