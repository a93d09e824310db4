// report.hpp: collects the repetitions of all benchmarks and makes a table of pairs, with ratios.
//
// "anel/x" stands beside "asio/x"; a row is given the ratio of the two medians and its interval, so
// that the machine's speed on the day cancels out.
// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace anel_bench {

class pair_reporter final : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override;

    /// The rows that were measured, in the order of `names`.
    [[nodiscard]] std::string text(const std::vector<std::string>& names) const;
    [[nodiscard]] bool all_well() const noexcept { return errors_.empty(); }

private:
    struct figures {
        std::vector<double> ns;  // a repetition each
        double allocations = 0;  // of a pass, the highest of all repetitions
    };

    [[nodiscard]] const figures* find(const std::string& name) const;

    std::map<std::string, figures> figures_;
    std::string errors_;
};

}  // namespace anel_bench
