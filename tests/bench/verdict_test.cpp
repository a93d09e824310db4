// verdict_test.cpp: what a comparison concludes: ties, losses, knees, the answer, causes.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compare/summary.hpp"
#include "duel/causes.hpp"
#include "duel/duel_report.hpp"
#include "load/load_report.hpp"
#include "report/answer.hpp"
#include "run/saturation.hpp"

namespace {

using namespace anel_bench;
using namespace std::chrono_literals;

/// A run of one second in which nothing else happened: `cpu` and `p99` are of a request.
run_result run(std::uint64_t requests, std::chrono::nanoseconds cpu,
               std::chrono::nanoseconds p99 = 100us) {
    run_result made;
    made.load.requests = requests;
    made.load.elapsed = 1s;
    made.load.spare = 500ms;
    made.load.server_cpu = cpu * requests;
    for (int i = 0; i < 100; ++i) made.load.latency.record(p99);
    return made;
}

/// A server of which each slice shows the same.
struct steady {
    const char* name;
    double cpu_ns = 4000;
    double rate = 1000;
    double p99_ns = 100'000;
    void (*change)(server_life&) = nullptr;
};

server_life life_of(const steady& one) {
    server_life life;
    life.load = run(1000, std::chrono::nanoseconds(static_cast<int>(one.cpu_ns))).load;
    life.cpu_ns = {one.cpu_ns};
    life.rates = {one.rate};
    if (one.change != nullptr) one.change(life);
    return life;
}

/// Five starts, whose pairs differ by a thousandth from start to start. The first server is the
/// reference; the floor is what its repetition shows.
measured_cell cell(load_mode mode, std::vector<steady> servers, double floor = 0.001) {
    measured_cell made;
    made.work.name = "a load";
    made.work.load.mode = mode;
    servers.push_back(servers.front());
    servers.back().cpu_ns *= 1 + floor;
    const duel_slice reference{
        .cpu_ns = servers[0].cpu_ns, .rate = servers[0].rate, .p99_ns = servers[0].p99_ns};
    for (const steady& one : servers) {
        measured_server& server = made.servers.emplace_back();
        server.spec.name = one.name;
        server.lives.assign(5, life_of(one));
    }
    made.servers.back().reference_again = true;
    for (int n = 0; n < 5; ++n) {
        duel_start& start = made.starts.emplace_back(servers.size());
        const double wanders = 1 + 0.0005 * (n - 2);
        for (std::size_t who = 1; who < servers.size(); ++who) {
            const steady& one = servers[who];
            const duel_slice own{.cpu_ns = one.cpu_ns * wanders,
                                 .rate = one.rate * wanders,
                                 .p99_ns = one.p99_ns * wanders};
            start[who].assign(3, {own, reference});
        }
    }
    return made;
}

const steady uring{"uring"};
const steady same{"epoll", 4001};
const steady cheaper{"epoll", 3000};

void wait_for_cpu(server_life& life) { life.load.own_waited = 300ms; }
void use_all_of_core(server_life& life) {
    life.load.own_cpu = life.load.elapsed;
    life.load.spare = 0s;
}

TEST(verdict, an_interval_that_holds_1_is_a_tie) {
    const auto all = cell(load_mode::closed, {uring, same});
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 2U);
}

TEST(verdict, a_loss_is_found_and_has_its_size) {
    const auto lost = losses_of(cell(load_mode::closed, {uring, cheaper}));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].what, "CPU a request");
    EXPECT_EQ(lost[0].other, "epoll");
    EXPECT_NEAR(lost[0].factor, 4.0 / 3, 0.01);
}

TEST(verdict, what_is_below_the_noise_floor_is_a_tie) {
    const steady less{"epoll", 3800};
    EXPECT_EQ(losses_of(cell(load_mode::closed, {uring, less})).size(), 1U);
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {uring, less}, 0.06)).empty());
}

TEST(verdict, a_lower_rate_is_a_loss_in_a_closed_loop_alone) {
    const steady faster{"epoll", 4000, 2000};
    const auto lost = losses_of(cell(load_mode::closed, {uring, faster}));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].what, "requests/s");
    EXPECT_NEAR(lost[0].factor, 2, 0.01);
    EXPECT_TRUE(losses_of(cell(load_mode::poisson, {uring, faster})).empty());
}

TEST(verdict, a_rate_that_the_generator_set_is_not_compared) {
    for (const auto change : {use_all_of_core, wait_for_cpu}) {
        const auto all = cell(load_mode::closed, {uring, {"epoll", 4000, 2000, 1e5, change}});
        EXPECT_TRUE(losses_of(all).empty());
        EXPECT_EQ(scores_of(all).readiness.ties, 1U);  // of CPU time
    }
}

TEST(verdict, tails_are_compared_in_an_open_loop_alone) {
    const steady quick{"epoll", 4000, 1000, 50'000};
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {uring, quick})).empty());
    const auto lost = losses_of(cell(load_mode::poisson, {uring, quick}));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].what, "p99");
    EXPECT_NEAR(lost[0].factor, 2, 0.02);
}

TEST(verdict, tails_of_an_open_loop_in_which_the_generator_was_late_decide_nothing) {
    const steady late{"epoll", 4000, 1000, 50'000, [](server_life& one) { one.load.spare = 0s; }};
    const auto all = cell(load_mode::poisson, {uring, late});
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 1U);  // of CPU time, from pairs that were not dropped
}

TEST(verdict, an_open_loop_that_did_not_reach_its_rate_is_invalid_however_many_samples) {
    // Four good starts, and one in which the generator stood still: none was late, none missed.
    auto all = cell(load_mode::poisson, {uring, {"epoll", 4000, 1000, 50'000}});
    for (server_life& one : all.servers[1].lives) one.load.offered = one.load.latency.count();
    load_result& still = all.servers[1].lives.back().load;
    still.latency = {};
    still.unsent = still.offered;
    const summary figures = summarise(all.servers[1], all.work.load);
    EXPECT_NE(figures.invalid.find("did not come to 20 %"), std::string::npos) << figures.invalid;
    EXPECT_TRUE(losses_of(all).empty());

    curve_point point;
    for (const server_life& one : all.servers[1].lives) {
        point.runs.emplace_back().load = one.load;
    }
    load_options load;
    load.mode = load_mode::poisson;
    EXPECT_NE(figures_of(point, load).invalid, "");
}

TEST(verdict, a_closed_loop_whose_generator_waited_for_a_cpu_is_invalid) {
    load_options load;
    load.server_pid = 1;
    load_result result = run(1'000'000, 400ns).load;
    EXPECT_EQ(generator_bound(load, result), "");
    result.own_waited = 300ms;
    EXPECT_EQ(generator_bound(load, result), "it waited for a CPU for 30 % of the time");
    result.requests = 0;
    EXPECT_NE(generator_bound(load, result), "");
    result.server_cpu = 990ms;  // it could not have answered more
    EXPECT_EQ(generator_bound(load, result), "");
}

TEST(verdict, an_open_loop_that_was_not_answered_has_no_tail) {
    const steady silent{"epoll", 4000, 1000, 50'000,
                        [](server_life& one) { one.load.offered = one.load.latency.count() + 2; }};
    const auto all = cell(load_mode::poisson, {uring, silent});
    EXPECT_NE(summarise(all.servers[1], all.work.load).invalid, "");
    EXPECT_TRUE(losses_of(all).empty());
}

TEST(verdict, without_a_noise_floor_all_are_ties) {
    auto all = cell(load_mode::closed, {uring, cheaper});
    for (duel_start& start : all.starts) start.back().clear();
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 2U);
}

TEST(verdict, the_repetition_of_the_reference_is_no_other_server) {
    const steady ring{"uring", 5000};
    EXPECT_EQ(losses_of(cell(load_mode::closed, {same, ring})).size(), 1U);
}

TEST(verdict, anel_is_compared_with_itself_and_threads_count_apart) {
    const steady anel{"anel-io_uring"}, threads{"threads", 8000};
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {anel, cheaper, threads})).empty());
    const auto all = scores_of(cell(load_mode::closed, {uring, same, threads}));
    EXPECT_EQ(all.readiness.wins, 0U);
    EXPECT_EQ(all.blocking.wins, 1U);
    EXPECT_EQ(losses_of(cell(load_mode::closed, {anel, {"anel-epoll", 3000}})).size(), 1U);
}

call_counts counted(double calls) {
    call_counts made;
    made.calls = calls;
    return made;
}

TEST(answer, says_what_the_calls_are_worth) {
    auto all = cell(load_mode::closed, {uring, cheaper});
    all.servers[0].counted = counted(0.5);
    all.servers[1].counted = counted(2);
    const auto gains = gains_of(all);
    ASSERT_EQ(gains.size(), 1U);
    EXPECT_EQ(gains[0].cpu, verdict::higher);
    EXPECT_NEAR(gains[0].difference(), 4.0 / 3 - 1, 0.001);
    EXPECT_NEAR(*gains[0].worth_of_calls(100), -1.5 * 100 / 3000, 1e-6);
}

TEST(answer, is_silent_about_what_was_not_counted_or_not_measured) {
    const auto gains = gains_of(cell(load_mode::closed, {uring, same}));
    ASSERT_EQ(gains.size(), 1U);
    EXPECT_EQ(gains[0].cpu, verdict::tie);
    EXPECT_FALSE(gains[0].worth_of_calls(100));
    EXPECT_TRUE(gains_of(cell(load_mode::closed, {uring})).empty());
}

/// Costs of a request in which everything is known.
request_costs costs(double cpu_ns, double user_share, double calls, double switches) {
    request_costs made;
    made.cpu_ns = cpu_ns;
    made.user_share = user_share;
    made.switches = switches;
    made.counted = counted(calls);
    return made;
}

TEST(causes, add_up_to_the_difference) {
    const duel_causes duel{costs(1000, 0.1, 0.5, 0.1),
                           costs(1300, 0.2, 2, 0.2),
                           1.2,
                           {.empty_call = 40, .context_switch = 300, .page_fault = 500}};
    double parts = 0, counts = 0, kernel = 0;
    const auto lines = causes_of(duel);
    EXPECT_NEAR(lines[0].difference_ns, 200, 1e-9);  // of the pairs, not of the medians
    for (const cause& line : lines) {
        if (!line.adds) continue;
        if (line.depth == 1) parts += line.difference_ns;
        if (line.depth == 2) counts += line.difference_ns;
        if (line.what == "in the kernel") kernel = line.difference_ns;
        if (line.what.starts_with("system calls")) {
            EXPECT_NEAR(line.difference_ns, 60, 1e-9);
        }
    }
    EXPECT_NEAR(parts, 200, 1e-9);
    EXPECT_NEAR(counts, kernel, 1e-9);
    EXPECT_EQ(lines.back().what, "not explained by these counts");
    EXPECT_NEAR(lines.back().difference_ns, kernel - 60 - 30, 1e-9);
    EXPECT_NEAR(lines.back().b - lines.back().a, lines.back().difference_ns, 1e-9);
}

TEST(causes, are_told_with_the_duel) {
    duel_options options;
    options.a = "one";
    options.b = "other";
    duel_result result;
    result.causes = duel_causes{costs(1000, 0.1, 0.5, 0.1), costs(1300, 0.2, 2, 0.2), 1.2, {}};
    const std::string text = duel_text(options, result);
    EXPECT_NE(text.find("CPU time                           1000  1200  +200 ns\n"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("not counted"), std::string::npos);
    result.causes->b.counted = {};
    EXPECT_NE(duel_text(options, result).find("System calls were not counted"), std::string::npos);
}

saturation_curve curve(std::initializer_list<run_result> points) {
    saturation_curve made;
    made.load.mode = load_mode::poisson;
    for (const run_result& one : points) {
        curve_point& point = made.points.emplace_back();
        point.offered = static_cast<double>(one.load.requests);
        point.runs = {one, one, one};
    }
    return made;
}

run_result generator_bound(std::uint64_t requests) {
    run_result made = run(requests, 4000ns, 5ms);
    made.load.spare = 0s;
    return made;
}

TEST(knee, is_the_last_rate_within_the_objective) {
    const knee found = knee_of(curve({run(100, 4us), run(200, 4us), run(300, 4us, 2ms)}));
    EXPECT_EQ(found.rate, 200);
    EXPECT_FALSE(found.lower_bound);
}

TEST(knee, is_a_lower_bound_where_only_the_generator_ended_the_curve) {
    const knee found = knee_of(curve({run(100, 4us), run(200, 4us), generator_bound(300)}));
    EXPECT_EQ(found.rate, 200);
    EXPECT_TRUE(found.lower_bound);
}

TEST(knee, does_not_pass_a_rate_that_missed_the_objective) {
    const knee found = knee_of(curve({run(100, 4us, 2ms), run(200, 4us)}));
    EXPECT_EQ(found.rate, 0);
    EXPECT_FALSE(found.lower_bound);
}

TEST(knee, a_point_that_was_not_run_says_nothing) {
    saturation_curve cut_short = curve({run(100, 4us), run(200, 4us)});
    cut_short.points.emplace_back();
    EXPECT_EQ(knee_of(cut_short).rate, 200);
}

TEST(knee, a_server_that_does_not_keep_up_misses_it) {
    saturation_curve slow = curve({run(100, 4us), run(200, 4us)});
    slow.points[1].offered = 250;
    EXPECT_EQ(knee_of(slow).rate, 100);
    EXPECT_FALSE(knee_of(slow).lower_bound);
}

}  // namespace
