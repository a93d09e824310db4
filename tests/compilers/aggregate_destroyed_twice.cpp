// aggregate_destroyed_twice.cpp: so are the members of an aggregate that is a temporary beside a
// co_await, or that is initialised by one. In real code the heap is corrupt, without a warning.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

struct options {
    counted name = 1;
    int level = 0;
};
struct with_constructor {
    counted name;
    int level;
    with_constructor(counted n, int l) : name(n), level(l) {}
};
struct trivial {
    int a, b;
};

task by_value(options o) { co_return o.level; }
task by_reference(const options& o) { co_return o.level; }
task constructed(with_constructor o) { co_return o.level; }
task simple(trivial t) { co_return t.a; }
options make() { return options{1, 7}; }
int add(const options& o, int n) { return o.level + n; }

task braced() { co_return co_await by_value({1, 7}); }
task designated() { co_return co_await by_reference({.level = 7}); }
task bystander() { co_return add(options{1, 3}, co_await ready(4)); }
task initialised() {
    options o{1, co_await ready(7)};
    co_return o.level;
}

task named() {
    options o{1, 7};
    co_return co_await by_value(std::move(o));
}
task two_statements() {
    auto call = by_value({1, 7});
    co_return co_await call;
}
task from_function() { co_return co_await by_value(make()); }
task from_constructor() { co_return co_await constructed({1, 7}); }
task from_trivial() { co_return co_await simple({7, 1}); }

int main() {
    trap("co_await f({text, 3})", braced, 7);
    trap("co_await f({.level = 3}) into a const&", designated, 7);
    trap("g(options{}, co_await x)", bystander, 7);
    trap("options o{text, co_await x}", initialised, 7);
    safe("options o{text, 3}; co_await f(std::move(o))", named, 7);
    safe("auto call = f({text, 3}); co_await call", two_statements, 7);
    safe("an aggregate returned by a function", from_function, 7);
    safe("a struct with a constructor", from_constructor, 7);
    safe("a trivially destructible struct", from_trivial, 7);
    return verdict;
}
