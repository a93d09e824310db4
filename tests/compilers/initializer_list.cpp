// initializer_list.cpp: a braced list beside a co_await does not compile with g++ 12.2
// ("array used as initializer").
// SPDX-License-Identifier: MIT
#include "canary.hpp"
#include <initializer_list>

task first(std::initializer_list<int> list) { co_return *list.begin(); }

task braced() { co_return co_await first({7, 8}); }

int main() {
    trap("co_await f({1, 2}) into an initializer_list", braced, 7);
    return verdict;
}
