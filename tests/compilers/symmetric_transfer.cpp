// symmetric_transfer.cpp: g++ makes it a tail call only where it optimises sibling calls; without
// that, a loop over a task that is ready at once uses more stack with every round and overflows.
// The harness runs this with a stack of 1 MB.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

task leaf() { co_return 1; }

task loop(int rounds) {
    int sum = 0;
    for (int i = 0; i < rounds; ++i) {
        const int one = co_await leaf();
        sum += one;
    }
    co_return sum;
}

int main() {
    trap("100,000 awaits of a task that is ready at once", [] { return loop(100'000); }, 100'000);
    return verdict;
}
