// 06_by_hand.cpp: a coroutine that counts; main resumes it by hand.
// SPDX-License-Identifier: MIT
#include <coroutine>
#include <cstdio>

// #region promise
struct series {
    struct promise_type {
        series get_return_object() { return {handle::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
        void* operator new(std::size_t size) {
            std::printf("a frame of %zu bytes\n", size);
            return ::operator new(size);
        }
        void operator delete(void* frame) {
            std::puts("the frame is gone");
            ::operator delete(frame);
        }
    };
    using handle = std::coroutine_handle<promise_type>;
    handle frame;
};
// #endregion promise
// #region count
[[gnu::noinline]] series count(int from, int to) {  // keeps its frame
    std::puts("    count: begins");
    for (int i = from; i <= to; ++i) {
        std::printf("    count: i is %d\n", i);
        co_await std::suspend_always{};
    }
    std::puts("    count: ends");
}
// #endregion count
// #region main
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
// #endregion main
