// hook.hpp: a callable as an option: a function, or a lambda with a few references.
//
// It lies inside the option and is trivially destructible: options own nothing, because g++ 12
// destroys twice what owns memory in an expression with a co_await.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

namespace anel::detail {

template <class Signature>
class hook;

/// Empty, or a callable that returns nothing.
/// Lifetime  what a lambda captured by reference must outlive the hook.
template <class... Arguments>
class hook<void(Arguments...)> {
public:
    hook() noexcept = default;
    hook(std::nullptr_t) noexcept {}  // NOLINT: implicit on purpose
    template <class Function>
        requires(!std::same_as<Function, hook> && std::invocable<Function&, Arguments...>)
    hook(Function function) noexcept {  // NOLINT: implicit on purpose
        static_assert(std::is_trivially_copyable_v<Function> && sizeof(Function) <= room &&
                          alignof(Function) <= alignof(void*),
                      "anel: a hook owns nothing and has room for four pointers: give it a "
                      "function, or a lambda that captures by reference ([&])");
        if constexpr (std::is_pointer_v<Function>) {
            if (!function) return;
        }
        ::new (static_cast<void*>(callable_)) Function(function);
        call_ = [](std::byte* callable, Arguments... arguments) {
            std::invoke(*std::launder(reinterpret_cast<Function*>(callable)),
                        std::forward<Arguments>(arguments)...);
        };
    }

    [[nodiscard]] explicit operator bool() const noexcept { return call_ != nullptr; }
    void operator()(Arguments... arguments) const {
        call_(callable_, std::forward<Arguments>(arguments)...);
    }

private:
    static constexpr std::size_t room = 4 * sizeof(void*);
    void (*call_)(std::byte*, Arguments...) = nullptr;
    alignas(void*) mutable std::byte callable_[room]{};
};

}  // namespace anel::detail
