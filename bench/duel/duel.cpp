// duel.cpp: two servers that live side by side, asked in turn for a short slice each.
//
// See duel.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/duel.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <utility>

#include "common/progress.hpp"
#include "common/text.hpp"
#include "common/topology.hpp"
#include "duel/start.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto warmup_min = 200ms;      // of each server, in one piece
constexpr std::size_t rounds_max = 10;  // of a start: then another says more than another round
constexpr auto counting = 300ms;

class duellist {
public:
    duellist(const duel_options& options, const interrupts& ctrl_c)
        : options_(options),
          ctrl_c_(ctrl_c),
          places_(plan_placement()),
          order_(options.seed),
          line_(options.time) {
        const contestant a = find_contestant(options.a, options.load);
        plan_.servers = {a, find_contestant(options.b, options.load), a};
        plan_.load = options.load;
        plan_.slice = options.slice;
        plan_.warmup = std::max<std::chrono::nanoseconds>(options.slice, warmup_min);
        plan_.rounds = rounds();
    }

    duel_result run() {
        while (!result_.narrow && !time_is_up()) {
            one_start();
            const auto look = figures_of(result_.starts, duelist_b, duelist_a, ended::narrow).cpu;
            result_.narrow = look.starts >= options_.starts && look.reach() <= options_.within;
        }
        const ended why = result_.narrow ? ended::narrow : ended::in_time;
        result_.b = figures_of(result_.starts, duelist_b, duelist_a, why);
        result_.again = figures_of(result_.starts, duelist_again, duelist_a, why);
        result_.took = clock::now() - began_;
        if (options_.causes && result_.b.cpu.starts > 0) find_causes();
        return std::move(result_);
    }

private:
    [[nodiscard]] bool time_is_up() const { return clock::now() >= began_ + options_.time; }
    /// So many that the starts wanted fit into the time.
    [[nodiscard]] std::size_t rounds() const {
        start_plan one = plan_;
        const auto none = expected(one);
        one.rounds = 1;
        const auto fit = (options_.time / static_cast<std::int64_t>(options_.starts) - none) /
                         (expected(one) - none);
        return static_cast<std::size_t>(std::clamp<std::int64_t>(
            fit, static_cast<std::int64_t>(pairs_of_start_min), rounds_max));
    }

    start_result play(const start_plan& plan, const std::string& what) {
        line_.step(what, expected(plan));
        start_result played =
            play_start(plan, places_, order_, [this] { return time_is_up(); }, ctrl_c_);
        for (const std::string& error : played.errors) {
            if (!error.empty()) throw std::runtime_error(error);
        }
        return played;
    }
    void one_start() {
        start_result played = play(plan_, format("start %zu", result_.starts.size() + 1));
        result_.starts.push_back(std::move(played.meetings));
        for (std::size_t who = 0; who < lives_.size(); ++who) {
            lives_[who].push_back(std::move(played.lives[who]));
        }
    }

    void find_causes() {
        start_plan watched = plan_;
        watched.servers.resize(2);
        watched.rounds = 0;
        watched.counting = counting;
        const start_result counted = play(watched, "system calls");
        std::array<request_costs, 2> costs{
            costs_of(lives_[duelist_a], counted.counts[duelist_a], options_.load),
            costs_of(lives_[duelist_b], counted.counts[duelist_b], options_.load)};
        for (std::size_t who = 0; who < costs.size(); ++who) {
            if (costs[who].user_instructions) continue;
            const contestant& server = plan_.servers[who];
            line_.step("instructions: " + server.name, 5s);
            costs[who].user_instructions =
                count_instructions(server, options_.load, places_, ctrl_c_);
            costs[who].instructions_with = "callgrind";
        }
        result_.causes = duel_causes{costs[duelist_a], costs[duelist_b], result_.b.cpu.ratio,
                                     prices_of(places_, ctrl_c_)};
    }

    const duel_options& options_;
    const interrupts& ctrl_c_;
    placement places_;
    start_plan plan_;
    std::mt19937_64 order_;
    progress line_;
    clock::time_point began_ = clock::now();
    std::array<std::vector<server_life>, duelists> lives_;  // by start
    duel_result result_;
};

}  // namespace

duel_result run_duel(const duel_options& options, const interrupts& ctrl_c) {
    check_load(options.load);
    return duellist(options, ctrl_c).run();
}

}  // namespace anel_bench
