// tables.cpp: a comparison on a terminal of 100 columns.
//
// CPU time per request is the figure servers are ranked by: it stays meaningful when the generator,
// not the server, sets the rate.
//
// SPDX-License-Identifier: MIT
#include "report/tables.hpp"

#include <algorithm>
#include <cmath>

#include "common/environment.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "report/answer.hpp"

namespace anel_bench {
namespace {

std::string percent(double share, int decimals) { return format("%.*f%%", decimals, 100 * share); }

/// Half the interval, as a share of the median.
std::string spread(const estimate& value) {
    if (!value.sound()) return "?";
    return percent((value.range.high - value.range.low) / 2 / value.median, 1);
}

std::string whole(double value) { return grouped(static_cast<std::uint64_t>(std::llround(value))); }

std::string ratio_text(const summary& reference, const summary& server, double noise) {
    const double ratio = reference.cpu.median / server.cpu.median;
    return format("%.2f%s", ratio,
                  compare(server.cpu, reference.cpu, noise) == verdict::tie ? " tie" : "");
}

std::vector<std::string> row_of(const measured_server& server, const summary& figures,
                                const summary& reference, double noise) {
    const std::string name = server.reference_again ? "reference again" : server.spec.name;
    if (!server.left_out.empty()) return {name, server.left_out};
    if (figures.rates.empty()) return {name, figures.errors.empty() ? "disturbed" : "failed"};
    const auto latency = [&](double percentile) {
        if (!figures.invalid.empty()) return std::string("INVALID");
        return human(figures.latency.percentile(percentile));
    };
    std::string calls;
    if (figures.syscalls) calls = format("%.*f", *figures.syscalls < 1 ? 3 : 2, *figures.syscalls);
    return {name,
            whole(figures.rate.median),
            spread(figures.rate),
            whole(figures.cpu.median),
            spread(figures.cpu),
            reference.rates.empty() ? "" : ratio_text(reference, figures, noise),
            latency(50),
            latency(99),
            latency(99.9),
            calls};
}

std::string knee_text(const knee& found) {
    if (found.rate == 0) return found.lower_bound ? "?" : "none";
    return (found.lower_bound ? "≥ " : "") + whole(found.rate);
}

/// A difference as a share, and whether it is one: "-3.1% tie".
std::string difference_text(const ring_gain& gain) {
    return format("%+.1f%%%s", 100 * gain.difference(), gain.cpu == verdict::tie ? " tie" : "");
}

/// What the comparison was made for, in one table: by hand, and anel beside it; or anel alone.
std::string answer_text(const comparison& all) {
    std::vector<std::vector<ring_gain>> gains;  // of each cell
    bool by_hand = false;
    for (const auto& cell : all.cells) {
        gains.push_back(gains_of(cell));
        for (const ring_gain& gain : gains.back()) by_hand = by_hand || gain.ring == "uring";
    }
    const std::string main = by_hand ? "uring" : "anel-io_uring";
    std::vector<std::vector<std::string>> rows{
        {"CPU ns for a request", "epoll", "io_uring", "difference", "calls saved", "worth"}};
    if (by_hand) rows.front().emplace_back("anel's");
    std::size_t less = 0, more = 0;
    double floor = 0;
    bool counted = false;
    for (std::size_t i = 0; i < gains.size(); ++i) {
        if (gains[i].empty()) continue;
        std::vector<std::string> row(rows.front().size());
        row[0] = all.cells[i].work.name;
        for (const ring_gain& gain : gains[i]) {
            if (gain.ring != main) {
                row.back() = difference_text(gain);
                continue;
            }
            row[1] = whole(gain.other_ns);
            row[2] = whole(gain.ring_ns);
            row[3] = difference_text(gain);
            if (const auto worth = gain.worth_of_calls(empty_system_call_ns())) {
                row[4] = format("%.2f", *gain.calls_saved);
                row[5] = format("%+.1f%%", 100 * *worth);
                counted = true;
            }
            less += gain.cpu == verdict::lower ? 1 : 0;
            more += gain.cpu == verdict::higher ? 1 : 0;
        }
        floor = std::max(floor, noise_of(all.cells[i]).cpu);
        rows.push_back(row);
    }
    if (rows.size() == 1) return "";
    std::string note = by_hand ? "epoll and io_uring by hand; anel's: the difference of its two."
                               : "Both of anel.";
    note += format(" io_uring needs less CPU in %zu of %zu loads, more in %zu.", less,
                   rows.size() - 1, more);
    if (std::isfinite(floor)) {
        note += " Differences below the noise floors, up to ±" + percent(floor, 1) +
                ", cannot be seen in this run.";
    }
    if (counted) {
        note += format(" worth: what the calls saved would be, at %.0f ns, which an empty system "
                       "call takes here.",
                       empty_system_call_ns());
    } else if (all.options.count_calls) {
        note += " System calls were not counted: no perf and no strace, or not allowed.";
    }
    return "\nis io_uring faster here?\n" + table(rows) + wrapped(note);
}

std::string agreement_text(const outside_measurement& out) {
    std::vector<std::vector<std::string>> rows{{"server", "requests/s", "wrk's", "ratio", "95%", "",
                                                "CPU ns", "wrk's", "client", "wrk's"}};
    std::string notes;
    for (const outside_point& point : out.points) {
        if (!point.error.empty()) {
            notes += wrapped("! no agreement on " + point.server + ": " + point.error);
            continue;
        }
        const interval range = point.ratio_range();
        rows.push_back(
            {point.server, whole(median(point.ours.rates)), whole(median(point.theirs.rates)),
             format("%.2f", point.ratio()), format("%.2f–%.2f", range.low, range.high),
             point.verdict(), whole(median(point.ours.server_cpu)),
             whole(median(point.theirs.server_cpu)), percent(median(point.ours.client_shares), 0),
             percent(median(point.theirs.client_shares), 0)});
    }
    return "\nagreement with " + out.tool +
           ", 64 connections × 64 B, closed loop; client: its share " + "of a core\n" +
           table(rows) + notes;
}

}  // namespace

std::string compare_heading(const comparison& all) {
    std::string text = environment_line() + "\n";
    if (all.places.server && all.places.load) {
        text += format("server on CPU %d, load on CPU %d; %s: no network card.", *all.places.server,
                       *all.places.load, all.places.topology().c_str());
        if (all.places.siblings) text += "\n! the two CPUs share a core, and slow each other";
        if (all.places.interrupts_apart) {
            text +=
                "\n! this kernel keeps the time of interrupts apart: that of the server's CPU is "
                "added to its own";
        }
    } else {
        text += "fewer than two usable CPUs: nothing is pinned; " + all.places.topology() + ".";
    }
    text += format("\n%zu round%s of %.1f s each: medians, ± half the 95 %% "
                   "bootstrap interval. Every byte is checked.\n",
                   all.options.rounds, all.options.rounds == 1 ? "" : "s",
                   std::chrono::duration<double>(all.options.window).count());
    if (all.options.count_disturbed) text += "! disturbed runs are counted like the others\n";
    if (!built_optimised()) text += "! this build is not optimised: its figures mean nothing\n";
    return text;
}

std::string cell_text(const measured_cell& cell) {
    std::vector<summary> figures;
    for (const auto& server : cell.servers) figures.push_back(summarise(server, cell.work.load));
    const summary& reference = figures.front();
    const noise_floors noise = noise_of(cell);
    std::vector<std::vector<std::string>> rows{
        {"server", "requests/s", "±", "CPU ns", "±", "ratio", "p50", "p99", "p99.9", "calls"}};
    std::string notes;
    std::size_t disturbed = 0;
    double generator = 0;
    for (std::size_t i = 0; i < figures.size(); ++i) {
        const measured_server& server = cell.servers[i];
        rows.push_back(row_of(server, figures[i], reference, noise.cpu));
        disturbed += figures[i].disturbed;
        generator = std::max(generator, figures[i].generator_share);
        if (!figures[i].errors.empty()) {
            notes += wrapped(format("! %s, %zu runs do not count: %s", server.spec.name.c_str(),
                                    figures[i].errors.size(), figures[i].errors.front().c_str()));
        }
        if (!figures[i].invalid.empty()) {
            notes += wrapped(
                format("! %s: INVALID, %s", server.spec.name.c_str(), figures[i].invalid.c_str()));
        }
        if (figures[i].lost_share > 0) {
            notes += format("  %s lost %.4f %% of the datagrams\n", server.spec.name.c_str(),
                            100 * figures[i].lost_share);
        }
    }
    const std::string head = "\n" + cell.work.title + "\n" + table(rows);
    std::string text = "noise floor unknown: too few runs, so that all are ties.";
    if (std::isfinite(noise.cpu)) {
        text =
            format("noise floor ±%s: the reference measured twice.", percent(noise.cpu, 1).c_str());
    }
    if (cell.work.load.mode != load_mode::closed) {
        text += format(" %s requests/s are due, whatever the server does.",
                       whole(cell.work.load.rate).c_str());
        if (std::isfinite(noise.tail)) text += " p99 ±" + percent(noise.tail, 0) + ".";
    }
    text += format(" Generator: up to %s of its core.", percent(generator, 0).c_str());
    if (generator > generator_full) text += " It may set the rate: compare the CPU time.";
    if (!reference.cpu.sound()) text += " Fewer than five runs (?) decide nothing.";
    if (disturbed > 0) text += format(" %zu disturbed runs discarded.", disturbed);
    return head + wrapped(text) + notes;
}

std::string curves_text(const std::vector<saturation_curve>& curves) {
    if (curves.empty()) return "";
    std::vector<std::vector<std::string>> rows{{"server", "p99 ≤ 1 ms", "maximum"}};
    for (const auto& point : curves.front().points) {
        rows.front().push_back(format("%.0f%%", 100 * point.share));
    }
    for (const saturation_curve& curve : curves) {
        auto& row = rows.emplace_back();
        row = {curve.spec.name, knee_text(knee_of(curve)), whole(curve.maximum)};
        for (const curve_point& point : curve.points) {
            const point_figures figures = figures_of(point, curve.load);
            row.push_back(figures.invalid.empty() ? human(figures.p99) : "INVALID");
        }
    }
    // Eleven points do not fit into 100 columns: every second one then.
    if (rows.front().size() > 9) {
        for (auto& row : rows) {
            std::vector<std::string> kept(row.begin(), row.begin() + 3);
            for (std::size_t i = 3; i < row.size(); i += 2) kept.push_back(row[i]);
            row = kept;
        }
    }
    return "\nlatency against rate, open loop, Poisson arrivals, ping-pong with 64 connections: "
           "the "
           "highest\n rate with p99 ≤ 1 ms, and p99 at shares of the server's own maximum\n" +
           table(rows) +
           "≥: no valid point above it misses the objective. INVALID: generator-bound, it sent "
           "late; "
           "or\n disturbed. The report has every point.\n";
}

std::string conclusions_text(const comparison& all) {
    scores total;
    std::string losses;
    for (const auto& cell : all.cells) {
        const scores one = scores_of(cell);
        total.readiness += one.readiness;
        total.blocking += one.blocking;
        for (const loss& lost : losses_of(cell)) {
            losses += wrapped(format("  %s: %s is %.2f× worse than %s in %s", lost.workload.c_str(),
                                     lost.ring.c_str(), lost.factor, lost.other.c_str(),
                                     lost.what.c_str()));
        }
    }
    std::string text = answer_text(all);
    const auto of = [](const char* what, const score& sum) {
        return format("  against %s: %zu better, %zu ties, %zu worse\n", what, sum.wins, sum.ties,
                      sum.losses);
    };
    text += "\nwhere io_uring loses, in CPU time, in rates that the servers set, in p99 of open "
            "loops\n" +
            of("epoll and poll(2)", total.readiness) + of("blocking threads", total.blocking);
    text += losses.empty() ? "  nowhere in this run\n" : losses;
    if (all.outside) text += agreement_text(*all.outside);
    else if (all.complete) text += "\nagreement with another tool: not checked, no wrk\n";
    if (!all.complete) text += "! interrupted: what is here is complete, the rest is missing\n";
    return text;
}

}  // namespace anel_bench
