// system.hpp: single numbers and lines out of /proc and /sys, where they can be read.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "doctor/parts.hpp"

namespace anel_bench::doctor {

inline constexpr const char* not_known = "not known";

/// A fact of `anel-bench env`; "not known" where the system does not expose it.
std::string fact(const facts& environment, std::string_view group, std::string_view name);

std::optional<std::string> line_of(const std::filesystem::path& file);
/// The number that a file, or a text, begins with.
std::optional<std::int64_t> number_of(const std::filesystem::path& file);
std::optional<std::int64_t> number_in(std::string_view text);
/// "net.core.somaxconn"
std::optional<std::int64_t> sysctl(std::string_view dotted);

std::string text_or_not_known(std::optional<std::int64_t> number);

/// A field of /proc/self/status: "Seccomp".
std::optional<std::string> status_of(std::string_view field);

/// Whether this process has a capability that counts for the kernel as a whole, which it does not
/// in a user namespace of its own.
bool has_capability(unsigned number);

/// "docker", "podman", "kubernetes", what systemd calls it, or "none seen".
std::string container_of(const facts& environment);

}  // namespace anel_bench::doctor
