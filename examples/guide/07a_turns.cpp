// 07a_turns.cpp: two coroutines take turns on a list of the ready ones.
// SPDX-License-Identifier: MIT
#include <coroutine>
#include <cstdio>
#include <deque>
#include <exception>

// #region task
using handle = std::coroutine_handle<>;
struct task {  // A coroutine that has not begun: see loop::start().
    struct promise_type {
        task get_return_object() {
            using self = std::coroutine_handle<promise_type>;
            return {self::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    handle frame;
};
// #endregion task
// #region loop
struct loop {
    std::deque<handle> ready;
    void start(task t) { ready.push_back(t.frame); }
    void run() {
        for (; !ready.empty(); ready.pop_front()) ready.front().resume();
    }
};
struct next_turn {
    loop& home;
    bool await_ready() { return false; }
    void await_suspend(handle me) { home.ready.push_back(me); }
    void await_resume() {}
};
task count(loop& home, const char* name) {
    for (int i = 1; i <= 3; ++i) {
        std::printf("%s: %d\n", name, i);
        co_await next_turn{home};
    }
}
// #endregion loop
int main() {
    loop home;
    home.start(count(home, "A"));
    home.start(count(home, "B"));
    std::puts("nobody has begun");
    home.run();
    std::puts("nobody is ready");
}
