// main.cpp: the smallest program of a user; it must build against the installed library. Prints the
// version that the preprocessor is told.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <iostream>

#if ANEL_VERSION < 100
#error "there is no version before 0.1.0"
#endif

anel::task<> version() {
    std::cout << ANEL_VERSION_MAJOR << '.' << ANEL_VERSION_MINOR << '.' << ANEL_VERSION_PATCH;
    co_return;
}

int main() { return anel::run(version()); }
