// refused_later_test.cpp: the system call that waits worked at the start and is refused later, by a
// filter that the running program installs.
// SPDX-License-Identifier: MIT
#include "tests/support/over_backends.hpp"

#ifdef __linux__
#include "tests/support/seccomp.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>

namespace anel::test {
namespace {

class refused_later : public over_backends {};
ANEL_OVER_KERNELS(refused_later);

void refuse_call(long call) {
    const auto number = static_cast<unsigned>(call);
    if (!refuse_calls(number, number, EPERM)) ::_exit(0);
}

/// Found out in a child: what was installed stays.
bool has_filters() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(refuse_calls(SYS_getpriority, SYS_getpriority, EPERM) ? 0 : 1);
    int status = 1;
    ::waitpid(child, &status, 0);
    return status == 0;
}

task<> sleep_without_the_calls_that_wait() {
    refuse_call(SYS_io_uring_enter);
#ifdef SYS_epoll_wait
    refuse_call(SYS_epoll_wait);
#endif
    refuse_call(SYS_epoll_pwait);
#ifdef SYS_epoll_pwait2
    refuse_call(SYS_epoll_pwait2);
#endif
#ifdef SYS_poll
    refuse_call(SYS_poll);
#endif
    refuse_call(SYS_ppoll);
    co_await sleep_for(1ms);
}

TEST_P(refused_later, names_the_call_and_the_reason) {
    backend_options options;
    options.kind = GetParam();
    if (!has_filters()) GTEST_SKIP() << "no seccomp here";
    GTEST_FLAG_SET(death_test_style, death_style());
    EXPECT_DEATH(anel::run(sleep_without_the_calls_that_wait(), run_options{options}),
                 "worked and is now refused: .*\\(EPERM\\)");
}

}  // namespace
}  // namespace anel::test
#endif
