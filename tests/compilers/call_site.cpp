// call_site.cpp: clang 14 with libstdc++ 12 lacks std::source_location; __builtin_LINE() as a
// default argument tells the place of a call everywhere, also of a call that is awaited.
// SPDX-License-Identifier: MIT
#include "canary.hpp"
#include <version>

ready line(int here = __builtin_LINE()) { return ready(here); }

task awaited() {
    // clang-format off
    const int told = co_await line(); const int here = __LINE__;
    // clang-format on
    co_return told - here;
}

int main() {
#ifndef __cpp_lib_source_location
    report(false, "wrong", "std::source_location is missing", 1);
#endif
    safe("co_await f(), where f has a default argument __builtin_LINE()", awaited, 0);
    return verdict;
}
