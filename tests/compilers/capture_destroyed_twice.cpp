// capture_destroyed_twice.cpp: so are the by-value captures of a lambda written beside a co_await.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

template <class F>
task call(F f) {
    co_return f();
}

task by_copy(counted c) {
    co_return co_await call([c] { return c.value; });
}
task moved_in() {
    co_return co_await call([c = counted(7)] { return c.value; });
}

task by_reference(counted c) {
    co_return co_await call([&] { return c.value; });
}
task trivial(int n) {
    co_return co_await call([n] { return n; });
}
task named(counted c) {
    auto f = [c] { return c.value; };
    co_return co_await call(std::move(f));
}

int main() {
    trap("co_await f([c] {})", [] { return by_copy(7); }, 7);
    trap("co_await f([c = T()] {})", moved_in, 7);
    safe("co_await f([&] {})", [] { return by_reference(7); }, 7);
    safe("a capture that is trivially destructible", [] { return trivial(7); }, 7);
    safe("auto g = [c] {}; co_await f(std::move(g))", [] { return named(7); }, 7);
    return verdict;
}
