// frame_pool.cpp: operator new and delete of coroutine frames.
//
// A frame is allocated when the coroutine function is called, before anything knows who will await
// it: no loop can be passed in, short of a parameter in every user function. So the pool of the
// loop that runs on this thread is found through the one thread_local variable of the library. It
// decides only where memory comes from, never what a program does: with no pool, the heap serves.
// SPDX-License-Identifier: MIT
#include "runtime/core/frame_pool.hpp"

#include "runtime/system/sanitizer.hpp"

#include <anel/detail/frame.hpp>

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
    for (free_list& list : free_) {
        while (list.first) ::operator delete(std::exchange(list.first, list.first->next));
    }
}

void* frame_pool::take(std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    if (index < classes && free_[index].first) {
        free_list& list = free_[index];
        list.size -= 1;
        return std::exchange(list.first, list.first->next);
    }
    allocated_ += 1;
    return ::operator new(index < classes ? (index + 1) * class_bytes : bytes);
}

void frame_pool::give_back(void* memory, std::size_t bytes) noexcept {
    const std::size_t index = class_of(bytes);
    if (index >= classes || free_[index].size == kept_per_class) return ::operator delete(memory);
    free_list& list = free_[index];
    list.first = new (memory) block{list.first};
    list.size += 1;
}

frame_pool* frame_pool::install(frame_pool* pool) noexcept {
    return std::exchange(current_pool, pool);
}

const frame_pool* frame_pool::installed() noexcept { return current_pool; }

// Under AddressSanitizer frames are not recycled, so that the use of a destroyed one is seen.
// Without a pool the size is rounded all the same: a frame may be born outside a loop and die in
// it.
void* frame::operator new(std::size_t bytes) {
    if (current_pool) current_pool->count(1);
    if (current_pool && !address_sanitizer) return current_pool->take(bytes);
    const std::size_t index = class_of(bytes);
    return ::operator new(index < frame_pool::classes ? (index + 1) * frame_pool::class_bytes
                                                      : bytes);
}

void frame::operator delete(void* memory, std::size_t bytes) noexcept {
    if (current_pool) current_pool->count(-1);
    if (current_pool && !address_sanitizer) return current_pool->give_back(memory, bytes);
    ::operator delete(memory);
}

}  // namespace anel::detail
