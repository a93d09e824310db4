// system.cpp: reading small files of the kernel's.
//
// SPDX-License-Identifier: MIT
#include "doctor/system.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>

namespace anel_bench::doctor {

std::string fact(const facts& environment, std::string_view group, std::string_view name) {
    for (const auto& one : environment) {
        if (one.name != group) continue;
        for (const auto& [key, value] : one.facts) {
            if (key == name) return value == "not exposed" ? not_known : value;
        }
    }
    return not_known;
}

std::optional<std::string> line_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line)) return std::nullopt;
    return line;
}

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    return number;
}

std::optional<std::int64_t> number_of(const std::filesystem::path& file) {
    return number_in(line_of(file).value_or(""));
}

std::optional<std::int64_t> sysctl(std::string_view dotted) {
    std::string path(dotted);
    std::replace(path.begin(), path.end(), '.', '/');
    return number_of("/proc/sys/" + path);
}

std::string text_or_not_known(std::optional<std::int64_t> number) {
    return number ? std::to_string(*number) : not_known;
}

std::optional<std::string> status_of(std::string_view field) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(field) || line.substr(field.size(), 2) != ":\t") continue;
        return line.substr(field.size() + 2);
    }
    return std::nullopt;
}

bool has_capability(unsigned number) {
    // The first user namespace maps every number to itself: 4294967295 of them, user_namespaces(7).
    const std::string mapped = line_of("/proc/self/uid_map").value_or("");
    if (!mapped.ends_with(" 4294967295")) return false;
    const std::string effective = status_of("CapEff").value_or("");
    std::uint64_t bits = 0;
    std::from_chars(effective.data(), effective.data() + effective.size(), bits, 16);
    return (bits >> number & 1U) != 0;
}

std::string container_of(const facts& environment) {
    if (std::getenv("KUBERNETES_SERVICE_HOST")) return "kubernetes";
    // Written by docker and podman themselves, and by systemd-nspawn, LXC and WSL for systemd.
    const std::string seen = fact(environment, "machine", "container");
    if (seen != "none seen") return seen;
    return line_of("/run/systemd/container").value_or(seen);
}

}  // namespace anel_bench::doctor
