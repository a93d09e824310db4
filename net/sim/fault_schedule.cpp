// fault_schedule.cpp: which faults a seed brings, how often, and those that come over hosts and
// links.
//
// A run with every fault at once shows little: most programs then do nothing but fail. So each seed
// draws a subset, and for each of them how often it happens, from seldom to very often.
// SPDX-License-Identifier: MIT
#include "net/sim/network.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

constexpr duration mishap_interval = 100ms;

/// Those that come over hosts and links, at any time.
constexpr std::array mishaps{fault::partition, fault::one_way_partition, fault::clog, fault::pause,
                             fault::crash};

/// The most often, in a million, that each fault happens in a swarm.
constexpr std::array<std::uint32_t, fault_count> most_often{
    100'000,  // slow_segment
    500'000,  // split_segment
    300'000,  // connection_reset: of the directions of connections
    100'000,  // half_open
    100'000,  // slow_receiver
    500'000,  // small_buffers
    200'000,  // connect_refused
    200'000,  // connect_delayed
    200'000,  // connection_aborted
    300'000,  // datagram_lost
    200'000,  // datagram_doubled
    300'000,  // datagram_late
    500'000,  // short_read
    500'000,  // short_write
    500'000,  // late_completion
    100'000,  // spurious_wake
    100'000,  // no_descriptors
    50'000,   // no_buffers
    300'000,  // lookup_failed
    300'000,  // lookup_slow
    300'000,  // lookup_changed
    200'000,  // partition
    200'000,  // one_way_partition
    200'000,  // clog
    200'000,  // pause
    200'000,  // crash
};

}  // namespace

void network::draw_swarm() {
    random_stream draw(core_.seed, 5);
    const bool calm = draw.below(16) == 0;  // now and then nothing at all goes wrong
    for (std::size_t i = 0; i < fault_count; ++i) {
        const bool wanted = draw.below(2) == 0;
        const std::uint32_t rate = most_often[i] >> draw.below(8);
        core_.rates[static_cast<fault>(i)] = wanted && !calm ? rate : 0;
    }
}

void network::stop_faults() {
    faults_on_ = false;
    core_.rates = fault_rates();
    for (const auto& each : machines_) {
        if (std::exchange(each->paused_until, core_.now) > core_.now) has_work(*each);
        // Whom the swarm has crashed comes back: only then can the others finish.
        if (each->down && each->comes_back) want_restart(*each);
    }
    heal();
}

void network::heal() {
    core_.seen.heal(core_.now);
    links_.heal();
    streams_.stop_striking();
}

void network::begin_mishaps() {
    faults_on_ = true;
    for (const fault kind : mishaps) {
        if (core_.rates[kind] == 0) continue;
        return core_.schedule(core_.now + mishap_interval, event_kind::mishap, 0);
    }
}

void network::mishap() {
    if (!faults_on_) return;
    for (const fault kind : mishaps) {
        if (machines_.size() > 1 && core_.faults.chance(core_.rates[kind])) begin_mishap(kind);
    }
    core_.schedule(core_.now + mishap_interval, event_kind::mishap, 0);
}

void network::begin_mishap(fault kind) {
    random_stream& draw = core_.faults;
    const auto hosts = static_cast<std::uint32_t>(machines_.size());
    const std::uint32_t one = draw.below(hosts);
    const std::uint32_t other = (one + 1 + draw.below(hosts - 1)) % hosts;
    const duration lasts = 1ms * static_cast<std::int64_t>(draw.any_magnitude(10'000U));
    machine& host = *machines_[one];
    if (kind == fault::crash) {
        if (!host.may_restart || host.must_end || host.down || !host.root) return;
        want_crash(host);
        host.comes_back = true;
        core_.schedule(core_.now + lasts, event_kind::restart, one);
        return;
    }
    core_.note(kind, one);
    const time_point ends = core_.now + lasts;
    if (kind == fault::pause) {
        core_.seen.add_fault(core_.now, ends, name_of(kind), {one});
        host.paused_until = std::max(host.paused_until, core_.now + lasts);
    } else if (kind == fault::clog) {
        core_.seen.add_fault(core_.now, ends, name_of(kind), {one, other});
        links_.between(one, other).held_until = core_.now + lasts;
    } else if (kind == fault::one_way_partition) {
        core_.seen.add_fault(core_.now, ends, name_of(kind), {one, other});
        links_.between(one, other).cut = true;
        call_at(core_.now + lasts, [this, one, other] { links_.between(one, other).cut = false; });
    } else {
        // Each host on one of two sides.
        std::vector<bool> side;
        for (std::uint32_t i = 0; i < hosts; ++i) side.push_back(draw.below(2) == 0);
        side[one] = true;
        side[other] = false;
        const auto cut = [this, side, hosts](bool on) {
            for (std::uint32_t from = 0; from < hosts; ++from) {
                for (std::uint32_t to = 0; to < hosts; ++to) {
                    if (side[from] != side[to]) links_.between(from, to).cut = on;
                }
            }
        };
        std::vector<std::uint32_t> on_one_side;
        for (std::uint32_t i = 0; i < hosts; ++i) {
            if (side[i]) on_one_side.push_back(i);
        }
        core_.seen.add_fault(core_.now, ends, name_of(kind), std::move(on_one_side));
        cut(true);
        call_at(core_.now + lasts, [cut] { cut(false); });
    }
}

}  // namespace anel::sim
