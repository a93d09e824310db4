// short_circuit.cpp: in the condition of a loop the right-hand side of && and || is awaited anyway.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

int awaited = 0;
ready next() {
    ++awaited;
    return ready(1);
}

task in_while(bool go) {
    awaited = 0;
    while (go && co_await next()) break;
    co_return awaited;
}
task in_for(bool stop) {
    awaited = 0;
    for (; stop || co_await next();) break;
    co_return awaited;
}
task in_choice(bool go) {
    awaited = 0;
    while (go ? co_await next() : 0) break;
    co_return awaited;
}

task initialiser(bool go) {
    awaited = 0;
    const bool more = go && co_await next();
    co_return more ? 1 : awaited;
}

int main() {
    trap("while (false && co_await x)", [] { return in_while(false); }, 0);
    trap("for (; true || co_await x;)", [] { return in_for(true); }, 0);
    trap("while (false ? co_await x : 0)", [] { return in_choice(false); }, 0);
    safe("bool more = false && co_await x", [] { return initialiser(false); }, 0);
    return verdict;
}
