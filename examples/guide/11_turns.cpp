// 11_turns.cpp: two tasks, first one after the other, then both at once.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <iostream>
using namespace anel;

// #region count
task<> count(char name, int& total) {
    for (int i = 1; i <= 3; ++i) {
        std::cout << name << i << ' ';
        total += 1;        // no mutex: nobody else runs until a co_await
        co_await yield();  // here the others run
    }
}
// #endregion count

// #region program
task<> program() {
    int total = 0;
    co_await count('A', total);  // ends before B begins
    co_await count('B', total);
    std::cout << "one after the other\n";
    co_await when_all(count('A', total), count('B', total));
    std::cout << "both at once\ntotal " << total << '\n';
}
// #endregion program

int main() { return run(program()); }
