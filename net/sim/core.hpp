// core.hpp: what every part of a simulated world shares: time, chance, events, the record.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/event_queue.hpp"
#include "net/sim/packet_log.hpp"
#include "net/sim/random.hpp"
#include "net/sim/trace.hpp"

#include <anel/detail/operation.hpp>
#include <anel/sim.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace anel::sim {
using namespace detail;

struct core {
    core(std::uint64_t from, const world_options& how)
        : seed(from),
          options(how),
          rates(how.rates),
          faults(from, 1),
          order(from, 2),
          packets(from, 3),
          choices(from, 4),
          record(how.keep_trace),
          seen(how.keep_trace),
          tick(how.first_in_first_out ? 75U : 50U + order.below(51U)) {}

    /// True when `kind` happens now.
    bool happens(fault kind) noexcept {
        if (!faults.chance(rates[kind])) return false;
        note(kind);
        return true;
    }
    void note(fault kind, std::uint32_t host = 0) {
        hits[static_cast<std::size_t>(kind)] += 1;
        log(host, trace_fault + static_cast<std::uint32_t>(kind), -1, 0, 0);
    }

    void schedule(time_point at, event_kind kind, std::uint32_t target,
                  std::uint32_t generation = 0, std::uint32_t extra = 0) {
        const auto priority =
            options.first_in_first_out ? 0U : static_cast<std::uint32_t>(order.next() >> 40);
        events.push({at < now ? now : at, now, 0, target, generation, extra, kind}, priority);
    }

    void log(std::uint32_t host, std::uint32_t what, std::int32_t fd, std::uint64_t size,
             std::int32_t result) {
        record.add({now.time_since_epoch().count(), host, what, fd, result, size});
    }
    void log(std::uint32_t host, const operation& op) {
        operations += !finishes_inline(op.code);
        log(host, trace_opcode + static_cast<std::uint32_t>(op.code), op.fd, op.size, op.result);
    }

    std::uint64_t seed;
    world_options options;
    fault_rates rates;
    random_stream faults;
    random_stream order;    // of tasks, completions, simultaneous events
    random_stream packets;  // latencies, sizes of segments, ports
    random_stream choices;  // the test's own
    recorder record;
    packet_log seen;
    event_queue events;
    time_point now{};
    std::uint64_t tick;  // nanoseconds that a resume takes, so that a program that spins gets older
    std::array<std::uint64_t, fault_count> hits{};
    std::uint64_t operations = 0;
    std::string failed;  // why the run fails; the first reason
};

}  // namespace anel::sim
