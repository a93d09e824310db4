// plugin.cpp: a shared object of a user: anel inside it must be position-independent.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

anel::task<> nothing() { co_return; }

extern "C" int run_plugin() { return anel::run(nothing()); }
