// threads.hpp: which CPU a thread runs on, as far as this machine has as many.
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

namespace anel_bench {

/// Keeps the calling thread on the `index`th CPU that this process could use when it started;
/// without so many CPUs it stays where it is.
inline void run_on_cpu(int index) {
    static const cpu_set_t allowed = [] {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        sched_getaffinity(0, sizeof cpus, &cpus);
        return cpus;
    }();
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(static_cast<unsigned>(cpu), &allowed) || index-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(cpu), &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

}  // namespace anel_bench
