// refuse_io_uring.cpp: runs a command in which the kernel refuses io_uring, as many containers do.
//   refuse_io_uring [EPERM|ENOSYS|ENOMEM|number] -- command...
//   refuse_io_uring --probe EPERM      exits with 0 if io_uring_setup fails with that error
// A seccomp filter, kept across exec and inherited by children; it needs no privilege.
// SPDX-License-Identifier: MIT
#include "tests/support/seccomp.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

// io_uring_setup, io_uring_enter, io_uring_register; one number on every architecture but alpha.
constexpr unsigned first_call = 425;
constexpr unsigned last_call = 427;

int parse_errno(std::string_view text) {
    if (text == "EPERM") return EPERM;
    if (text == "ENOSYS") return ENOSYS;
    if (text == "ENOMEM") return ENOMEM;
    return std::atoi(text.data());
}

int usage() {
    std::fputs("usage: refuse_io_uring [ERRNO] -- command...\n", stderr);
    return 2;
}

int probe(int expected) {
    const long fd = syscall(first_call, 1, nullptr);
    const int error = fd < 0 ? errno : 0;
    std::printf("io_uring_setup: %s\n", std::strerror(error));
    return error == expected ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--probe") return probe(parse_errno(argv[2]));

    int at = 1;
    int error = EPERM;
    if (argc > at && std::string_view(argv[at]) != "--") error = parse_errno(argv[at++]);
    if (error <= 0 || argc < at + 2 || std::string_view(argv[at]) != "--") return usage();
    if (!anel::test::refuse_calls(first_call, last_call, error)) {
        std::perror("refuse_io_uring: seccomp");
        return 125;
    }
    execvp(argv[at + 1], argv + at + 1);
    std::perror(argv[at + 1]);
    return 127;
}
