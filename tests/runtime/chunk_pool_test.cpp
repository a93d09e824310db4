// chunk_pool_test.cpp: which chunk is lent next, and what AddressSanitizer is told of each.
// SPDX-License-Identifier: MIT
#include "runtime/backend/chunk_pool.hpp"

#include "runtime/system/sanitizer.hpp"

#include <gtest/gtest.h>

namespace anel::detail {
namespace {

TEST(chunk_pool, lends_what_came_back_last) {
    backend_counters counts{};
    chunk_pool pool(counts);
    std::byte* first = pool.take();
    std::byte* second = pool.take();
    ASSERT_NE(first, second);
    pool.give_back(first + 100);  // any byte of it
    pool.give_back(second);
    EXPECT_EQ(pool.take(), second);
    EXPECT_EQ(pool.take(), first);
    EXPECT_EQ(pool.lent(), 2U);
    EXPECT_EQ(counts.chunks_max, 2U);
}

TEST(chunk_pool, lends_so_many_and_then_none) {
    backend_counters counts{};
    chunk_pool pool(counts);
    for (unsigned i = 0; i < chunk_pool::chunks_max; ++i) ASSERT_NE(pool.take(), nullptr);
    EXPECT_FALSE(pool.any_free());
    EXPECT_EQ(pool.take(), nullptr);
    pool.give_back(pool.at(7));
    EXPECT_EQ(pool.take(), pool.at(7));
}

// The sanitizer of a program sees a use of what it gave back, and a write past the end.
TEST(chunk_pool, only_what_is_lent_may_be_touched) {
    if (!address_sanitizer) GTEST_SKIP() << "without AddressSanitizer nobody is told";
    constexpr std::size_t size = chunk_pool::chunk_bytes;
    backend_counters counts{};
    std::byte* memory = nullptr;
    {
        chunk_pool pool(counts);
        std::byte* first = pool.take();
        EXPECT_FALSE(poisoned(first, size));
        EXPECT_TRUE(poisoned(first + size, 1)) << "the byte behind it";
        EXPECT_TRUE(poisoned(pool.at(1), size)) << "not lent yet";
        std::byte* second = pool.take();
        EXPECT_FALSE(poisoned(second, size));
        EXPECT_FALSE(poisoned(first, size));
        EXPECT_TRUE(poisoned(first + size, 1));
        EXPECT_TRUE(poisoned(pool.at(2), 1));
        pool.give_back(first);
        EXPECT_TRUE(poisoned(first, 1));
        EXPECT_TRUE(poisoned(first + size - 1, 1));
        EXPECT_FALSE(poisoned(second, size));
        memory = first;
        while (pool.take()) {}
        EXPECT_FALSE(poisoned(pool.at(chunk_pool::chunks_max - 1), size));
    }
    // Whoever is given these addresses next may use them.
    for (unsigned i = 0; i < chunk_pool::chunks_max; ++i) {
        ASSERT_FALSE(poisoned(memory + i * size, size)) << i;
    }
}

}  // namespace
}  // namespace anel::detail
