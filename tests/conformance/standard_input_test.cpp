// standard_input_test.cpp: descriptor 0, here a pipe or a file of the test's own.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <anel/standard_input.hpp>

#include <cstdio>

namespace anel::test {
namespace {

/// Lends descriptor 0 to a test.
class borrowed_input {
public:
    explicit borrowed_input(int instead) : before_(::dup(STDIN_FILENO)) {
        EXPECT_EQ(::dup2(instead, STDIN_FILENO), STDIN_FILENO);
    }
    borrowed_input(const borrowed_input&) = delete;
    borrowed_input& operator=(const borrowed_input&) = delete;
    ~borrowed_input() {
        ::dup2(before_, STDIN_FILENO);
        ::close(before_);
    }

private:
    int before_;
};

class standard_input_on_kernel : public over_backends {};
ANEL_OVER_KERNELS(standard_input_on_kernel);

void write_all(int to, std::string_view text) {
    EXPECT_EQ(::write(to, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST_P(standard_input_on_kernel, a_cancelled_read_loses_nothing) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    {
        const borrowed_input borrowed(ends[0]);
        run([&]() -> task<> {
            standard_input input;
            auto nothing = co_await as_result(with_timeout(1ms, input.read_line()));
            EXPECT_EQ(nothing.error(), std::errc::timed_out);
            write_all(ends[1], "one l");
            auto half = co_await as_result(with_timeout(1ms, input.read_line()));
            EXPECT_EQ(half.error(), std::errc::timed_out);
            write_all(ends[1], "ine\r\nanother\nthe la");
            const auto first = co_await input.read_line();
            EXPECT_EQ(first, "one line");
            const auto second = co_await input.read_line();
            EXPECT_EQ(second, "another");
            co_await with_task_group([&](task_group& group) -> task<> {
                const auto read = [&]() -> task<> { co_await input.read_line(); };
                group.spawn(read);
                co_await let_others_wait();
                group.cancel();
            });
            write_all(ends[1], "st");
            ::close(ends[1]);
            const auto last = co_await input.read_line();
            EXPECT_EQ(last, "the last");
            const auto end = co_await input.read_line();
            EXPECT_FALSE(end);
        });
    }
    ::close(ends[0]);
}

TEST_P(standard_input_on_kernel, a_file_is_read_to_its_end) {
    std::FILE* file = std::tmpfile();
    ASSERT_TRUE(file);
    const std::string long_line(10'000, 'x');
    std::fputs(("first\n" + long_line + "\nlast").c_str(), file);
    std::rewind(file);
    {
        const borrowed_input borrowed(::fileno(file));
        run([&]() -> task<> {
            standard_input input;
            const auto first = co_await input.read_line();
            EXPECT_EQ(first, "first");
            const auto second = co_await input.read_line();
            EXPECT_EQ(second, long_line);
            const auto last = co_await input.read_line();
            EXPECT_EQ(last, "last");
            const auto end = co_await input.read_line();
            EXPECT_FALSE(end);
        });
    }
    std::fclose(file);
}

}  // namespace
}  // namespace anel::test
