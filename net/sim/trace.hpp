// trace.hpp: the record of a run, folded into 64 bits.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/random.hpp"

#include <anel/sim.hpp>

#include <cstdint>
#include <vector>

namespace anel::sim {

/// What trace_record::what holds: below 64 an event_kind, then an opcode, then others.
inline constexpr std::uint32_t trace_opcode = 64;
inline constexpr std::uint32_t trace_fault = 128;
inline constexpr std::uint32_t trace_turn = 192;

class recorder {
public:
    static constexpr std::size_t kept_always = 256;

    explicit recorder(bool keep_all) : keep_all_(keep_all) {}

    void add(const trace_record& line) {
        hash_ = mixed(hash_ ^ static_cast<std::uint64_t>(line.at));
        hash_ = mixed(hash_ ^ (std::uint64_t{line.what} << 32 | line.host));
        hash_ = mixed(hash_ ^ (std::uint64_t{static_cast<std::uint32_t>(line.descriptor)} << 32 |
                               static_cast<std::uint32_t>(line.result)));
        hash_ = mixed(hash_ ^ line.size);
        if (keep_all_ || lines_.size() < kept_always) lines_.push_back(line);
        else lines_[count_ % kept_always] = line;
        count_ += 1;
    }

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::vector<trace_record> lines() const;

private:
    std::uint64_t hash_ = 0;
    std::uint64_t count_ = 0;
    bool keep_all_;
    std::vector<trace_record> lines_;
};

}  // namespace anel::sim
