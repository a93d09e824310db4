// rounds.cpp: the slices of a duel, and which of them make pairs.
//
// See rounds.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/rounds.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/statistics.hpp"

namespace anel_bench {
namespace {

constexpr double waits_anyway = 0.1;  // of a slice
constexpr double times_usual = 2;
// Of the median of its start: so few requests that something stood still.
constexpr double rate_min = 0.5;

/// The meetings of one server in one start, and what is usual among them.
class contest {
public:
    contest(const duel_start& start, std::size_t who, double wait_max, double wait_max_of_reference)
        : wait_max_(wait_max), wait_max_of_reference_(wait_max_of_reference) {
        if (who == the_reference || who >= start.size()) return;
        meetings_ = &start[who];
        std::vector<double> own, reference;
        for (const meeting& one : *meetings_) {
            own.push_back(one.own.rate);
            reference.push_back(one.reference.rate);
        }
        usual_ = median(std::move(own));
        usual_of_reference_ = median(std::move(reference));
    }
    [[nodiscard]] std::size_t rounds() const { return meetings_ ? meetings_->size() : 0; }
    [[nodiscard]] bool disturbed(std::size_t round) const {
        if (!meetings_) return false;
        const meeting& one = (*meetings_)[round];
        return disturbed(one.own, usual_, wait_max_) ||
               disturbed(one.reference, usual_of_reference_, wait_max_of_reference_);
    }
    /// What it needs of the reference in one round.
    [[nodiscard]] double ratio(std::size_t round, double duel_slice::* which) const {
        if (!meetings_) return 1;
        const meeting& one = (*meetings_)[round];
        return one.own.*which / one.reference.*which;
    }

private:
    [[nodiscard]] static bool disturbed(const duel_slice& slice, double usual, double wait_max) {
        return slice.cpu_ns <= 0 || slice.unsent || slice.waited > wait_max ||
               slice.rate < rate_min * usual;
    }

    const std::vector<meeting>* meetings_ = nullptr;  // null: the reference
    double wait_max_, wait_max_of_reference_;
    double usual_ = 0, usual_of_reference_ = 0;
};

}  // namespace

double wait_bound(const std::vector<duel_start>& starts, std::size_t who) {
    std::vector<double> all;
    for (const duel_start& start : starts) {
        for (std::size_t other = 0; other < start.size(); ++other) {
            for (const meeting& one : start[other]) {
                if (who == the_reference) all.push_back(one.reference.waited);
                else if (who == other) all.push_back(one.own.waited);
            }
        }
    }
    return std::max(waits_anyway, times_usual * median(std::move(all)));
}

duel_figures figures_of(const std::vector<duel_start>& starts, std::size_t own, std::size_t other,
                        ended why) {
    duel_figures all;
    std::vector<std::vector<double>> rate_pairs, p99_pairs;
    const double most = wait_bound(starts, own), most_of_other = wait_bound(starts, other),
                 most_of_reference = wait_bound(starts, the_reference);
    for (const duel_start& start : starts) {
        const contest mine(start, own, most, most_of_reference),
            its(start, other, most_of_other, most_of_reference);
        auto& cpu = all.cpu_pairs.emplace_back();
        auto& rate = rate_pairs.emplace_back();
        auto& p99 = p99_pairs.emplace_back();
        std::size_t rounds = own == the_reference ? its.rounds() : mine.rounds();
        if (other != the_reference) rounds = std::min(rounds, its.rounds());
        for (std::size_t round = 0; round < rounds; ++round) {
            if (mine.disturbed(round) || its.disturbed(round)) {
                all.dropped += 1;
                continue;
            }
            const auto ratio = [&](double duel_slice::* which) {
                return mine.ratio(round, which) / its.ratio(round, which);
            };
            cpu.push_back(ratio(&duel_slice::cpu_ns));
            rate.push_back(ratio(&duel_slice::rate));
            // An open loop with a request in a slice may have none that was due in it.
            if (const double tail = ratio(&duel_slice::p99_ns); tail > 0 && std::isfinite(tail)) {
                p99.push_back(tail);
            }
        }
    }
    all.cpu = ratio_of_starts(all.cpu_pairs, why);
    all.rate = ratio_of_starts(rate_pairs, why);
    all.p99 = ratio_of_starts(p99_pairs, why);
    return all;
}

}  // namespace anel_bench
