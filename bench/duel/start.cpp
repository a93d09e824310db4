// start.cpp: one start of some servers: all live at once and are asked in turn.
//
// See start.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/start.hpp"

#include <algorithm>
#include <exception>
#include <memory>

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t others_in_heat = 3;
constexpr auto starting = 40ms;          // a server, without its connections
constexpr auto connecting = 40us;        // for each connection
constexpr auto around_slice = 5ms;       // falling asleep, accounts
constexpr auto around_counting = 400ms;  // attaching perf

std::size_t heats_of(std::size_t others) { return (others + others_in_heat - 1) / others_in_heat; }

class stage {
public:
    stage(const start_plan& plan, const placement& places, std::mt19937_64& order,
          const interrupts& ctrl_c)
        : plan_(plan), order_(order) {
        result_.errors.resize(plan.servers.size());
        result_.meetings.resize(plan.servers.size());
        result_.lives.resize(plan.servers.size());
        result_.counts.resize(plan.servers.size());
        all_.resize(plan.servers.size());
        for (std::size_t who = 0; who < all_.size(); ++who) {
            attempt(who, [&] {
                all_[who] =
                    std::make_unique<living_server>(plan.servers[who], plan.load, places, ctrl_c);
            });
        }
        for (std::size_t who = 0; who < all_.size(); ++who) {
            attempt(who, [&] { all_[who]->slice(plan_.warmup); });
            attempt(who, [&] { all_[who]->begin_life(); });
        }
    }
    [[nodiscard]] bool goes_on() const { return result_.errors[the_reference].empty(); }

    void round() {
        std::vector<std::size_t> others;
        for (std::size_t who = 1; who < all_.size(); ++who) {
            if (result_.errors[who].empty()) others.push_back(who);
        }
        std::shuffle(others.begin(), others.end(), order_);
        const std::size_t heats = heats_of(others.size());
        for (std::size_t n = 0; n < heats && goes_on(); ++n) {
            std::vector<std::size_t> turn{the_reference};
            for (std::size_t i = n; i < others.size(); i += heats) turn.push_back(others[i]);
            heat(turn);
        }
    }

    start_result end() {
        for (std::size_t who = 0; who < all_.size(); ++who) {
            attempt(who, [&] { result_.lives[who] = all_[who]->end_life(); });
            if (plan_.counting == 0ns || !result_.errors[who].empty()) continue;
            try {
                result_.counts[who] = all_[who]->count_calls(plan_.counting);
            } catch (const std::exception&) {
                // What fails while it is watched says nothing of what it did before.
            }
        }
        for (std::size_t who = 0; who < all_.size(); ++who) {
            attempt(who, [&] { all_[who]->stop(); });
            for (meeting& one : result_.meetings[who]) {
                one.own.cpu_ns += result_.lives[who].interrupts_ns;
                one.reference.cpu_ns += result_.lives[the_reference].interrupts_ns;
            }
        }
        return std::move(result_);
    }

private:
    void heat(std::vector<std::size_t> turn) {
        std::shuffle(turn.begin(), turn.end(), order_);
        std::vector<duel_slice> slices(all_.size());
        for (const std::size_t who : turn) {
            attempt(who, [&] { slices[who] = all_[who]->slice(plan_.slice); });
        }
        if (!goes_on()) return;
        for (const std::size_t who : turn) {
            if (who == the_reference || !result_.errors[who].empty()) continue;
            result_.meetings[who].push_back({slices[who], slices[the_reference]});
        }
    }

    /// One that fails is gone for good, with what it did.
    template <class Step>
    void attempt(std::size_t who, const Step& step) {
        if (!result_.errors[who].empty()) return;
        try {
            step();
        } catch (const std::exception& error) {
            result_.errors[who] = error.what();
            result_.meetings[who].clear();
            all_[who].reset();
        }
    }

    const start_plan& plan_;
    std::mt19937_64& order_;
    std::vector<std::unique_ptr<living_server>> all_;
    start_result result_;
};

}  // namespace

std::chrono::nanoseconds expected(const start_plan& plan) {
    const auto servers = static_cast<std::int64_t>(plan.servers.size());
    const auto connections =
        static_cast<std::int64_t>(plan.load.connections + plan.load.idle + plan.load.slow);
    const auto slices = static_cast<std::int64_t>(
        plan.rounds * (plan.servers.size() - 1 + heats_of(plan.servers.size() - 1)));
    const auto counting = plan.counting > 0ns ? plan.counting + around_counting : 0ns;
    return servers * (starting + connections * connecting + plan.warmup + counting) +
           slices * (plan.slice + around_slice);
}

start_result play_start(const start_plan& plan, const placement& places, std::mt19937_64& order,
                        const std::function<bool()>& enough, const interrupts& ctrl_c) {
    stage all(plan, places, order, ctrl_c);
    for (std::size_t n = 0; n < plan.rounds && all.goes_on() && !enough(); ++n) all.round();
    return all.end();
}

}  // namespace anel_bench
