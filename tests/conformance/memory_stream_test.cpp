// memory_stream_test.cpp: how a stream in memory fills up, and how it breaks.
// SPDX-License-Identifier: MIT
#include "tests/support/byte_stream_conformance.hpp"

namespace anel::test {
namespace {

class memory_streams : public over_backends {};
ANEL_OVER_BACKENDS(memory_streams);

using memory_ends = two_ends<memory_stream>;

task<memory_ends> make_ends(std::size_t capacity) {
    auto [near, far] = memory_stream_pair(capacity);
    co_return memory_ends(std::move(near), std::move(far));
}

task<> send_and_note(memory_stream& to, std::string_view bytes, std::error_code& error,
                     bool& over) {
    const auto sent = co_await as_result(to.send(bytes));
    error = sent.error();
    over = true;
}

TEST_P(memory_streams, every_capacity_and_every_buffer_give_the_same_bytes) {
    run([&]() -> task<> {
        const std::string text = pattern(1000);
        for (const std::size_t capacity : {0UL, 1UL, 2UL, 7UL, 999UL, 1000UL, 5000UL}) {
            for (const std::size_t buffer : {1UL, 3UL, 64UL, 2000UL}) {
                auto pair = co_await make_ends(capacity);
                std::string got;
                co_await with_task_group([&](task_group& group) -> task<> {
                    group.spawn(&send_all_and_finish<memory_stream>, std::ref(pair.near),
                                std::string_view(text));
                    got = co_await receive_to_end(pair.far, buffer);
                });
                EXPECT_TRUE(got == text) << capacity << ", " << buffer << ": " << got.size();
            }
        }
    });
}

TEST_P(memory_streams, a_send_waits_until_its_last_byte_has_room) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(4);
        std::error_code error;
        bool over = false;
        std::array<char, 3> buffer{};
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_note, std::ref(pair.near), std::string_view("0123456789"),
                        std::ref(error), std::ref(over));
            for (const std::string_view piece : {"012", "345", "678"}) {
                co_await let_others_wait();
                EXPECT_EQ(over, piece == "678") << piece;
                const std::size_t count = co_await pair.far.recv(buffer);
                EXPECT_EQ(std::string_view(buffer.data(), count), piece);
            }
            const std::size_t count = co_await pair.far.recv(buffer);
            EXPECT_EQ(std::string_view(buffer.data(), count), "9");
        });
        EXPECT_FALSE(error);
    });
}

TEST_P(memory_streams, a_cancelled_send_leaves_a_beginning) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(4);
        const auto cut = co_await as_result(with_timeout(0s, pair.near.send("0123456789")));
        EXPECT_EQ(cut.error(), std::errc::timed_out);
        co_await pair.near.shutdown_send();
        const std::string got = co_await receive_to_end(pair.far);
        EXPECT_EQ(got, "0123");
    });
}

TEST_P(memory_streams, it_breaks_at_the_byte_that_was_named) {
    run([&]() -> task<> {
        for (const std::size_t place : {0UL, 1UL, 4UL, 5UL, 9UL}) {
            for (const std::error_code error :
                 {std::error_code(), code(ECONNRESET), make_error_code(errc::unexpected_eof)}) {
                auto pair = co_await make_ends(4);
                pair.near.break_after(place, error);
                std::error_code of_send;
                std::error_code of_recv;
                bool over = false;
                std::string got;
                co_await with_task_group([&](task_group& group) -> task<> {
                    group.spawn(&send_and_note, std::ref(pair.near), std::string_view("0123456789"),
                                std::ref(of_send), std::ref(over));
                    std::array<char, 3> buffer{};
                    for (bool open = true; open;) {
                        auto received = co_await as_result(pair.far.recv(buffer));
                        of_recv = received.error();
                        open = received && *received > 0;
                        if (open) got.append(buffer.data(), *received);
                    }
                });
                EXPECT_EQ(got, std::string_view("0123456789").substr(0, place));
                EXPECT_EQ(of_recv, error);
                EXPECT_EQ(of_send, error ? error : code(EPIPE));
                const auto again = co_await as_result(pair.near.send("x"));
                EXPECT_EQ(again.error(), error ? error : code(EPIPE));
                co_await pair.far.send("back");
            }
        }
    });
}

TEST_P(memory_streams, a_frame_that_was_cut_is_an_early_end) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(100);
        pair.near.break_after(6);
        const auto sent = co_await as_result(write_frame(pair.near, "abc"));
        EXPECT_EQ(sent.error(), code(EPIPE));
        const std::string text = co_await failure_of(read_frame(pair.far, 100));
        EXPECT_EQ(text, "recv memory: the peer closed the connection early");
    });
}

TEST_P(memory_streams, a_close_with_unread_input_is_a_reset) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(100);
        co_await pair.near.send("unread");
        co_await pair.far.send("answer");
        co_await pair.far.close();
        std::array<char, 8> buffer{};
        const std::size_t count = co_await pair.near.recv(buffer);
        EXPECT_EQ(std::string_view(buffer.data(), count), "answer");
        for (int i = 0; i < 2; ++i) {
            const auto reset = co_await as_result(pair.near.recv(buffer));
            EXPECT_EQ(reset.error(), code(ECONNRESET));
        }
        const auto sent = co_await as_result(pair.near.send("x"));
        EXPECT_EQ(sent.error(), code(EPIPE));

        auto other = co_await make_ends(100);
        other.far.reset_on_close();
        other.far = memory_stream();
        const auto reset = co_await as_result(other.near.recv(buffer));
        EXPECT_EQ(reset.error(), code(ECONNRESET));
    });
}

TEST_P(memory_streams, a_peer_that_goes_ends_a_send_that_waits) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(4);
        std::error_code error;
        bool over = false;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_note, std::ref(pair.near), std::string_view("0123456789"),
                        std::ref(error), std::ref(over));
            co_await let_others_wait();
            pair.far = memory_stream();
        });
        EXPECT_EQ(error, code(EPIPE));
        EXPECT_FALSE(pair.far.is_open());
        EXPECT_TRUE(pair.near.is_open());
    });
}

TEST_P(memory_streams, close_ends_a_send_and_a_recv_of_the_same_end) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(4);
        std::error_code error;
        bool over = false;
        std::string told;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&send_and_note, std::ref(pair.near), std::string_view("0123456789"),
                        std::ref(error), std::ref(over));
            group.spawn(&receive_once<memory_stream>, std::ref(pair.near), std::ref(told));
            co_await let_others_wait();
            co_await pair.near.close();
            EXPECT_TRUE(over);
        });
        EXPECT_EQ(error, code(ECANCELED));
        EXPECT_EQ(told, code(ECANCELED).message());
        const std::string got = co_await receive_to_end(pair.far);
        EXPECT_EQ(got, "0123");
    });
}

// What was granted is delivered, although the cancel came before its task ran.
TEST_P(memory_streams, a_result_that_happened_wins_over_the_cancel) {
    run([&]() -> task<> {
        auto pair = co_await make_ends(4);
        std::string got;
        const auto receive = [&](memory_stream& from) -> task<> {
            std::array<char, 8> buffer{};
            const std::size_t count = co_await from.recv(buffer);
            got.assign(buffer.data(), count);
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(receive, std::ref(pair.far));
            co_await let_others_wait();
            co_await pair.near.send("abc");
            group.cancel();
        });
        EXPECT_EQ(got, "abc");
    });
}

TEST_P(memory_streams, an_end_that_was_never_made_is_closed) {
    run([&]() -> task<> {
        memory_stream none;
        EXPECT_FALSE(none.is_open());
        std::array<char, 8> buffer{};
        const std::string text = co_await failure_of(none.recv(buffer));
        EXPECT_EQ(text, "recv memory: Bad file descriptor (EBADF)");
        const std::string of_shutdown = co_await failure_of(none.shutdown_send());
        EXPECT_EQ(of_shutdown, "shutdown memory: Bad file descriptor (EBADF)");
        co_await none.close();
        none.break_after(1);
        none.reset_on_close();
    });
}

}  // namespace
}  // namespace anel::test
