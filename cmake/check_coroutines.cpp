// check_coroutines.cpp: asks the compiler three questions about coroutines that g++ gets wrong.
// Exit code: 0 right, else 10 + 1 when a coroutine's body never ran, + 2 when a temporary was
// destroyed twice, + 4 when a loop awaited what && had ruled out; sanitizers end a program with 1.
// SPDX-License-Identifier: MIT
#include <coroutine>
#include <exception>

namespace {

struct job {
    struct promise_type {
        job get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

int awaited = 0;

struct ready {
    bool await_ready() {
        ++awaited;
        return true;
    }
    void await_suspend(std::coroutine_handle<>) {}
    bool await_resume() { return true; }
};

int ran = 0;
int living = 0;

struct counted {
    counted() { ++living; }
    counted(const counted&) { ++living; }
    ~counted() { --living; }
};

struct options {  // An aggregate whose member needs destruction.
    counted name;
};

ready with(const options&) { return {}; }

job await_in_condition() {
    if (co_await ready()) ran = 1;
}

job await_ruled_out(bool go) {
    while (go && co_await ready()) {
        ran = 2;
        break;
    }
    ran += awaited;
}

job aggregate_beside_await() { co_await with({counted()}); }

bool finishes(job j) {
    j.handle.resume();
    const bool done = j.handle.done();
    j.handle.destroy();
    return done;
}

}  // namespace

int main() {
    int faults = 0;
    if (!finishes(await_in_condition()) || ran != 1) faults |= 1;
    if (!finishes(aggregate_beside_await()) || living != 0) faults |= 2;
    awaited = ran = 0;
    if (!finishes(await_ruled_out(false)) || ran != 0) faults |= 4;
    return faults == 0 ? 0 : 10 + faults;
}
