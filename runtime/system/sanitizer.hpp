// sanitizer.hpp: what the sanitizers must be told, and can be asked, about what the kernel does.
//
// AddressSanitizer does not see the kernel write: a receive into a freed buffer passes unnoticed.
// So every buffer is tested at both ends of its operation's flight.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define ANEL_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ANEL_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define ANEL_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ANEL_THREAD_SANITIZER 1
#endif
#endif

#ifdef ANEL_THREAD_SANITIZER
#include <poll.h>
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

#ifdef ANEL_VALGRIND
#include <valgrind/memcheck.h>
#endif

#ifdef ANEL_ADDRESS_SANITIZER
extern "C" void* __asan_region_is_poisoned(void* begin, std::size_t size);
extern "C" void __asan_poison_memory_region(const volatile void* begin, std::size_t size);
extern "C" void __asan_unpoison_memory_region(const volatile void* begin, std::size_t size);
#endif

namespace anel::detail {

#ifdef ANEL_ADDRESS_SANITIZER
inline constexpr bool address_sanitizer = true;
/// True when any of these bytes may not be touched any more.
inline bool poisoned(void* data, std::size_t size) noexcept {
    return data && size > 0 && __asan_region_is_poisoned(data, size) != nullptr;
}
/// From now on nobody may touch these bytes, until unpoison().
inline void poison(void* data, std::size_t size) noexcept {
    __asan_poison_memory_region(data, size);
}
inline void unpoison(void* data, std::size_t size) noexcept {
    __asan_unpoison_memory_region(data, size);
}
#else
inline constexpr bool address_sanitizer = false;
inline bool poisoned(void*, std::size_t) noexcept { return false; }
inline void poison(void*, std::size_t) noexcept {}
inline void unpoison(void*, std::size_t) noexcept {}
#endif

// A mapping made or dropped by a bare system call. ThreadSanitizer did not see it; without these
// two it takes a new mapping at an old address for memory that two threads share. liburing alone
// knows where its mappings are: all that was done with rings before comes before the new one.
inline constexpr char any_mapping = 0;
inline void mapped([[maybe_unused]] const void* address = &any_mapping) noexcept {
#ifdef ANEL_THREAD_SANITIZER
    __tsan_acquire(const_cast<void*>(address));
#endif
}
inline void about_to_unmap([[maybe_unused]] const void* address = &any_mapping) noexcept {
#ifdef ANEL_THREAD_SANITIZER
    __tsan_release(const_cast<void*>(address));
#endif
}

// valgrind knows what each system call writes, and nothing of a ring: it would take received bytes
// for bytes that nobody has set.
#ifdef ANEL_VALGRIND
inline constexpr bool memcheck = true;
inline void written_by_kernel(const void* data, std::size_t size) noexcept {
    VALGRIND_MAKE_MEM_DEFINED(data, size);
}
#else
inline constexpr bool memcheck = false;
inline void written_by_kernel(const void*, std::size_t) noexcept {}
#endif

// ThreadSanitizer keeps a signal back until the thread makes a call that it intercepts. A bare
// system call is none: a loop that sleeps in one looks up now and then and makes such a call.
#ifdef ANEL_THREAD_SANITIZER
inline constexpr bool keeps_signals_back = true;
inline void let_signals_through() noexcept { ::poll(nullptr, 0, 0); }
#else
inline constexpr bool keeps_signals_back = false;
inline void let_signals_through() noexcept {}
#endif

}  // namespace anel::detail
