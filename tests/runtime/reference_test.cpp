// reference_test.cpp: a task that gives a reference gives that very object through everything that
// combines tasks; and an error_code can be a value like any other.
// SPDX-License-Identifier: MIT
#include "tests/support/on_poll.hpp"

#include <anel/generator.hpp>
#include <anel/offload.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>
#include <anel/when.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace anel {
namespace {

using namespace std::chrono_literals;

/// Neither copied nor moved.
struct fixed {
    int value = 0;
    fixed() = default;
    fixed(const fixed&) = delete;
    fixed& operator=(const fixed&) = delete;
};

task<fixed&> refers_to(fixed& object) {
    co_await yield();
    co_return object;
}
task<const fixed&> reads(const fixed& object) { co_return object; }
task<fixed&> fails_with(std::errc error) {
    co_await yield();
    throw std::system_error(std::make_error_code(error));
}
task<std::error_code> gives(std::error_code value) { co_return value; }
task<std::error_code> throws(std::error_code error) {
    co_await yield();
    throw std::system_error(error);
}

TEST(reference_result, is_the_result_of_run) {
    fixed object;
    static_assert(std::is_same_v<decltype(run(refers_to(object))), fixed&>);
    EXPECT_EQ(&run(refers_to(object), on_poll), &object);
    EXPECT_EQ(&run(reads(object), on_poll), &object);
}

TEST(reference_result, can_be_had_as_a_result) {
    const auto body = []() -> task<> {
        fixed object;
        auto good = co_await as_result(refers_to(object));
        EXPECT_TRUE(good);
        EXPECT_EQ(&*good, &object);
        good->value = 3;
        EXPECT_EQ(good.value().value, 3);
        EXPECT_EQ(&std::move(good).value(), &object);
        auto constant = co_await as_result(reads(object));
        EXPECT_EQ(&constant.value(), &object);
        auto bad = co_await as_result(fails_with(std::errc::io_error));
        EXPECT_FALSE(bad);
        EXPECT_EQ(bad.error(), std::errc::io_error);
        EXPECT_THROW(bad.value(), std::system_error);
    };
    run(body(), on_poll);
}

TEST(reference_result, comes_through_timeouts_and_shields) {
    const auto body = []() -> task<> {
        fixed object;
        fixed& timed = co_await with_timeout(20s, refers_to(object));
        EXPECT_EQ(&timed, &object);
        fixed& kept = co_await shielded(refers_to(object));
        EXPECT_EQ(&kept, &object);
    };
    run(body(), on_poll);
}

TEST(reference_result, of_several_is_a_reference_wrapper) {
    const auto body = []() -> task<> {
        fixed one;
        fixed two;
        auto both = co_await when_all(refers_to(one), refers_to(two));
        EXPECT_EQ(&std::get<0>(both).get(), &one);
        EXPECT_EQ(&std::get<1>(both).get(), &two);
        auto either = co_await when_any(refers_to(one), sleep_until(never));
        EXPECT_EQ(&std::get<0>(either.results)->get(), &one);

        std::vector<task<fixed&>> list;
        list.push_back(refers_to(one));
        list.push_back(refers_to(two));
        auto all = co_await when_all(std::move(list));
        EXPECT_EQ(&all[0].get(), &one);
        EXPECT_EQ(&all[1].get(), &two);
        std::vector<task<fixed&>> single;
        single.push_back(refers_to(two));
        auto first = co_await when_any(std::move(single));
        EXPECT_EQ(&first.results[0]->get(), &two);
    };
    run(body(), on_poll);
}

TEST(reference_result, is_the_result_of_a_group) {
    const auto body = []() -> task<> {
        fixed object;
        fixed& given = co_await with_task_group([&](task_group& group) -> task<fixed&> {
            group.spawn([]() -> task<> { co_await yield(); });
            co_return object;
        });
        EXPECT_EQ(&given, &object);
    };
    run(body(), on_poll);
}

TEST(reference_result, of_a_call_on_a_helper_thread_is_that_object) {
    const auto body = []() -> task<> {
        fixed object;
        fixed& given = co_await offload([&]() -> fixed& { return object; });
        EXPECT_EQ(&given, &object);
    };
    run(body(), on_poll);
}

TEST(reference_result, of_a_generator_is_a_pointer_and_null_at_the_end) {
    const auto body = []() -> task<> {
        fixed objects[3];
        const auto each = [](fixed(&all)[3]) -> async_generator<fixed&> {
            for (fixed& object : all) {
                co_await yield();
                co_yield object;
            }
        };
        auto source = each(objects);
        int seen = 0;
        while (auto* object = co_await source.next()) {
            EXPECT_EQ(object, &objects[seen]);
            seen += 1;
        }
        EXPECT_EQ(seen, 3);
        auto* after = co_await source.next();
        EXPECT_EQ(after, nullptr);
    };
    run(body(), on_poll);
}

TEST(error_code_as_a_value, is_told_from_one_that_was_thrown) {
    const auto body = []() -> task<> {
        const std::error_code some = std::make_error_code(std::errc::io_error);
        auto value = co_await as_result(gives(some));
        EXPECT_TRUE(value);
        EXPECT_FALSE(value.error());
        EXPECT_EQ(*value, some);
        auto none = co_await as_result(gives(std::error_code()));
        EXPECT_TRUE(none);
        EXPECT_FALSE(*none);
        auto error = co_await as_result(throws(some));
        EXPECT_FALSE(error);
        EXPECT_EQ(error.error(), some);
        EXPECT_THROW(error.value(), std::system_error);
    };
    run(body(), on_poll);
}

}  // namespace
}  // namespace anel
