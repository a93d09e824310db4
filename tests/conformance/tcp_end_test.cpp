// tcp_end_test.cpp: how streams end: by the peer, by urgent data, by ourselves, and what follows.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
namespace {

class tcp_end : public over_backends {};
ANEL_OVER_BACKENDS(tcp_end);
class tcp_end_on_kernel : public tcp_end {};
ANEL_OVER_KERNELS(tcp_end_on_kernel);

// Backends that are told of changes only must not take "less than the buffer" for "nothing more":
// the end may have come together with the data. `parked`: the recv waits before anything arrives.
TEST_P(tcp_end, data_and_end_that_arrive_together_are_both_received) {
    run([&]() -> task<> {
        for (int round = 0; round < 40; ++round) {
            const bool parked = round % 2 == 0;
            const bool in_two_writes = round % 4 < 2;
            auto pair = co_await connected_to_raw();
            std::string received;
            const auto gather = [&](tcp_stream& from) -> task<> {
                received = co_await receive_all(from);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (parked) {
                    group.spawn(gather, std::ref(pair.stream));
                    co_await let_others_wait();
                }
                pair.peer.write("the");
                if (in_two_writes) pair.peer.write(" end");
                if (round % 8 < 4) pair.peer.shutdown_write();
                else pair.peer.close();
                if (!parked) co_await gather(pair.stream);
            });
            EXPECT_EQ(received, in_two_writes ? "the end" : "the");
        }
    });
}

TEST_P(tcp_end, the_end_is_received_whenever_it_comes_after_a_short_read) {
    run([&]() -> task<> {
        for (int round = 0; round < 40; ++round) {
            auto pair = co_await connected_to_raw();
            std::array<char, 100> buffer{};
            // A first exchange, so that a backend has seen the stream empty.
            pair.peer.write("a");
            std::size_t received = co_await pair.stream.recv(buffer);
            EXPECT_EQ(received, 1U);
            pair.peer.write("bc");
            if (round % 2 == 0) co_await let_others_wait();
            received = co_await pair.stream.recv(buffer);
            EXPECT_EQ(received, 2U);
            if (round % 4 < 2) co_await let_others_wait();
            pair.peer.write("d");
            if (round % 8 < 4) co_await let_others_wait();
            pair.peer.close();
            const std::string rest = co_await receive_all(pair.stream);
            EXPECT_EQ(rest, "d");
        }
    });
}

TEST_P(tcp_end_on_kernel, a_peer_that_writes_and_closes_from_a_thread_loses_nothing) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        const int count = rounds(1000);
        std::thread peers([&] {
            for (int i = 0; i < count; ++i) {
                raw_socket peer = raw_socket::connected_to(address);
                peer.write(pattern(static_cast<std::size_t>(i % 50 + 1)));
            }
        });
        for (int i = 0; i < count; ++i) {
            auto stream = co_await listener.accept();
            const std::string received = co_await receive_all(stream);
            EXPECT_EQ(received, pattern(static_cast<std::size_t>(i % 50 + 1)));
        }
        peers.join();
    });
}

// A read stops before an urgent byte, though more has arrived behind it.
TEST_P(tcp_end_on_kernel, urgent_data_does_not_stall_a_stream) {
    run([&]() -> task<> {
        for (int round = 0; round < 24; ++round) {
            auto pair = co_await connected_to_raw();
            std::string received;
            const auto gather = [&](tcp_stream& from) -> task<> {
                received = co_await receive_all(from);
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                if (round % 2 == 0) {
                    group.spawn(gather, std::ref(pair.stream));
                    co_await let_others_wait();
                }
                pair.peer.write("ab");
                if (round % 3 == 1) co_await let_others_wait();
                pair.peer.write("!", MSG_OOB);
                if (round % 3 == 2) co_await let_others_wait();
                pair.peer.write("cd");
                if (round % 2 != 0) group.spawn(gather, std::ref(pair.stream));
                co_await let_others_wait();
                pair.peer.write("!", MSG_OOB);
                pair.peer.write("ef");
                co_await until_drained(pair.stream);
                if (round % 4 < 2) pair.peer.close();
                else pair.peer.shutdown_write();
            });
            // The kernel may count an urgent byte among the others once a newer one has come.
            std::erase(received, '!');
            EXPECT_EQ(received, "abcdef");
        }
    });
}

// --- closing ------------------------------------------------------------------------------------

TEST_P(tcp_end, close_ends_a_pending_recv_with_ECANCELED_and_nothing_is_written_later) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        std::array<char, 64> buffer;
        buffer.fill('.');
        std::error_code error;
        const auto take = [&](tcp_stream& from) -> task<> {
            auto received = co_await as_result(from.recv(buffer));
            error = received.error();
            // Its socket is closed when it knows.
            auto after = co_await as_result(from.recv(buffer));
            EXPECT_EQ(after.error(), code(EBADF));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take, std::ref(pair.stream));
            co_await let_others_wait();
            const int fd = pair.stream.native_handle();
            co_await pair.stream.close();
            EXPECT_FALSE(is_descriptor(fd)) << "close has closed when it returns";
            EXPECT_FALSE(pair.stream.is_open());
        });
        EXPECT_EQ(error, code(ECANCELED));
        pair.peer.write("too late");
        co_await sleep_for(2ms);
        EXPECT_EQ(std::count(buffer.begin(), buffer.end(), '.'), 64);
    });
}

TEST_P(tcp_end, close_ends_everything_pending_on_the_stream) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const std::string large(16 << 20, 'x');
        std::string bytes(100, '\0');
        std::error_code sending;
        std::error_code receiving;
        const auto send = [&](tcp_stream& to) -> task<> {
            sending = co_await error_of(to.send(large));
        };
        const auto take = [&](tcp_stream& from) -> task<> {
            receiving = co_await error_of(from.recv_exact(bytes));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send, std::ref(pair.stream));
            group.spawn(take, std::ref(pair.stream));
            co_await let_others_wait();
            pair.peer.write("a part");
            co_await pair.stream.close();
        });
        EXPECT_EQ(sending, code(ECANCELED));
        EXPECT_EQ(receiving, code(ECANCELED));
        co_await pair.stream.close();  // again, with nothing to close
    });
}

TEST_P(tcp_end, a_result_that_happened_before_the_close_is_delivered) {
    run([&]() -> task<> {
        auto first = co_await connected_to_raw();
        auto second = co_await connected_to_raw();
        std::string received;
        std::array<char, 64> buffer{};
        const auto close_second = [&](tcp_stream& signal, tcp_stream& closing) -> task<> {
            std::array<char, 1> byte{};
            const std::size_t size = co_await signal.recv(byte);
            EXPECT_EQ(size, 1U);
            co_await closing.close();
        };
        const auto take = [&](tcp_stream& from) -> task<> {
            auto result = co_await as_result(from.recv(buffer));
            EXPECT_TRUE(result || result.error() == code(ECANCELED)) << result.error();
            if (result) received.assign(buffer.data(), *result);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(close_second, std::ref(first.stream), std::ref(second.stream));
            group.spawn(take, std::ref(second.stream));
            co_await let_others_wait();
            // Both arrive before the loop looks again: one task closes what the other has received.
            first.peer.write("!");
            second.peer.write("data");
        });
        EXPECT_TRUE(received == "data" || received.empty()) << received;
    });
}

TEST_P(tcp_end, shutdown_and_close_go_beside_a_pending_send) {
    run([&]() -> task<> {
        auto pair = co_await connected_to_raw();
        const std::string large(16 << 20, 'x');
        std::error_code sending;
        const auto send = [&](tcp_stream& to) -> task<> {
            sending = co_await error_of(to.send(large));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(send, std::ref(pair.stream));
            co_await let_others_wait();
            co_await pair.stream.shutdown_send();
            co_await let_others_wait();
            co_await pair.stream.close();
        });
        EXPECT_TRUE(sending == code(EPIPE) || sending == code(ECANCELED)) << sending;
    });
}

TEST_P(tcp_end, close_works_in_a_cancelled_scope) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const auto close = [](tcp_stream& stream, task_group& group) -> task<> {
            group.cancel();
            co_await stream.close();
            EXPECT_FALSE(stream.is_open());
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(close, std::ref(pair.client), std::ref(group));
            co_return;
        });
        std::array<char, 8> buffer{};
        const std::size_t at_end = co_await pair.server.recv(buffer);
        EXPECT_EQ(at_end, 0U);
    });
}

// Descriptor numbers are reused at once. What belongs to the old connection, a cancelled recv or
// bytes that its peer still sends, must not reach the new one.
TEST_P(tcp_end, a_reopened_descriptor_has_nothing_of_the_connection_before) {
    run([&]() -> task<> {
        auto listener = co_await tcp_listener::bind("127.0.0.1:0");
        const endpoint address = listener.local_endpoint();
        std::array<char, 64> old_buffer;
        old_buffer.fill('.');
        const auto take_old = [&](tcp_stream& from) -> task<> {
            const std::error_code error = co_await error_of(from.recv(old_buffer));
            EXPECT_EQ(error, code(ECANCELED));
        };
        const int count = rounds(2000);
        int reused = 0;
        for (int i = 0; i < count && !HasFailure(); ++i) {
            raw_socket peer = raw_socket::connected_to(address);
            auto stream = co_await listener.accept();
            raw_socket next_peer = raw_socket::connected_to(address);
            const int fd = stream.native_handle();
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(take_old, std::ref(stream));
                if (i % 2 == 0) co_await let_others_wait();
                else co_await yield();
                co_await stream.close();
            });
            auto next = co_await listener.accept();
            reused += next.native_handle() == fd;
            peer.write("of the old connection");
            const std::string identity = "round " + std::to_string(i);
            next_peer.write(identity);
            if (i % 3 == 0) peer.close();
            const std::string received = co_await receive(next, identity.size());
            EXPECT_EQ(received, identity);
            if (i % 2 == 0) {
                auto extra = co_await as_result(with_timeout(0s, next.recv(old_buffer)));
                EXPECT_FALSE(extra) << "something came that nobody sent here";
            }
            next_peer.reset();
            peer.reset();
        }
        EXPECT_EQ(std::count(old_buffer.begin(), old_buffer.end(), '.'), 64);
        EXPECT_GT(reused, count / 2);
    });
}

TEST_P(tcp_end, a_closed_stream_fails_with_EBADF) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const endpoint peer = pair.client.peer_endpoint();
        std::array<char, 8> buffer{};
        co_await pair.client.close();
        const std::string text = co_await failure_of(pair.client.recv(buffer));
        EXPECT_EQ(text, "recv " + peer.to_string() + ": Bad file descriptor (EBADF)");
        std::error_code error = co_await error_of(pair.client.send("x"));
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(pair.client.send("x", "y"));
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(pair.client.send_some("x"));
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(pair.client.recv_exact(buffer));
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(pair.client.shutdown_send());
        EXPECT_EQ(error, code(EBADF));
        EXPECT_THROW(pair.client.set_no_delay(true), io_error);
        EXPECT_THROW(pair.client.reset_on_close(), io_error);
        EXPECT_THROW(static_cast<void>(pair.client.local_endpoint()), io_error);

        tcp_stream never_open;
        error = co_await error_of(never_open.recv(buffer));
        EXPECT_EQ(error, code(EBADF));
        error = co_await error_of(never_open.shutdown_send());
        EXPECT_EQ(error, code(EBADF));
        co_await never_open.close();
    });
}

TEST_P(tcp_end, an_end_that_this_side_made_is_known_as_such) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        EXPECT_FALSE(pair.server.receive_is_shut_down());
        pair.server.shutdown_receive();
        const tcp_stream moved = std::move(pair.server);
        EXPECT_TRUE(moved.receive_is_shut_down());
    });
}

// What a destructor can still say.
TEST_P(tcp_end, try_send_sends_what_the_socket_takes_and_never_waits) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string farewell = "good-bye";
        EXPECT_EQ(pair.client.try_send(farewell), farewell.size());
        EXPECT_EQ(pair.client.try_send(""), 0U);
        const std::string received = co_await receive(pair.server, farewell.size());
        EXPECT_EQ(received, farewell);

        const std::string much = pattern(1 << 20);
        std::size_t taken = 0;
        while (const std::size_t more = pair.client.try_send(much)) taken += more;
        EXPECT_GT(taken, 0U);
        const auto sends = [&]() -> task<> { co_await pair.client.send(much); };
        std::size_t arrived = 0;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(sends);
            co_await let_others_wait();
            EXPECT_EQ(pair.client.try_send(farewell), 0U) << "in the middle of another's bytes";
            const std::string all = co_await receive(pair.server, taken + much.size());
            arrived = all.size();
            EXPECT_EQ(all.substr(taken), much);
        });
        EXPECT_EQ(arrived, taken + much.size());

        co_await pair.server.close();
        co_await pair.client.close();
        EXPECT_EQ(pair.client.try_send(farewell), 0U);
    });
}

}  // namespace
}  // namespace anel::test
