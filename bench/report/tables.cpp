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

const char* word_for(verdict came_out) {
    switch (came_out) {
        case verdict::tie: return "tie";
        case verdict::lower: return "less";
        case verdict::higher: return "more";
    }
    return "";
}

std::string whole(double value) { return grouped(static_cast<std::uint64_t>(std::llround(value))); }

/// "1.07", or "1.003" where a thousandth can be seen; and the interval as "1.05-1.10".
std::string ratio_text(const ratio_estimate& one) {
    if (one.starts == 0) return "";
    return format("%.*f", one.reach() < 0.01 ? 3 : 2, one.ratio);
}
std::string range_text(const ratio_estimate& one) {
    if (!one.known()) return one.starts == 0 ? "" : "unknown";
    const int digits = one.reach() < 0.01 ? 3 : 2;
    return format("%.*f–%.*f", digits, one.range.low, digits, one.range.high);
}

std::vector<std::string> row_of(const measured_cell& cell, std::size_t who, const summary& figures,
                                double noise) {
    const measured_server& server = cell.servers[who];
    const std::string name = server.reference_again ? "reference again" : server.spec.name;
    if (!server.left_out.empty()) return {name, server.left_out};
    if (!figures.measured()) return {name, server.errors.empty() ? "not measured" : "failed"};
    const auto latency = [&](double percentile) {
        if (!figures.invalid.empty()) return std::string("INVALID");
        return human(figures.latency.percentile(percentile));
    };
    std::string calls;
    if (server.counted) {
        calls = format("%.*f", server.counted->calls < 1 ? 3 : 2, server.counted->calls);
    }
    std::vector<std::string> row{name, whole(figures.rate), whole(figures.cpu_ns), "", "", ""};
    if (who != the_reference) {
        const ratio_estimate found = duel_of(cell, who, the_reference).cpu;
        row[3] = ratio_text(found);
        row[4] = range_text(found);
        if (!server.reference_again) row[5] = word_for(decide(found, noise));
    }
    row.insert(row.end(), {latency(50), latency(99), latency(99.9), calls});
    return row;
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
    text +=
        format("\nduels: %zu start%s of all servers, %zu rounds each, slices of %.0f ms; ratios "
               "with their 95 %%\nintervals, from pairs. Every byte is checked.\n",
               all.options.starts, all.options.starts == 1 ? "" : "s", all.options.rounds,
               1000 * std::chrono::duration<double>(all.options.slice).count());
    if (!built_optimised()) text += "! this build is not optimised: its figures mean nothing\n";
    return text;
}

namespace {

/// What a reader has to know beside the table of a cell, of each server.
std::string notes_of(const measured_cell& cell, const std::vector<summary>& figures) {
    std::string notes;
    for (std::size_t who = 0; who < figures.size(); ++who) {
        const measured_server& server = cell.servers[who];
        const char* name = server.reference_again ? "reference again" : server.spec.name.c_str();
        if (!server.errors.empty()) {
            notes += wrapped(
                format("! %s took no further part: %s", name, server.errors.front().c_str()));
        }
        if (!figures[who].invalid.empty()) {
            notes += wrapped(format("! %s: INVALID, %s", name, figures[who].invalid.c_str()));
        }
        if (figures[who].lost_share > 0) {
            notes +=
                format("  %s lost %.4f %% of the datagrams\n", name, 100 * figures[who].lost_share);
        }
    }
    return notes;
}

}  // namespace

std::string cell_text(const measured_cell& cell) {
    std::vector<summary> figures;
    for (const auto& server : cell.servers) figures.push_back(summarise(server, cell.work.load));
    const noise_floors noise = noise_of(cell);
    std::vector<std::vector<std::string>> rows{
        {"server", "requests/s", "CPU ns", "ratio", "95%", "", "p50", "p99", "p99.9", "calls"}};
    std::size_t pairs = 0, dropped = 0;
    double generator = 0;
    for (std::size_t who = 0; who < figures.size(); ++who) {
        rows.push_back(row_of(cell, who, figures[who], noise.cpu));
        generator = std::max(generator, figures[who].generator_share);
        if (who == the_reference) continue;
        const duel_figures found = duel_of(cell, who, the_reference);
        pairs += found.cpu.pairs;
        dropped += found.dropped;
    }
    std::string text = "noise floor unknown: all are ties.";
    if (std::isfinite(noise.cpu)) {
        text =
            format("noise floor ±%s: the reference against itself.", percent(noise.cpu, 1).c_str());
    }
    if (cell.work.load.mode != load_mode::closed) {
        text += format(" %s requests/s are due, whatever the server does.",
                       whole(cell.work.load.rate).c_str());
        if (std::isfinite(noise.p99)) text += " p99 ±" + percent(noise.p99, 0) + ".";
    }
    text += format(" Generator: up to %s of its core.", percent(generator, 0).c_str());
    if (generator > generator_full) text += " It may set the rate: compare the CPU time.";
    text += format(" %zu pairs, %zu dropped.", pairs, dropped);
    return "\n" + cell.work.title + "\n" + table(rows) + wrapped(text) + notes_of(cell, figures);
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
