// allocations_test.cpp: operator new and delete of this program, which count and can fail.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/allocations.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include <unistd.h>

namespace {

std::atomic<std::int64_t> alive{0};
std::atomic<std::uint64_t> until_failure{0};  // 1: the next one fails; 0: none does
std::atomic<pid_t> watched{0};
std::atomic<bool> failed{false};

}  // namespace

#ifndef ANEL_THREAD_SANITIZER
// Not inlined, or g++ takes the free() inside for one that does not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    if (until_failure.load(std::memory_order_relaxed) > 0 && watched.load() == ::gettid() &&
        until_failure.fetch_sub(1) == 1) {
        failed.store(true);
        throw std::bad_alloc();
    }
    void* memory = std::malloc(bytes > 0 ? bytes : 1);
    if (!memory) throw std::bad_alloc();
    alive.fetch_add(1, std::memory_order_relaxed);
    return memory;
}
// AddressSanitizer's own does not ask the one above.
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    try {
        return ::operator new(bytes);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    if (memory) alive.fetch_sub(1, std::memory_order_relaxed);
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    ::operator delete(memory);
}
#endif

namespace anel::test {

void fail_allocation(std::uint64_t which) noexcept {
    failed.store(false);
    watched.store(::gettid());
    until_failure.store(which);
}

bool stop_failing_allocations() noexcept {
    until_failure.store(0);
    return failed.load();
}

std::int64_t allocations_alive() noexcept { return alive.load(); }

namespace {

#ifndef ANEL_THREAD_SANITIZER

// The compiler may leave out an allocation that nobody looks at.
void* allocate() { return ::operator new(16); }
void give_back(void* memory) { ::operator delete(memory); }

TEST(allocations, the_chosen_one_fails_and_no_other) {
    fail_allocation(3);
    void* first = allocate();
    void* second = allocate();
    EXPECT_THROW(give_back(allocate()), std::bad_alloc);
    void* fourth = allocate();
    EXPECT_TRUE(stop_failing_allocations());
    for (void* memory : {first, second, fourth}) give_back(memory);
}

TEST(allocations, those_of_other_threads_do_not_fail) {
    std::atomic<bool> go{false};
    bool other_failed = false;
    std::thread other([&] {
        go.wait(false);
        try {
            give_back(allocate());
        } catch (const std::bad_alloc&) {
            other_failed = true;
        }
    });
    fail_allocation(1);
    go.store(true);
    go.notify_all();
    other.join();
    EXPECT_FALSE(stop_failing_allocations());
    EXPECT_FALSE(other_failed);
}

TEST(allocations, those_not_given_back_are_counted) {
    const std::int64_t before = allocations_alive();
    void* memory = allocate();
    EXPECT_EQ(allocations_alive(), before + 1);
    give_back(memory);
    EXPECT_EQ(allocations_alive(), before);
}

#endif

}  // namespace
}  // namespace anel::test
