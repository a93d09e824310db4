// links.hpp: the ways between hosts: how long packets take, and whether they arrive.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/core.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace anel::sim {

/// The way from one host to another; the way back is another one.
struct link {
    duration latency_min{};
    duration latency_max{};
    std::uint64_t bandwidth = 0;
    time_point free_at{};  // when the last packet has left, with a bandwidth
    bool cut = false;
    time_point held_until{};
};

class link_table {
public:
    explicit link_table(core& shared) : core_(shared) {}

    void add_host() {
        for (auto& row : rows_) row.push_back(usual());
        rows_.emplace_back(rows_.size() + 1, usual());
    }
    link& between(std::uint32_t from, std::uint32_t to) { return rows_[from][to]; }

    /// When a packet that leaves now arrives.
    time_point arrival(std::uint32_t from, std::uint32_t to, std::uint64_t bytes = 0) {
        link& way = between(from, to);
        time_point leaves = core_.now;
        if (way.bandwidth > 0) {
            leaves = std::max(leaves, way.free_at);
            const std::uint64_t time = bytes * 1'000'000'000 / way.bandwidth;
            way.free_at = leaves + duration(static_cast<std::int64_t>(time));
        }
        return leaves + core_.packets.between(way.latency_min, way.latency_max);
    }
    /// When a packet that is due now may arrive: now, or later when the link is clogged.
    time_point released(std::uint32_t from, std::uint32_t to) {
        // Looked at again and again, because heal() may come at any time.
        const time_point until = between(from, to).held_until;
        return until <= core_.now ? core_.now
                                  : std::min(until, core_.now + std::chrono::milliseconds(50));
    }

    void heal() {
        for (auto& row : rows_) {
            for (link& way : row) {
                way.cut = false;
                way.held_until = core_.now;
            }
        }
    }
    [[nodiscard]] std::uint32_t hosts() const noexcept {
        return static_cast<std::uint32_t>(rows_.size());
    }

private:
    [[nodiscard]] link usual() const {
        link way;
        way.latency_min = core_.options.latency_min;
        way.latency_max = std::max(core_.options.latency_min, core_.options.latency_max);
        way.bandwidth = core_.options.bandwidth;
        return way;
    }

    core& core_;
    std::vector<std::vector<link>> rows_;
};

}  // namespace anel::sim
