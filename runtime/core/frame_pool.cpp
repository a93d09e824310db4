// frame_pool.cpp: operator new and delete of coroutine frames, and of memory for bytes.
//
// A frame is allocated when the coroutine function is called, before anything knows who will await
// it: no loop can be passed in, short of a parameter in every user function. So the pool of the
// loop that runs on this thread is found through the one thread_local variable of the library. It
// decides only where memory comes from, never what a program does: with no pool, the heap serves.
// SPDX-License-Identifier: MIT
#include "runtime/core/frame_pool.hpp"

#include "runtime/system/sanitizer.hpp"

#include <anel/detail/byte_memory.hpp>
#include <anel/detail/frame.hpp>

#include <cstddef>
#include <new>
#include <utility>

namespace anel::detail {
namespace {
// Position-independent code would call a function for its address: 6 % more instructions for a task
// and its await. glibc keeps room for a few such variables of what is loaded while a program runs;
// musl does not.
#ifdef __GLIBC__
[[gnu::tls_model("initial-exec")]]
#endif
constinit thread_local frame_pool* current_pool = nullptr;

constexpr std::size_t class_of(std::size_t bytes) { return (bytes - 1) / frame_pool::class_bytes; }
}  // namespace

frame_pool::~frame_pool() {
    const auto empty = [](free_list& list) {
        while (list.first) ::operator delete(std::exchange(list.first, list.first->next));
    };
    for (free_list& list : free_) empty(list);
    for (free_list& list : free_pages_) empty(list);
}

void* frame_pool::take(std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    if (index < classes && !address_sanitizer && free_[index].first) {
        free_list& list = free_[index];
        list.size -= 1;
        return std::exchange(list.first, list.first->next);
    }
    held_ += 1;
    if (!address_sanitizer) allocated_ += 1;
    return ::operator new(index < classes ? (index + 1) * class_bytes : bytes);
}

void frame_pool::give_back(void* memory, std::size_t bytes) noexcept {
    const std::size_t index = class_of(bytes);
    if (address_sanitizer || index >= classes || free_[index].size == kept_per_class) {
        held_ -= 1;
        return ::operator delete(memory);
    }
    free_list& list = free_[index];
    list.first = new (memory) block{list.first};
    list.size += 1;
}

void* frame_pool::take_pages(std::size_t pages) {
    free_list& list = free_pages_[pages];
    if (!list.first) return ::operator new(pages * page_bytes);
    kept_pages_ -= pages;
    return std::exchange(list.first, list.first->next);
}

void frame_pool::give_back_pages(void* memory, std::size_t pages) noexcept {
    if (address_sanitizer || kept_pages_ + pages > kept_pages_max) return ::operator delete(memory);
    kept_pages_ += pages;
    free_list& list = free_pages_[pages];
    list.first = new (memory) block{list.first};
}

std::int64_t frame_pool::alive() const noexcept {
    std::int64_t in_use = held_;
    for (const free_list& list : free_) in_use -= list.size;
    return in_use;
}

frame_pool* frame_pool::install(frame_pool* pool) noexcept {
    return std::exchange(current_pool, pool);
}

frame_pool* frame_pool::installed() noexcept { return current_pool; }

// Under AddressSanitizer frames are not recycled, so that the use of a destroyed one is seen.
// Without a pool the size is rounded all the same: a frame may be born outside a loop and die in
// it.
void* frame::operator new(std::size_t bytes) {
    if (current_pool) return current_pool->take(bytes);
    const std::size_t index = class_of(bytes);
    return ::operator new(index < frame_pool::classes ? (index + 1) * frame_pool::class_bytes
                                                      : bytes);
}

void frame::operator delete(void* memory, std::size_t bytes) noexcept {
    if (current_pool) return current_pool->give_back(memory, bytes);
    ::operator delete(memory);
}

namespace {
// In front of the bytes: how many pages they have. Whoever gives them back knows only where.
constexpr std::size_t before_bytes = alignof(std::max_align_t);
static_assert(before_bytes >= sizeof(std::size_t));
}  // namespace

std::byte* take_byte_memory(std::size_t size) {
    const std::size_t pages = (size + before_bytes - 1) / frame_pool::page_bytes + 1;
    const bool recycles = current_pool && pages <= frame_pool::pages_max;
    void* const memory =
        recycles ? current_pool->take_pages(pages) : ::operator new(pages * frame_pool::page_bytes);
    new (memory) std::size_t(pages);
    return static_cast<std::byte*>(memory) + before_bytes;
}

void give_back_byte_memory(std::byte* bytes) noexcept {
    if (!bytes) return;
    void* const memory = bytes - before_bytes;
    const std::size_t pages = *static_cast<std::size_t*>(memory);
    const bool recycles = current_pool && pages <= frame_pool::pages_max;
    if (recycles) current_pool->give_back_pages(memory, pages);
    else ::operator delete(memory);
}

}  // namespace anel::detail
