// body_never_runs.cpp: a coroutine that declares no variable and awaits in a condition is dropped.
// resume() returns at once, done() stays false, and whoever awaits it waits for ever.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

int statements = 0;

task in_if() {
    if (co_await ready(1)) co_return 7;
    co_return 0;
}
task after_statement(int p) {
    ++statements;
    if (co_await ready(1)) co_return p;
    co_return 0;
}
task in_while() {
    while (co_await ready(0)) {}
    co_return 7;
}
task in_switch() {
    switch (co_await ready(1)) {
        default: co_return 7;
    }
}

task named() {
    const int ok = co_await ready(1);
    if (ok) co_return 7;
    co_return 0;
}
task declared_in_while() {
    while (auto n = co_await ready(7)) co_return n;
    co_return 0;
}

int main() {
    trap("if (co_await x)", in_if, 7);
    trap("statement; if (co_await x)", [] { return after_statement(7); }, 7);
    trap("while (co_await x)", in_while, 7);
    trap("switch (co_await x)", in_switch, 7);
    safe("auto ok = co_await x; if (ok)", named, 7);
    safe("while (auto n = co_await x)", declared_in_while, 7);
    return verdict;
}
