// window.hpp: reads every account at the beginning and the end of the time that is measured.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "common/clocks.hpp"
#include "load/load.hpp"
#include "load/schedule.hpp"

namespace anel_bench {

class measured_window {
public:
    using clock = std::chrono::steady_clock;

    measured_window(const load_options& options, load_result& result)
        : options_(options), result_(result) {}

    void open();
    /// `due`: of an open loop; what it never came to is counted as offered and unsent.
    void close(const std::optional<schedule>& due);

    [[nodiscard]] bool is_open() const noexcept { return open_; }
    /// Whether a moment lies, or lay, within it.
    [[nodiscard]] bool contains(clock::time_point moment) const noexcept {
        return moment >= opened_ && moment < closed_;
    }
    [[nodiscard]] clock::time_point opened() const noexcept { return opened_; }

private:
    struct accounts {
        process_usage own;
        process_usage server;
        std::chrono::nanoseconds waited{0};
        std::int64_t switches = 0;
        cpu_time machine;
    };
    [[nodiscard]] accounts read() const;

    const load_options& options_;
    load_result& result_;
    bool open_ = false;
    clock::time_point opened_ = clock::time_point::max();
    clock::time_point closed_ = clock::time_point::max();
    accounts before_;
};

}  // namespace anel_bench
