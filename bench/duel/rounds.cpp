// rounds.cpp: the slices of a duel, and which of them make pairs.
//
// See rounds.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/rounds.hpp"

#include <algorithm>
#include <utility>

#include "common/statistics.hpp"

namespace anel_bench {
namespace {

constexpr double waits_anyway = 0.1;  // of a slice
constexpr double times_usual = 2;
// Of the median of its start: so few requests that something stood still.
constexpr double rate_min = 0.5;

}  // namespace

double wait_bound(const std::vector<duel_start>& starts) {
    std::vector<double> all;
    for (const duel_start& start : starts) {
        for (const duel_round& round : start) {
            for (const duel_slice& slice : round) all.push_back(slice.waited);
        }
    }
    return std::max(waits_anyway, times_usual * median(std::move(all)));
}

duel_figures figures_of(const std::vector<duel_start>& starts, duelist which, ended why) {
    duel_figures all;
    std::vector<std::vector<double>> rate_pairs;
    const double most = wait_bound(starts);
    for (const duel_start& start : starts) {
        const auto usual_rate = [&](duelist one) {
            std::vector<double> rates;
            for (const duel_round& round : start) rates.push_back(round[one].rate);
            return median(std::move(rates));
        };
        const double usual_a = usual_rate(duelist_a), usual = usual_rate(which);
        const auto disturbed = [&](const duel_slice& slice, double usual_of_it) {
            return slice.cpu_ns <= 0 || slice.unsent || slice.waited > most ||
                   slice.rate < rate_min * usual_of_it;
        };
        auto& cpu = all.cpu_pairs.emplace_back();
        auto& rate = rate_pairs.emplace_back();
        for (const duel_round& round : start) {
            if (disturbed(round[duelist_a], usual_a) || disturbed(round[which], usual)) {
                all.dropped += 1;
                continue;
            }
            cpu.push_back(round[which].cpu_ns / round[duelist_a].cpu_ns);
            rate.push_back(round[which].rate / round[duelist_a].rate);
        }
    }
    all.cpu = ratio_of_starts(all.cpu_pairs, why);
    all.rate = ratio_of_starts(rate_pairs, why);
    return all;
}

}  // namespace anel_bench
