// verdict_test.cpp: what a comparison concludes from its runs: ties, losses, knees, the answer.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <string>

#include "compare/summary.hpp"
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

/// A server with five runs that differ by a thousandth.
measured_server server(const char* name, std::uint64_t requests, std::chrono::nanoseconds cpu,
                       std::chrono::nanoseconds p99 = 100us) {
    measured_server made;
    made.spec.name = name;
    for (std::uint64_t i = 0; i < 5; ++i) {
        made.runs.push_back(run(requests + i, cpu + i * cpu / 1000, p99));
    }
    return made;
}

/// The reference is measured again with the same figures: the noise floor is its own spread.
measured_cell cell(load_mode mode, const std::vector<measured_server>& servers) {
    measured_cell made;
    made.work.name = "a load";
    made.work.load.mode = mode;
    made.servers = servers;
    made.servers.push_back(servers.front());
    made.servers.back().reference_again = true;
    return made;
}

const auto uring = server("uring", 1000, 4000ns);
const auto same = server("epoll", 1000, 4002ns);
const auto cheaper = server("epoll", 1000, 3000ns);

TEST(verdict, what_overlaps_is_a_tie) {
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

TEST(verdict, a_lower_rate_is_a_loss_in_a_closed_loop_alone) {
    const auto faster = server("epoll", 2000, 4000ns);
    const auto lost = losses_of(cell(load_mode::closed, {uring, faster}));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].what, "requests/s");
    EXPECT_NEAR(lost[0].factor, 2, 0.01);
    EXPECT_TRUE(losses_of(cell(load_mode::poisson, {uring, faster})).empty());
}

TEST(verdict, a_rate_that_the_generator_set_is_not_compared) {
    auto faster = server("epoll", 2000, 4000ns);
    faster.runs[2].load.own_cpu = 1s;
    faster.runs[2].load.spare = 0s;
    const auto all = cell(load_mode::closed, {uring, faster});
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 1U);  // of CPU time
}

TEST(verdict, tails_are_compared_in_an_open_loop_alone) {
    const auto quick = server("epoll", 1000, 4000ns, 50us);
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {uring, quick})).empty());
    const auto lost = losses_of(cell(load_mode::poisson, {uring, quick}));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].what, "p99");
    EXPECT_NEAR(lost[0].factor, 2, 0.02);
}

TEST(verdict, an_open_loop_in_which_the_generator_was_late_decides_nothing) {
    auto late = server("epoll", 1000, 3000ns, 50us);
    for (run_result& one : late.runs) one.load.spare = 0s;
    const auto all = cell(load_mode::poisson, {uring, late});
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 0U);
}

TEST(verdict, an_open_loop_that_did_not_reach_its_rate_decides_nothing_however_many_samples) {
    // Four good runs, and one in which the generator stood still: none was sent late, none missed.
    auto starved = server("epoll", 1000, 3000ns, 50us);
    for (run_result& one : starved.runs) one.load.offered = one.load.latency.count();
    load_result& still = starved.runs.back().load;
    still.latency = {};
    still.unsent = still.offered;
    const summary figures = summarise(starved, cell(load_mode::poisson, {starved}).work.load);
    EXPECT_NE(figures.invalid.find("did not come to 20 %"), std::string::npos) << figures.invalid;
    EXPECT_TRUE(losses_of(cell(load_mode::poisson, {uring, starved})).empty());

    curve_point point;
    point.runs = starved.runs;
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

TEST(verdict, a_rate_of_a_generator_that_waited_for_a_cpu_is_not_compared) {
    auto faster = server("epoll", 2000, 4000ns);
    faster.runs[2].load.own_waited = 300ms;
    const auto all = cell(load_mode::closed, {uring, faster});
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 1U);  // of CPU time
}

TEST(verdict, an_open_loop_that_was_not_answered_has_no_tail) {
    auto silent = server("epoll", 1000, 3000ns, 50us);
    for (run_result& one : silent.runs) one.load.offered = one.load.latency.count() + 2;
    EXPECT_NE(summarise(silent, cell(load_mode::poisson, {silent}).work.load).invalid, "");
    EXPECT_TRUE(losses_of(cell(load_mode::poisson, {uring, silent})).empty());
}

TEST(verdict, fewer_than_five_runs_decide_nothing) {
    auto few = cheaper;
    few.runs.pop_back();
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {uring, few})).empty());
}

TEST(verdict, without_a_noise_floor_all_are_ties) {
    auto all = cell(load_mode::closed, {uring, cheaper});
    all.servers.back().runs.resize(1);
    EXPECT_TRUE(losses_of(all).empty());
    EXPECT_EQ(scores_of(all).readiness.ties, 2U);
}

TEST(verdict, the_repetition_of_the_reference_is_no_other_server) {
    const auto ring = server("uring", 1000, 5000ns);
    EXPECT_EQ(losses_of(cell(load_mode::closed, {same, ring})).size(), 1U);
}

TEST(verdict, anel_is_compared_with_itself_and_threads_count_apart) {
    const auto anel = server("anel-io_uring", 1000, 4000ns);
    const auto threads = server("threads", 1000, 8000ns);
    EXPECT_TRUE(losses_of(cell(load_mode::closed, {anel, cheaper, threads})).empty());
    const auto all = scores_of(cell(load_mode::closed, {uring, same, threads}));
    EXPECT_EQ(all.readiness.wins, 0U);
    EXPECT_EQ(all.blocking.wins, 1U);
    EXPECT_EQ(losses_of(cell(load_mode::closed, {anel, server("anel-epoll", 1000, 3000ns)})).size(),
              1U);
}

TEST(verdict, disturbed_and_failed_runs_do_not_count) {
    auto bad = same;
    bad.runs.push_back(run(1000, 1ns));
    bad.runs.back().disturbed = "others";
    bad.runs.push_back(run(1000, 1ns));
    bad.runs.back().error = "a wrong byte";
    const summary figures = summarise(bad, {});
    EXPECT_EQ(figures.rates.size(), 5U);
    EXPECT_EQ(figures.disturbed, 1U);
    EXPECT_EQ(figures.errors.size(), 1U);
}

TEST(answer, says_what_the_calls_are_worth) {
    auto ring = uring, other = cheaper;
    ring.counted = run(1000, 4000ns);
    ring.counted->syscalls_per_request = 0.5;
    other.counted = run(1000, 4000ns);
    other.counted->syscalls_per_request = 2;
    const auto gains = gains_of(cell(load_mode::closed, {ring, other}));
    ASSERT_EQ(gains.size(), 1U);
    EXPECT_EQ(gains[0].cpu, verdict::higher);
    EXPECT_NEAR(gains[0].difference(), 4.0 / 3 - 1, 0.001);
    EXPECT_NEAR(*gains[0].worth_of_calls(100), -1.5 * 100 / 3006, 1e-6);
}

TEST(answer, is_silent_about_what_was_not_counted_or_not_measured) {
    const auto gains = gains_of(cell(load_mode::closed, {uring, same}));
    ASSERT_EQ(gains.size(), 1U);
    EXPECT_EQ(gains[0].cpu, verdict::tie);
    EXPECT_FALSE(gains[0].worth_of_calls(100));
    EXPECT_TRUE(gains_of(cell(load_mode::closed, {uring})).empty());
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
