// interface_name.hpp: the name of a network interface, eth0 say, as options and calls take it.
//
// Trivially copyable, so that an option struct that holds one may stand beside a co_await.
// Must not know: which interfaces there are; the system finds that out when the name is used.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace anel {

/// The name of a network interface: `eth0`. Empty: none is asked for.
class interface_name {
public:
    /// The longest name, in bytes. Linux: IFNAMSIZ less its NUL.
    static constexpr std::size_t size_max = 15;

    /// No interface.
    constexpr interface_name() noexcept = default;
    /// Takes a name as it is; whether there is such an interface is found out when it is used.
    /// Errors  std::invalid_argument, which names it: longer than size_max, or with a NUL or '/'.
    constexpr interface_name(std::string_view name) {  // NOLINT: implicit on purpose
        if (name.size() > size_max || name.find('/') != name.npos || name.find('\0') != name.npos) {
            throw std::invalid_argument("interface \"" + std::string(name) +
                                        "\": a name has at most 15 bytes, and no '/' or NUL");
        }
        name.copy(text_.data(), name.size());
    }
    /// The same.
    constexpr interface_name(const char* name)  // NOLINT: implicit on purpose
        : interface_name(std::string_view(name)) {}

    /// The name; empty when no interface is asked for.
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_.data(); }
    /// Whether no interface is asked for.
    [[nodiscard]] constexpr bool empty() const noexcept { return text_[0] == '\0'; }
    /// Whether both are the same name.
    [[nodiscard]] constexpr bool operator==(const interface_name&) const noexcept = default;

private:
    std::array<char, size_max + 1> text_{};
};

}  // namespace anel
