// native_stack.cpp: execinfo.h of glibc and macOS; musl has none, the BSDs a library of its own.
// SPDX-License-Identifier: MIT
#include "runtime/system/native_stack.hpp"

#include <cstdlib>
#if defined(__GLIBC__) || defined(__APPLE__)
#include <execinfo.h>

#include <memory>

namespace anel::detail {

int native_stack(std::span<void*> into) noexcept {
    return ::backtrace(into.data(), static_cast<int>(into.size()));
}

void append_native_stack(std::string& text, std::span<void* const> addresses) {
    const std::unique_ptr<char*, void (*)(void*)> names(
        ::backtrace_symbols(addresses.data(), static_cast<int>(addresses.size())), &std::free);
    if (!names) return;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        text.append("  ").append(names.get()[i]).append("\n");
    }
}

}  // namespace anel::detail
#else
namespace anel::detail {

int native_stack(std::span<void*>) noexcept { return 0; }
void append_native_stack(std::string&, std::span<void* const>) {}

}  // namespace anel::detail
#endif
