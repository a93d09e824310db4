// driver.cpp: the cure for symmetric_transfer.cpp, as in runtime/core/loop.cpp: no coroutine
// resumes another; it leaves the next handle with a driver and suspends. Constant stack on every
// compiler.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

struct driver {
    std::coroutine_handle<> next;
    void run() {
        while (next) std::exchange(next, {}).resume();
    }
};

class job {
public:
    struct promise_type {
        driver* d = nullptr;
        std::coroutine_handle<> waiter;
        job get_return_object() {
            return job(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct finish {
            bool await_ready() noexcept { return false; }
            void await_suspend(std::coroutine_handle<promise_type> h) noexcept {
                h.promise().d->next = h.promise().waiter;
            }
            void await_resume() noexcept {}
        };
        finish final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };

    explicit job(std::coroutine_handle<promise_type> h) : handle_(h) {}
    job(job&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    ~job() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<promise_type> caller) {
        handle_.promise().d = caller.promise().d;
        handle_.promise().waiter = caller;
        handle_.promise().d->next = handle_;
    }
    void await_resume() {}

    bool run() {
        driver d{handle_};
        handle_.promise().d = &d;
        d.run();
        return handle_.done();
    }

private:
    std::coroutine_handle<promise_type> handle_;
};

long finished = 0;
job leaf() {
    ++finished;
    co_return;
}
job loop(int rounds) {
    for (int i = 0; i < rounds; ++i) co_await leaf();
}
job chain(int depth) {
    if (depth > 0) {
        auto below = chain(depth - 1);
        co_await below;
    }
    ++finished;
}

int main() {
    report(loop(1'000'000).run() && finished == 1'000'000, "SAFE FORM BROKEN", "a long loop", 2);
    finished = 0;
    report(chain(100'000).run() && finished == 100'001, "SAFE FORM BROKEN", "a deep chain", 2);
    return verdict;
}
