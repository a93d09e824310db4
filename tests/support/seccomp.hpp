// seccomp.hpp: has the kernel refuse system calls to this thread and all it starts, for good.
//
// Needs no privilege, and is kept across exec.
// SPDX-License-Identifier: MIT
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <array>
#include <cstddef>

namespace anel::test {

/// From now on the system calls `first`..`last` fail with `error`. Returns false, and errno says
/// why, where the kernel has no such filters.
inline bool refuse_calls(unsigned first, unsigned last, int error) noexcept {
    const auto verdict = SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA);
    std::array<sock_filter, 5> filter{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JGE | BPF_K, 0, 2, first},  // Lower: allow.
        {BPF_JMP | BPF_JGT | BPF_K, 1, 0, last},   // Higher: allow.
        {BPF_RET | BPF_K, 0, 0, verdict},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    }};
    sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace anel::test
