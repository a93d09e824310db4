// canary.hpp: the smallest task, awaitable and counted type, and how a canary tells its result.
//
// A canary exits with 0 when the compiler is right, with 1 when a form that is known as dangerous
// went wrong, and with 2 when a form went wrong that the project relies on.
// No header of the standard library beyond these: every canary is compiled many times.
// SPDX-License-Identifier: MIT
#pragma once
#include <coroutine>
#include <cstdio>
#include <exception>
#include <utility>

// A destructor that runs twice, or never, leaves `living` different from 0.
struct counted {
    static inline int living = 0;
    int value;
    counted(int v) : value(v) { ++living; }
    counted(const counted& other) : value(other.value) { ++living; }
    ~counted() { --living; }
};

// Lazy; awaiting it starts it by symmetric transfer.
class task {
public:
    struct promise_type {
        int result = 0;
        std::coroutine_handle<> waiter = std::noop_coroutine();
        task get_return_object() {
            return task(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct finish {
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
                return h.promise().waiter;
            }
            void await_resume() noexcept {}
        };
        finish final_suspend() noexcept { return {}; }
        void return_value(int value) { result = value; }
        void unhandled_exception() { std::terminate(); }
    };

    explicit task(std::coroutine_handle<promise_type> h) : handle_(h) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    ~task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
        handle_.promise().waiter = caller;
        return handle_;
    }
    int await_resume() { return handle_.promise().result; }

    // Runs the task to its end; -1 when it did not get there.
    int run() {
        handle_.resume();
        return handle_.done() ? handle_.promise().result : -1;
    }

private:
    std::coroutine_handle<promise_type> handle_;
};

// Ready at once.
struct ready {
    int value;
    explicit ready(int v) : value(v) {}
    bool await_ready() { return true; }
    void await_suspend(std::coroutine_handle<>) {}
    int await_resume() { return value; }
};

inline int verdict = 0;

inline void report(bool right, const char* kind, const char* form, int code) {
    if (right) return;
    std::printf("%s: %s\n", kind, form);
    if (code > verdict) verdict = code;
}

template <class F>
bool gives(F make, int expected) {
    counted::living = 0;
    const int result = make().run();
    return result == expected && counted::living == 0;
}

// Each form is given as its text; run with `make`, it yields `expected` on a right compiler.
template <class F>
void trap(const char* form, F make, int expected) {
    report(gives(make, expected), "wrong", form, 1);
}
template <class F>
void safe(const char* form, F make, int expected) {
    report(gives(make, expected), "SAFE FORM BROKEN", form, 2);
}
