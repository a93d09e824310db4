// 06_exercise.cpp: a lazy coroutine, to be made eager.
// SPDX-License-Identifier: MIT
//
// To do: 1. change one word: count() shall begin when it is called.
//        2. print, behind `i is 7`, `, at ` and the address of i (%p).
#include <coroutine>
#include <cstdio>

struct series {
    struct promise_type {
        series get_return_object() { return {handle::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
        void* operator new(std::size_t size) {
            void* frame = ::operator new(size);
            std::printf("a frame of %zu bytes at %p\n", size, frame);
            return frame;
        }
        void operator delete(void* frame) {
            std::puts("the frame is gone");
            ::operator delete(frame);
        }
    };
    using handle = std::coroutine_handle<promise_type>;
    handle frame;
};
[[gnu::noinline]] series count(int from, int to) {  // keeps its frame
    std::puts("    count: begins");
    for (int i = from; i <= to; ++i) {
        std::printf("    count: i is %d\n", i);
        co_await std::suspend_always{};
    }
    std::puts("    count: ends");
}
int main() {
    std::puts("main: calls count(7, 9)");
    series s = count(7, 9);
    std::puts("main: has a series");
    while (!s.frame.done()) {
        std::puts("main: resumes it");
        s.frame.resume();
    }
    s.frame.destroy();
}
