// packet_log.hpp: a run as it can be drawn: packets, faults, and what each host's loop did.
//
// Nothing here has a part in what happens, nor in the hash of a run. Empty unless a record is kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>
#include <anel/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel::sim {
using namespace detail;

struct packet {
    time_point sent;
    time_point arrives;
    const char* kind;  // syn, data, datagram …
    std::uint32_t from;
    std::uint32_t to;
    std::uint64_t bytes;
    std::pair<std::uint16_t, std::uint16_t> ports;
    const char* fate;  // arrives, lost, blocked, doubled, late
};

class packet_log {
public:
    explicit packet_log(bool on) noexcept : on_(on) {}
    [[nodiscard]] bool on() const noexcept { return on_; }

    void add(const packet& one) {
        if (on_) packets_.push_back(one);
    }
    /// `until`: never, for one that heal() or nobody ends.
    void add_fault(time_point at, time_point until, std::string_view kind,
                   std::vector<std::uint32_t> hosts);
    /// Cuts and clogs end.
    void heal(time_point at) noexcept;
    /// The first one counts.
    void fail(time_point at, std::string_view why);
    /// Takes over what the loop of a host has recorded, which ends its record.
    void take(loop& of, std::uint32_t host);

    /// All of it, as JSON for anel-trace. `hosts`: name and addresses of each.
    [[nodiscard]] std::string
    print(std::uint64_t seed, const std::vector<std::pair<std::string, std::string>>& hosts) const;

private:
    struct fault_seen {
        time_point at;
        time_point until;
        std::string kind;
        std::vector<std::uint32_t> hosts;
    };
    void append_network(std::string& text) const;
    void append_faults(std::string& text) const;

    bool on_;
    std::vector<packet> packets_;
    std::vector<fault_seen> faults_;
    struct event_seen {
        std::int64_t at;
        std::size_t order;  // of those at the same time
        std::string line;
    };
    std::vector<event_seen> events_;
    std::uint64_t overwritten_ = 0;
    time_point failed_at_{};
    std::string failed_;
};

}  // namespace anel::sim
