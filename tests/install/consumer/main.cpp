// main.cpp: the smallest program of a user; it must build against the installed library.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

anel::task<> nothing() { co_return; }

int main() { return anel::run(nothing()); }
