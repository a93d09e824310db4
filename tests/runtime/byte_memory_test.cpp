// byte_memory_test.cpp: memory for bytes that the loop of a thread recycles.
// SPDX-License-Identifier: MIT
#include "runtime/core/frame_pool.hpp"
#include "runtime/system/sanitizer.hpp"

#include <anel/anel.hpp>
#include <anel/detail/byte_memory.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

namespace anel {
using namespace detail;
namespace {

constexpr std::size_t record = 16'448;

task<> take_twice(std::size_t size, bool& same) {
    std::byte* const first = take_byte_memory(size);
    std::memset(first, 1, size);
    give_back_byte_memory(first);
    std::byte* const second = take_byte_memory(size);
    same = first == second;
    give_back_byte_memory(second);
    co_return;
}

TEST(byte_memory, is_recycled_by_the_loop) {
    if (address_sanitizer) GTEST_SKIP() << "there nothing is, so that a late use is seen";
    bool same = false;
    run(take_twice(record, same));
    EXPECT_TRUE(same);
}

task<> take_many(std::vector<std::byte*>& taken, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) taken.push_back(take_byte_memory(record));
    co_return;
}

task<> give_back_all(std::vector<std::byte*>& taken) {
    for (std::byte* one : taken) give_back_byte_memory(one);
    taken.clear();
    co_return;
}

// More than a loop keeps, and by another loop than took it: what is lost, a leak checker tells.
TEST(byte_memory, may_be_given_back_to_another_loop_or_to_none) {
    std::vector<std::byte*> taken;
    const std::size_t count = 2 * frame_pool::kept_pages_max / (record / frame_pool::page_bytes);
    run(take_many(taken, count));
    run(give_back_all(taken));
    run(take_many(taken, 3));
    for (std::byte* one : taken) give_back_byte_memory(one);
    taken.assign({nullptr, take_byte_memory(1), take_byte_memory(10 << 20)});
    run(give_back_all(taken));
}

}  // namespace
}  // namespace anel
