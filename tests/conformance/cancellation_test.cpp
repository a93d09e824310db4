// cancellation_test.cpp: every wait can be given up: by a timeout, by its group, before it starts.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

/// Everything a task can wait for without an end, each on a socket or event of its own.
struct endless_waits {
    static constexpr int count = 10;

    stream_pair idle;
    stream_pair full;
    tcp_listener listener;
    tcp_listener crowded;
    std::vector<raw_socket> crowd;
    udp_socket datagrams;
    event nothing;
    std::string large = std::string(16 << 20, 'x');

    task<> open() {
        idle = co_await connected_pair();
        full = co_await connected_pair();
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        listen_options tiny;
        tiny.backlog = 0;
        crowded = co_await tcp_listener::bind("127.0.0.1:0", tiny);
        crowd = fill_backlog(crowded.local_endpoint());
        datagrams = co_await udp_socket::bind("127.0.0.1:0");
    }

    task<> wait(int which) {
        std::array<char, 64> buffer{};
        switch (which) {
            case 0: co_await idle.client.recv(buffer); break;
            case 1: co_await idle.server.recv_exact(buffer); break;
            case 2: co_await full.client.send(large); break;
            case 3: co_await full.server.send("head", large, "tail"); break;
            case 4: co_await listener.accept(); break;
            case 5: co_await connect(crowded.local_endpoint()); break;
            case 6: co_await datagrams.recvfrom(buffer); break;
            case 7: co_await nothing.wait(); break;
            case 8: co_await sleep_for(1h); break;
            case 9: {
                auto inner = with_timeout(1h, nothing.wait());
                co_await inner;
                break;
            }
        }
    }
};

class cancellation : public over_backends {};
ANEL_OVER_BACKENDS(cancellation);
class cancellation_on_kernel : public cancellation {};
ANEL_OVER_KERNELS(cancellation_on_kernel);

TEST_P(cancellation, a_timeout_ends_every_kind_of_wait) {
    run([&]() -> task<> {
        endless_waits all;
        co_await all.open();
        const std::size_t descriptors = count_descriptors();
        for (int which = 0; which < endless_waits::count; ++which) {
            const std::string text = co_await failure_of(with_timeout(2ms, all.wait(which)));
            EXPECT_EQ(text, "timeout of 0.002 s: Connection timed out (ETIMEDOUT)") << which;
            EXPECT_EQ(count_descriptors(), descriptors) << which;
        }
    });
}

TEST_P(cancellation, a_cancelled_group_ends_every_kind_of_wait) {
    run([&]() -> task<> {
        endless_waits all;
        co_await all.open();
        const std::size_t descriptors = count_descriptors();
        for (const bool parked : {true, false}) {
            int cancelled = 0;
            const auto wait = [&](int which) -> task<> {
                try {
                    co_await all.wait(which);
                } catch (const task_cancelled&) {
                    cancelled += 1;
                    throw;
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int which = 0; which < endless_waits::count; ++which) {
                    group.spawn(wait, which);
                }
                if (parked) co_await let_others_wait();
                else co_await yield();
                group.cancel();
                group.cancel();
            });
            EXPECT_EQ(cancelled, endless_waits::count);
            EXPECT_EQ(count_descriptors(), descriptors);
        }
    });
}

TEST_P(cancellation, a_failed_sibling_ends_every_kind_of_wait_and_its_error_is_the_groups) {
    run([&]() -> task<> {
        endless_waits all;
        co_await all.open();
        int ended = 0;
        const auto wait = [&](int which) -> task<> {
            try {
                co_await all.wait(which);
            } catch (const task_cancelled&) {
                ended += 1;
                throw;
            }
        };
        const auto fail = []() -> task<> {
            co_await let_others_wait();
            throw std::runtime_error("the first error");
        };
        std::string text;
        try {
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int which = 0; which < endless_waits::count; ++which) {
                    group.spawn(wait, which);
                }
                group.spawn(fail);
                co_return;
            });
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        EXPECT_EQ(text, "the first error");
        EXPECT_EQ(ended, endless_waits::count);
    });
}

TEST_P(cancellation, sockets_go_on_after_a_cancelled_wait) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        auto datagrams = co_await udp_socket::bind("127.0.0.1:0");
        std::array<char, 64> buffer{};
        for (int i = 0; i < 20; ++i) {
            auto none = co_await as_result(with_timeout(i % 3 * 50us, pair.server.recv(buffer)));
            EXPECT_EQ(none.error(), std::errc::timed_out);
            co_await pair.client.send("tcp");
            const std::size_t received = co_await pair.server.recv(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), received), "tcp");

            auto nobody = co_await as_result(with_timeout(0s, listener.accept()));
            EXPECT_EQ(nobody.error(), std::errc::timed_out);
            auto client = co_await connect(listener.local_endpoint());
            auto server = co_await listener.accept();
            EXPECT_EQ(server.peer_endpoint(), client.local_endpoint());
            server.reset_on_close();

            auto nothing = co_await as_result(with_timeout(0s, datagrams.recvfrom(buffer)));
            EXPECT_EQ(nothing.error(), std::errc::timed_out);
            co_await datagrams.sendto("udp", datagrams.local_endpoint());
            auto datagram = co_await datagrams.recvfrom(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), datagram.size), "udp");
        }
    });
}

// Before a cancelled scope nothing happens: not even what could be done at once.
TEST_P(cancellation, every_await_in_a_cancelled_scope_throws) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await pair.client.send("data");
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const raw_socket client = raw_socket::connected_to(listener.local_endpoint());
        auto datagrams = co_await udp_socket::bind("127.0.0.1:0");
        event set;
        set.set();
        std::array<char, 64> buffer{};
        int refused = 0;
        const auto refuses = [&](auto wait) -> task<> {
            // Each runs in its own child of a group that is cancelled while the child runs.
            const auto child = [&](task_group& group) -> task<> {
                group.cancel();
                try {
                    static_cast<void>(co_await wait);
                } catch (const task_cancelled&) {
                    refused += 1;
                    throw;
                }
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(child, std::ref(group));
                co_return;
            });
        };
        bool ran = false;
        const auto trivial = [&]() -> task<> {
            ran = true;
            co_return;
        };
        co_await refuses(pair.server.recv(buffer));
        co_await refuses(pair.server.recv_exact(std::span(buffer).first(2)));
        co_await refuses(pair.server.send("x"));
        co_await refuses(pair.server.send("x", "y"));
        co_await refuses(pair.server.send_some("x"));
        co_await refuses(pair.server.shutdown_send());
        co_await refuses(listener.accept());
        co_await refuses(connect(listener.local_endpoint()));
        co_await refuses(tcp_listener::bind("127.0.0.1:0"));
        co_await refuses(udp_socket::bind("127.0.0.1:0"));
        co_await refuses(datagrams.recvfrom(buffer));
        co_await refuses(datagrams.sendto("x", datagrams.local_endpoint()));
        co_await refuses(datagrams.connect(datagrams.local_endpoint()));
        co_await refuses(resolve("127.0.0.1", 1));
        co_await refuses(offload([&] { ran = true; }));
        co_await refuses(sleep_for(0s));
        co_await refuses(yield());
        co_await refuses(set.wait());
        co_await refuses(trivial());
        co_await refuses(with_timeout(1s, pair.server.recv(buffer)));
        co_await refuses(as_result(pair.server.recv(buffer)));
        EXPECT_EQ(refused, 21);
        EXPECT_FALSE(ran);
        // Nothing was sent, received or accepted.
        const std::size_t received = co_await pair.server.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), received), "data");
        auto accepted = co_await listener.accept();
        EXPECT_EQ(accepted.peer_endpoint(), client.local_endpoint());
        co_await pair.server.shutdown_send();
        const std::size_t at_end = co_await pair.client.recv(buffer);
        EXPECT_EQ(at_end, 0U);
    });
}

TEST_P(cancellation, a_task_spawned_into_a_cancelled_group_does_not_start) {
    run([&]() -> task<> {
        bool started = false;
        const auto child = [&]() -> task<> {
            started = true;
            co_return;
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(child);
            group.cancel();
            group.spawn(child);
            co_return;
        });
        EXPECT_FALSE(started);
    });
}

TEST_P(cancellation, a_shielded_exchange_is_finished_although_the_group_is_cancelled) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        std::string received;
        const auto exchange = [&](tcp_stream& stream) -> task<> {
            co_await stream.send("goodbye");
            received = co_await receive(stream, 3);
        };
        const auto child = [&](task_group& group) -> task<> {
            group.cancel();
            co_await shielded(exchange(pair.server));
            co_await yield();
            ADD_FAILURE() << "behind the shield every await throws";
        };
        const auto answer = [&](tcp_stream& stream) -> task<> {
            const std::string text = co_await receive(stream, 7);
            EXPECT_EQ(text, "goodbye");
            co_await stream.send("bye");
        };
        co_await with_task_group([&](task_group& outer) -> task<> {
            outer.spawn(answer, std::ref(pair.client));
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(child, std::ref(group));
                co_return;
            });
        });
        EXPECT_EQ(received, "bye");
        auto limited = co_await as_result(shielded(with_timeout(1ms, sleep_for(1h))));
        EXPECT_EQ(limited.error(), std::errc::timed_out) << "its own timeout still holds";
    });
}

TEST_P(cancellation, the_inner_of_two_timeouts_is_told_from_the_outer) {
    run([&]() -> task<> {
        const auto inner_ends = [&](auto inner, auto outer) -> task<std::string> {
            std::string which = "outer";
            const auto both = [&]() -> task<> {
                auto result = co_await as_result(with_timeout(inner, sleep_for(1h)));
                EXPECT_EQ(result.error(), std::errc::timed_out);
                which = "inner";
            };
            std::ignore = co_await as_result(with_timeout(outer, both()));
            co_return which;
        };
        std::string which = co_await inner_ends(1ms, 1h);
        EXPECT_EQ(which, "inner");
        which = co_await inner_ends(1h, 1ms);
        EXPECT_EQ(which, "outer");
    });
}

TEST_P(cancellation_on_kernel, a_running_offload_is_waited_for_and_its_result_stands) {
    run([&]() -> task<> {
        std::atomic<bool> started{false};
        std::atomic<bool> release{false};
        int value = 0;
        const auto child = [&]() -> task<> {
            value = co_await offload([&] {
                started.store(true);
                release.wait(false);
                return 42;
            });
            co_await yield();
            ADD_FAILURE() << "the next await must throw";
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(child);
            while (!started.load()) co_await next_turn();
            group.cancel();
            release.store(true);
            release.notify_all();
        });
        EXPECT_EQ(value, 42);
    });
}

}  // namespace
}  // namespace anel::test
