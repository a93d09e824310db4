// compare.cpp: measures servers against each other in duels with a reference, a cell a workload.
//
// All servers of a workload live at once and are asked in turn (duel/start.hpp), over several
// starts. Latency against rate is a curve of each server for itself, from runs of fresh servers: a
// run that was disturbed is made again, a few times at most.
//
// SPDX-License-Identifier: MIT
#include "compare/compare.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/clocks.hpp"
#include "common/progress.hpp"
#include "common/text.hpp"
#include "duel/start.hpp"
#include "load/load_report.hpp"
#include "load/peer.hpp"
#include "report/report.hpp"
#include "report/tables.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto run_overhead = 50ms;  // starting and stopping a server, connecting, ending
constexpr auto counting = 250ms;     // a slice in which system calls are counted
// Connections of all servers that live at once: the kernel has some 10 KB for each. Beyond, some of
// the servers live at a time, each beside a reference.
constexpr std::size_t alive_max = 45'000;
// So that each of many connections has a few requests in a slice.
constexpr auto slice_for_connection = 25us;
// Rounds that --minutes may choose.
constexpr std::int64_t rounds_min = 4, rounds_max = 40;
constexpr auto curve_window_quick = 400ms, curve_window_full = 500ms;
constexpr auto curve_warmup = 100ms;
constexpr std::size_t curve_rounds_quick = 3, curve_rounds_full = 5;
constexpr std::size_t outside_rounds_quick = 3, outside_rounds_full = 9;
constexpr const char* curve_workload = "ping-pong";
constexpr auto curve_servers = {"uring", "epoll", "threads", "anel-io_uring", "anel-epoll"};

/// A lock that others who measure or build on this machine hold too. Given up now and then, between
/// two workloads, so that they have their turn.
class turns {
public:
    explicit turns(const std::string& file) {
        if (file.empty()) return;
        lock_ = unique_fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
        if (!lock_) fail("open " + file);
    }
    /// Waits for our turn, unless it has begun a short while ago.
    void take(const interrupts& ctrl_c) {
        const auto now = std::chrono::steady_clock::now();
        if (!lock_ || now < ours_until_) return;
        flock(lock_.get(), LOCK_UN);
        // The lock belongs to the open file, which a child shares: it waits in our place, and we
        // can be interrupted.
        const int file = lock_.get();
        child waiting = child::run([file] { return flock(file, LOCK_EX) == 0 ? 0 : 1; }, {});
        if (!waiting.stop(0, std::chrono::hours(1), ctrl_c).success()) {
            throw std::runtime_error("the lock to take turns was not to be had for an hour");
        }
        ours_until_ = std::chrono::steady_clock::now() + turn_length;
    }

private:
    static constexpr auto turn_length = 160s;

    unique_fd lock_;
    std::chrono::steady_clock::time_point ours_until_;
};

template <class Named>
std::vector<Named> choose(std::vector<Named> known, const std::vector<std::string>& names,
                          const char* what, bool quick) {
    if (names.empty()) {
        if (quick) std::erase_if(known, [](const Named& one) { return !one.quick; });
        return known;
    }
    std::vector<Named> chosen;
    for (const std::string& name : names) {
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const Named& one) { return one.name == name; });
        if (found == known.end()) {
            std::string all;
            for (const auto& one : known) all.append(" ").append(one.name);
            throw std::invalid_argument(
                format("unknown %s \"%s\"; known:%s", what, name.c_str(), all.c_str()));
        }
        chosen.push_back(*found);
    }
    return chosen;
}

/// A default list is cut to what has been built, with a word, so that a partial build can be
/// measured too; a server somebody asked for has to be there.
std::vector<server_spec> keep_built(std::vector<server_spec> specs, bool leave_out_missing) {
    for (const server_spec& spec : specs) {
        if (is_built(spec)) continue;
        const auto text = format("%s is not built: %s", spec.name.c_str(), spec.program.c_str());
        if (!leave_out_missing) throw std::invalid_argument(text);
        std::printf("left out: %s\n", text.c_str());
    }
    std::erase_if(specs, [](const server_spec& spec) { return !is_built(spec); });
    if (specs.empty()) throw std::invalid_argument("none of the servers to compare is built");
    return specs;
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    char text[32] = "";
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return text;
}

class comparer {
public:
    comparer(comparison& all, const interrupts& ctrl_c)
        : all_(all), options_(all.options), ctrl_c_(ctrl_c) {
        if (options_.time) fit_rounds(*options_.time);
        line_.emplace(planned());
    }

    void measure_everything() {
        for (measured_cell& cell : all_.cells) {
            measure(cell);
            line_->erase();
            std::fputs(cell_text(cell).c_str(), stdout);
            std::fflush(stdout);
        }
        measure_curves();
        line_->erase();
        std::fputs(curves_text(all_.curves).c_str(), stdout);
        turns_.take(ctrl_c_);
        line_->step("the same point with another tool", outside_takes());
        load_options own;
        own.warmup = curve_warmup;
        own.window = curve_window();
        all_.outside =
            check_with_outside_tool(outside_servers(), outside_rounds(), own, all_.places, ctrl_c_);
        line_->erase();
    }

private:
    [[nodiscard]] std::chrono::nanoseconds curve_window() const {
        return options_.quick ? curve_window_quick : curve_window_full;
    }
    [[nodiscard]] std::chrono::nanoseconds run_takes() const {
        return curve_window() + curve_warmup + run_overhead;
    }
    [[nodiscard]] std::size_t curve_rounds() const {
        return options_.quick ? curve_rounds_quick : curve_rounds_full;
    }
    [[nodiscard]] std::size_t outside_rounds() const {
        return options_.quick ? outside_rounds_quick : outside_rounds_full;
    }
    [[nodiscard]] std::chrono::nanoseconds outside_takes() const {
        return static_cast<std::int64_t>(3 * outside_rounds()) *
               (run_takes() + outside_run + run_overhead);
    }
    [[nodiscard]] std::chrono::nanoseconds planned() const {
        std::chrono::nanoseconds all = outside_takes();
        for (const auto& cell : all_.cells) {
            for (std::size_t start = 0; start < options_.starts; ++start) {
                for (const auto& living : groups_of(cell)) {
                    all += expected(plan_of(cell, living, start));
                }
            }
        }
        std::size_t runs = 0;
        for (const auto& curve : all_.curves) runs += curve.points.size() * curve_rounds();
        return all + static_cast<std::int64_t>(runs) * run_takes();
    }
    void fit_rounds(std::chrono::nanoseconds time) {
        options_.rounds = 0;
        const auto without = planned();
        options_.rounds = 1;
        const auto each = std::max<std::chrono::nanoseconds>(planned() - without, 1ns);
        options_.rounds = static_cast<std::size_t>(
            std::clamp<std::int64_t>((time - without) / each, rounds_min, rounds_max));
        if (planned() > time) {
            std::printf("! it takes about %.0f minutes: with fewer than %lld rounds a start there "
                        "is little to see\n",
                        std::chrono::duration<double>(planned()).count() / 60,
                        static_cast<long long>(rounds_min));
        }
    }

    run_result one_run(const server_spec& spec, const load_options& load) {
        run_result result = run_once(spec, load, all_.places, ctrl_c_);
        result.counts_anyway = options_.count_disturbed;
        if (!counts(result) && !result.disturbed.empty()) wait_until_quiet();
        return result;
    }

    /// After a disturbed run the next would most likely be one as well.
    void wait_until_quiet() {
        constexpr auto look = 200ms;
        constexpr double quiet = 0.1;  // of the CPUs; this program sleeps meanwhile
        for (double share = 1; share > quiet && patience_ > 0s; patience_ -= look) {
            const auto before = read_cpu_time(all_.places.cpus()).busy;
            ctrl_c_.wait_readable(-1, std::chrono::steady_clock::now() + look);
            const std::chrono::duration<double> busy =
                read_cpu_time(all_.places.cpus()).busy - before;
            share = busy / look / static_cast<double>(all_.places.cpu_count());
        }
    }
    /// The servers that live at once, by place: the reference and as many others as may be.
    [[nodiscard]] static std::vector<std::vector<std::size_t>>
    groups_of(const measured_cell& cell) {
        const std::size_t each = std::max<std::size_t>(all_connections(cell.work.load), 1);
        const std::size_t others_max = std::max<std::size_t>(alive_max / each, 2) - 1;
        std::vector<std::vector<std::size_t>> groups;
        std::size_t in_group = others_max;
        for (std::size_t who = 1; who < cell.servers.size(); ++who) {
            const measured_server& server = cell.servers[who];
            if (!server.left_out.empty() || !server.errors.empty()) continue;
            if (in_group == others_max) {
                groups.push_back({the_reference});
                in_group = 0;
            }
            groups.back().push_back(who);
            ++in_group;
        }
        return groups;
    }
    [[nodiscard]] start_plan plan_of(const measured_cell& cell,
                                     const std::vector<std::size_t>& living,
                                     std::size_t start) const {
        start_plan plan;
        for (const std::size_t who : living) {
            plan.servers.push_back({cell.servers[who].spec.name, cell.servers[who].spec});
        }
        plan.load = cell.work.load;
        plan.slice = std::max<std::chrono::nanoseconds>(
            options_.slice,
            static_cast<std::int64_t>(plan.load.connections) * slice_for_connection);
        plan.warmup = std::max(plan.slice, options_.warmup);
        plan.rounds = options_.rounds;
        if (options_.count_calls && start + 1 == options_.starts) plan.counting = counting;
        return plan;
    }

    void measure(measured_cell& cell) {
        turns_.take(ctrl_c_);
        measured_server& reference = cell.servers.front();
        if (cell.work.share > 0) {
            cell.work.load.rate =
                std::max(1.0, cell.work.share * maximum_of(reference.spec, cell.work.share_of));
        }
        for (std::size_t n = 0; n < options_.starts && reference.errors.empty(); ++n) {
            duel_start& start = cell.starts.emplace_back(cell.servers.size());
            for (const auto& living : groups_of(cell)) {
                turns_.take(ctrl_c_);
                const start_plan plan = plan_of(cell, living, n);
                line_->step(format("%s, start %zu", cell.work.name.c_str(), n + 1), expected(plan));
                take(cell, start, living,
                     play_start(plan, all_.places, order_, [] { return false; }, ctrl_c_));
            }
        }
    }
    static void take(measured_cell& cell, duel_start& start, const std::vector<std::size_t>& living,
                     start_result played) {
        for (std::size_t i = 0; i < living.size(); ++i) {
            measured_server& server = cell.servers[living[i]];
            if (!played.errors[i].empty()) {
                server.errors.push_back(played.errors[i]);
                continue;
            }
            start[living[i]] = std::move(played.meetings[i]);
            server.lives.push_back(std::move(played.lives[i]));
            if (played.counts[i]) server.counted = played.counts[i];
        }
    }

    /// Whether a disturbed run has to be made again; one that failed would only fail again.
    static bool lacks(const std::vector<run_result>& runs, std::size_t wanted) {
        const auto counted = std::count_if(runs.begin(), runs.end(), counts);
        return static_cast<std::size_t>(counted) < wanted && runs.back().error.empty();
    }

    /// In rounds too, all servers at one share of their maximum after the other: a bad minute would
    /// else be the knee of a single one.
    void measure_curves() {
        for (saturation_curve& curve : all_.curves) {
            curve.maximum = maximum_of(curve.spec, curve_workload);
        }
        // As many rounds again where disturbed runs were discarded.
        for (std::size_t round = 0; round < 2 * curve_rounds(); ++round) {
            turns_.take(ctrl_c_);
            for (std::size_t at = 0; !all_.curves.empty() && at < all_.curves[0].points.size();
                 ++at) {
                for (saturation_curve& curve : all_.curves) {
                    curve_point& point = curve.points[at];
                    if (round >= curve_rounds() && !lacks(point.runs, curve_rounds())) continue;
                    measure(curve, point);
                }
            }
        }
    }
    void measure(const saturation_curve& curve, curve_point& point) {
        line_->step(format("%s at %.0f %%", curve.spec.name.c_str(), 100 * point.share),
                    run_takes());
        load_options load = curve.load;
        load.rate = point.offered = std::max(1.0, point.share * curve.maximum);
        point.runs.push_back(one_run(curve.spec, load));
    }

    /// The reference, which is faster than any client; itself with work to do, so that it decides
    /// and not the client; and the slowest, which is Python's, where that can run.
    [[nodiscard]] std::vector<server_spec> outside_servers() const {
        std::vector<server_spec> specs(2, all_.cells.front().servers.front().spec);
        specs[1].name += " + 20 µs";
        specs[1].arguments.insert(specs[1].arguments.end(), {"--work", "20"});
        const server_spec last = known_servers().back();
        const bool can_run = access("/usr/bin/python3", X_OK) == 0 && is_built(last);
        if (can_run && specs.front().name != last.name) specs.push_back(last);
        return specs;
    }

    /// Requests/s in a closed loop: measured already, or for this.
    double maximum_of(const server_spec& spec, const std::string& work) {
        for (const auto& cell : all_.cells) {
            if (cell.work.name != work) continue;
            for (const auto& server : cell.servers) {
                if (server.spec.name == spec.name && !server.reference_again) {
                    const double rate = summarise(server, cell.work.load).rate;
                    if (rate > 0) return rate;
                }
            }
        }
        load_options load = workload_named(work).load;
        load.warmup = curve_warmup;
        load.window = curve_window();
        return requests_per_second(run_once(spec, load, all_.places, ctrl_c_).load);
    }

    comparison& all_;
    compare_options& options_;
    const interrupts& ctrl_c_;
    std::mt19937_64 order_{options_.seed};
    turns turns_{options_.turns_file};
    std::chrono::nanoseconds patience_ = options_.patience;
    std::optional<progress> line_;
};

std::vector<measured_cell> plan_cells(const compare_options& options,
                                      const std::vector<workload>& works,
                                      const std::vector<server_spec>& specs) {
    std::vector<measured_cell> cells;
    for (const workload& work : works) {
        measured_cell& cell = cells.emplace_back();
        cell.work = work;
        for (const server_spec& spec : specs) {
            if (work.some_servers && options.servers.empty() && !spec.quick) continue;
            measured_server& server = cell.servers.emplace_back();
            server.spec = spec;
            server.left_out = cannot_serve(spec, work.load);
        }
        const auto reference =
            std::find_if(cell.servers.begin(), cell.servers.end(),
                         [](const measured_server& one) { return one.left_out.empty(); });
        if (reference == cell.servers.end()) {
            cells.pop_back();
            continue;
        }
        std::rotate(cell.servers.begin(), reference, reference + 1);
        cell.servers.push_back(cell.servers.front());
        cell.servers.back().reference_again = true;
    }
    return cells;
}

std::vector<saturation_curve> plan_curves(const compare_options& options,
                                          const std::vector<server_spec>& specs) {
    std::vector<saturation_curve> curves;
    if (!options.curves) return curves;
    for (const server_spec& spec : specs) {
        if (std::find(curve_servers.begin(), curve_servers.end(), spec.name) ==
            curve_servers.end()) {
            continue;
        }
        saturation_curve& curve = curves.emplace_back();
        curve.spec = spec;
        curve.load = workload_named(curve_workload).load;
        curve.load.mode = load_mode::poisson;
        curve.load.warmup = curve_warmup;
        curve.load.window = options.quick ? curve_window_quick : curve_window_full;
        const std::vector<int> quick{30, 50, 70, 90};
        const std::vector<int> full{10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110};
        for (const int percent : options.quick ? quick : full) {
            curve.points.emplace_back().share = percent / 100.0;
        }
    }
    return curves;
}

bool every_start_was_made(const comparison& all) {
    for (const auto& cell : all.cells) {
        for (const auto& server : cell.servers) {
            if (!server.left_out.empty()) continue;
            if (server.lives.empty() || !server.errors.empty()) return false;
        }
    }
    return true;
}

}  // namespace

compare_options quick_comparison() { return {}; }

compare_options full_comparison() {
    compare_options options;
    options.quick = false;
    return options;
}

int run_compare(const compare_options& options, const interrupts& ctrl_c) {
    comparison all;
    all.options = options;
    all.places = plan_placement();
    if (options.veth) all.places.veth = std::make_shared<veth_pair>(ctrl_c);
    all.started = utc_now();
    const auto specs = keep_built(choose(known_servers(), options.servers, "server", options.quick),
                                  options.servers.empty());
    std::vector<workload> works;
    if (options.own_load) works.push_back(own_workload(*options.own_load));
    if (!options.own_load || !options.workloads.empty()) {
        const auto named = choose(known_workloads(), options.workloads, "workload", options.quick);
        works.insert(works.end(), named.begin(), named.end());
    }
    all.cells = plan_cells(options, works, specs);
    if (all.cells.empty()) throw std::invalid_argument("none of the servers takes such a load");
    all.curves = plan_curves(options, specs);
    if (!options.directory.empty()) {  // first: not to find out after half an hour
        std::filesystem::create_directories(options.directory);
    }
    std::fputs(compare_heading(all).c_str(), stdout);
    std::fflush(stdout);

    const auto report = [&] {
        std::fputs(conclusions_text(all).c_str(), stdout);
        if (!options.directory.empty()) write_report(all);
    };
    try {
        comparer(all, ctrl_c).measure_everything();
        all.complete = true;
    } catch (...) {  // an interrupt, or what nobody foresaw: what there is, is kept
        report();
        throw;
    }
    report();
    return every_start_was_made(all) ? 0 : 1;
}

}  // namespace anel_bench
