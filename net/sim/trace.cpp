// trace.cpp: a run's record in words.
// SPDX-License-Identifier: MIT
#include "net/sim/trace.hpp"

#include "net/sim/event_queue.hpp"

#include <anel/detail/operation.hpp>
#include <anel/error.hpp>

#include <algorithm>

namespace anel::sim {
using namespace detail;
namespace {

const char* name_of_event(event_kind kind) noexcept {
    switch (kind) {
        case event_kind::wake: return "wake";
        case event_kind::segment: return "segment";
        case event_kind::look: return "window";
        case event_kind::syn: return "syn";
        case event_kind::established: return "syn-ack";
        case event_kind::refused: return "refused";
        case event_kind::reset: return "reset";
        case event_kind::datagram: return "datagram";
        case event_kind::unreachable: return "unreachable";
        case event_kind::call: return "call";
        case event_kind::restart: return "restart";
        case event_kind::mishap: return "mishap";
    }
    return "?";
}

const char* name_of_line(std::uint32_t what) noexcept {
    if (what >= trace_turn) return "turn";
    if (what >= trace_fault) return name_of(static_cast<fault>(what - trace_fault));
    if (what >= trace_opcode) return detail::name_of(static_cast<opcode>(what - trace_opcode));
    return name_of_event(static_cast<event_kind>(what));
}

}  // namespace

const char* name_of(fault kind) noexcept {
    static constexpr std::array<const char*, fault_count> names{
        "slow_segment",
        "split_segment",
        "connection_reset",
        "half_open",
        "slow_receiver",
        "small_buffers",
        "connect_refused",
        "connect_delayed",
        "connection_aborted",
        "datagram_lost",
        "datagram_doubled",
        "datagram_late",
        "short_read",
        "short_write",
        "late_completion",
        "spurious_wake",
        "no_descriptors",
        "no_buffers",
        "lookup_failed",
        "lookup_slow",
        "lookup_changed",
        "partition",
        "one_way_partition",
        "clog",
        "pause",
        "crash",
    };
    return kind < fault::count_ ? names[static_cast<std::size_t>(kind)] : "?";
}

std::string trace_record::print() const {
    std::string text = std::to_string(at / 1'000'000'000) + ".";
    const std::string fraction = std::to_string(at % 1'000'000'000);
    text.append(9 - fraction.size(), '0').append(fraction);
    text.append(" host ").append(std::to_string(host)).append(" ").append(name_of_line(what));
    if (descriptor >= 0) text.append(" fd ").append(std::to_string(descriptor));
    if (size > 0) text.append(" size ").append(std::to_string(size));
    const std::string_view error = result < 0 ? errno_name(-result) : std::string_view();
    text.append(" -> ").append(error.empty() ? std::to_string(result) : std::string(error));
    return text;
}

std::vector<trace_record> recorder::lines() const {
    std::vector<trace_record> ordered = lines_;
    if (!keep_all_ && count_ > kept_always) {
        const auto oldest = static_cast<std::ptrdiff_t>(count_ % kept_always);
        std::rotate(ordered.begin(), ordered.begin() + oldest, ordered.end());
    }
    return ordered;
}

}  // namespace anel::sim
