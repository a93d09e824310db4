// build.cpp: what this program and anel were built with, and what they run beside.
//
// SPDX-License-Identifier: MIT
#include <anel/version.hpp>

#include <dlfcn.h>

#include <cstdio>

#include "common/text.hpp"
#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

// liburing says its version since 2.4. Before, the name of its file does: liburing.so.2.3.
std::string liburing_here() {
    using number = int();
    void* const major = dlsym(RTLD_DEFAULT, "io_uring_major_version");
    void* const minor = dlsym(RTLD_DEFAULT, "io_uring_minor_version");
    if (major && minor) {
        return format("%d.%d", reinterpret_cast<number*>(major)(),
                      reinterpret_cast<number*>(minor)());
    }
    Dl_info where{};
    void* const any = dlsym(RTLD_DEFAULT, "io_uring_queue_init_params");
    if (!any || dladdr(any, &where) == 0 || !where.dli_fname) return not_known;
    std::error_code error;
    const auto file = std::filesystem::canonical(where.dli_fname, error).filename().string();
    const std::string_view begin = "liburing.so.";
    return file.starts_with(begin) ? file.substr(begin.size()) : not_known;
}

finding examine_liburing(const facts& environment) {
    if (!built_with_io_uring) {
        return {state::bad, "liburing", "none", "anel was built without it, and takes epoll",
                build_with_io_uring};
    }
    const std::string built = fact(environment, "build", "liburing");
    const std::string here = liburing_here();
    const std::string value = "built with " + built + ", runs beside " + here;
    if (here == not_known) {
        return {state::note, "liburing", value, "linked statically, or older than 2.4", ""};
    }
    return {state::ok, "liburing", value, "2.3 to 2.15 work, in any combination of the two", ""};
}

// The words of README.md; which compiler has which fault stands in tests/compilers/expected.txt.
finding examine_compiler(const facts& environment) {
    const std::string compiler = fact(environment, "build", "compiler");  // "GNU 12.2.0"
    finding found{state::ok, "compiler", compiler, "", ""};
    int major = 0, minor = 0;
    if (std::sscanf(compiler.c_str(), "GNU %d.%d", &major, &minor) != 2) return found;
    const char* advice = "name what you pass and the result, then test it "
                         "(docs/common_mistakes.md), or build with clang++ 14 or newer";
    if (major < 12 || (major == 12 && minor < 3)) {
        found.how = state::bad;
        found.means = "g++ 12.2 miscompiles some ordinary coroutines without a warning; anel "
                      "itself avoids them";
        found.mend = advice;
    } else if (major <= 15) {
        found.how = state::note;
        found.means = "g++ up to 15 awaits both sides of && and || in the condition of a loop";
        found.mend = advice;
    }
    return found;
}

}  // namespace

findings examine_build(const facts& environment) {
    const std::string anel =
        format("%d.%d.%d, revision %s", ANEL_VERSION_MAJOR, ANEL_VERSION_MINOR, ANEL_VERSION_PATCH,
               fact(environment, "build", "revision").c_str());
    finding optimised{state::ok, "optimised", "yes", "", ""};
    if (!built_optimised()) {
        optimised.how = state::note;
        optimised.value = "no";
        optimised.means = "a program takes several times as long as it must";
        optimised.mend = "cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo";
    }
    finding compiler = examine_compiler(environment);
    finding liburing = examine_liburing(environment);
    return {{state::ok, "anel", anel, "", ""},
            std::move(compiler),
            std::move(optimised),
            std::move(liburing)};
}

}  // namespace anel_bench::doctor
