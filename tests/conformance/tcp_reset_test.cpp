// tcp_reset_test.cpp: a connection that breaks in the middle of an operation says why, however much
// had moved by then.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

namespace anel::test {
using namespace detail;
namespace {

class tcp_reset : public over_backends {
protected:
    /// The error of `work(stream)` when its peer gives some bytes, takes some, and resets.
    template <class Work>
    static task<std::error_code> broken(Work& work, std::string_view gives, std::size_t takes) {
        auto pair = co_await connected_to_raw();
        std::error_code error;
        const auto do_work = [&]() -> task<> { error = co_await error_of(work(pair.stream)); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(do_work);
            co_await let_others_wait();
            if (!gives.empty()) {
                pair.peer.write(gives);
                co_await until_drained(pair.stream);
            }
            if (takes > 0) {
                const std::string taken = pair.peer.read(takes);
                EXPECT_EQ(taken.size(), takes);
            }
            co_await let_others_wait();
            pair.peer.reset();
        });
        co_return error;
    }
};
ANEL_OVER_BACKENDS(tcp_reset);

TEST_P(tcp_reset, in_the_middle_of_a_receive_is_no_early_end) {
    run([&]() -> task<> {
        const auto exact = [](tcp_stream& from) -> task<> {
            std::array<char, 99> buffer{};
            co_await from.recv_exact(buffer);
        };
        const auto frame = [](tcp_stream& from) -> task<> {
            auto read = co_await read_frame(from, 1000);
            static_cast<void>(read);
        };
        const auto line = [](tcp_stream& from) -> task<> {
            buffered_reader reader(from);
            auto read = co_await reader.read_line(1000);
            static_cast<void>(read);
        };
        std::error_code error = co_await broken(exact, "", 0);
        EXPECT_EQ(error, code(ECONNRESET));
        error = co_await broken(exact, "0123456789", 0);
        EXPECT_EQ(error, code(ECONNRESET));
        error = co_await broken(frame, std::string_view("\0\0\0\x63gggg", 8), 0);
        EXPECT_EQ(error, code(ECONNRESET));
        error = co_await broken(line, "0123456789", 0);
        EXPECT_EQ(error, code(ECONNRESET));
    });
}

TEST_P(tcp_reset, in_the_middle_of_a_send_is_no_broken_pipe) {
    run([&]() -> task<> {
        const std::string large(16U << 20, 'z');
        const auto all = [&](tcp_stream& to) -> task<> { co_await to.send(large); };
        const auto parts = [&](tcp_stream& to) -> task<> { co_await to.send("head", large); };
        const auto uncopied = [&](tcp_stream& to) -> task<> { co_await to.send_zc(large); };
        for (const std::size_t taken : {0UL, 20'000UL}) {
            std::error_code error = co_await broken(all, "", taken);
            EXPECT_EQ(error, code(ECONNRESET));
            error = co_await broken(parts, "", taken);
            EXPECT_EQ(error, code(ECONNRESET));
            error = co_await broken(uncopied, "", taken);
            EXPECT_EQ(error, code(ECONNRESET));
        }
    });
}

TEST_P(tcp_reset, an_end_in_the_middle_of_a_receive_stays_an_end) {
    run([&]() -> task<> {
        for (const bool closes : {false, true}) {
            auto pair = co_await connected_to_raw();
            std::error_code error;
            const auto receives = [&]() -> task<> {
                std::array<char, 99> buffer{};
                error = co_await error_of(pair.stream.recv_exact(buffer));
            };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(receives);
                co_await let_others_wait();
                if (closes) co_await pair.stream.shutdown_send();  // then no side is left
                pair.peer.write("0123456789");
                co_await until_drained(pair.stream);
                if (closes) pair.peer.close();
                else pair.peer.shutdown_write();
            });
            EXPECT_EQ(error, errc::unexpected_eof);
        }
    });
}

}  // namespace
}  // namespace anel::test
