// seed_runner.cpp: seeds on their way to child processes and outcomes on their way back.
//
// A child says, one line each: `S seed` before a seed; `T 0|1 text` for what sometimes should hold;
// `D ...` with the figures after it, or `F text` for why it failed. One that dies has said which
// seed it was at.
// SPDX-License-Identifier: MIT
#include "net/sim/seed_runner.hpp"

#include "runtime/system/process_farm.hpp"

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

namespace anel::sim {
using namespace detail;
namespace {

constexpr std::uint64_t seeds_per_child = 32;

std::string in_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', '\x1f');
    return text;
}
std::string in_lines(std::string text) {
    std::replace(text.begin(), text.end(), '\x1f', '\n');
    return text;
}

std::string figures(const outcome& what) {
    std::ostringstream line;
    line << "D " << what.events << ' ' << what.operations << ' ' << what.time << ' ' << what.hash;
    for (const std::uint64_t hits : what.faults) line << ' ' << hits;
    line << '\n';
    return line.str();
}

/// What one child has said so far.
struct listener {
    std::string rest;  // of an unfinished line
    outcome current;
    bool busy = false;  // with `current`
};

void take_line(listener& from, std::string_view line, batch_result& result) {
    std::istringstream words{std::string(line.substr(std::min<std::size_t>(2, line.size())))};
    switch (line.empty() ? ' ' : line.front()) {
        case 'S':
            from.current = outcome{};
            words >> from.current.seed;
            from.busy = true;
            return;
        case 'T': {
            bool reached = false;
            words >> reached;
            bool& known = result.sometimes[std::string(line.substr(4))];
            known = known || reached;
            return;
        }
        case 'F':
            from.current.failed = true;
            from.current.text = in_lines(std::string(line.substr(2)));
            return;
        case 'D': {
            outcome& done = from.current;
            words >> done.events >> done.operations >> done.time >> done.hash;
            for (std::uint64_t& hits : done.faults) words >> hits;
            from.busy = false;
            result.outcomes.push_back(std::move(done));
            return;
        }
        default: return;
    }
}

void work_through(const scenario& what, std::uint64_t first, std::uint64_t count,
                  const std::function<void(std::string_view)>& say) {
    std::map<std::string, bool, std::less<>> sometimes;
    std::string lines;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        lines += "S " + std::to_string(seed) + "\n";
        say(std::exchange(lines, {}));
        const outcome done = run_seed(what, seed, sometimes);
        if (done.failed) lines += "F " + in_one_line(done.text) + "\n";
        lines += figures(done);
        if (done.failed) break;
    }
    for (const auto& [text, reached] : sometimes) {
        lines += std::string("T ") + (reached ? "1 " : "0 ") + text + "\n";
    }
    say(lines);
}

}  // namespace

std::string in_hex(std::uint64_t number) {
    std::ostringstream text;
    text << "0x" << std::hex << number;
    return text.str();
}

outcome run_seed(const scenario& what, std::uint64_t seed,
                 std::map<std::string, bool, std::less<>>& sometimes, kept_record* kept) {
    world_options options = what.options;
    options.keep_trace = kept != nullptr;
    outcome done;
    done.seed = seed;
    world in(seed, options);
    try {
        what.run(in);
    } catch (const std::exception& failed) {
        done.failed = true;
        done.text = failed.what();
    }
    const statistics figures = in.stats();
    done.events = figures.events;
    done.operations = figures.operations;
    done.time = static_cast<std::uint64_t>(in.now().count());
    done.hash = figures.trace_hash;
    done.faults = figures.faults;
    for (const auto& [text, reached] : figures.sometimes) {
        bool& known = sometimes[text];
        known = known || reached;
    }
    if (kept) *kept = {in.trace(), in.record()};
    return done;
}

batch_result run_batch(const scenario& what, const batch_options& how,
                       const std::function<void(std::uint64_t)>& progress) {
    batch_result result;
    process_farm farm;
    std::map<std::size_t, listener> listeners;
    std::uint64_t given = 0;
    std::size_t next_id = 0;
    const auto heard = [&](std::size_t id, std::string_view text) {
        listener& from = listeners[id];
        from.rest.append(text);
        for (std::size_t end = from.rest.find('\n'); end != from.rest.npos;
             end = from.rest.find('\n')) {
            take_line(from, std::string_view(from.rest).substr(0, end), result);
            from.rest.erase(0, end + 1);
        }
    };
    const auto ended = [&](std::size_t id, const std::string& how_it_died) {
        listener& from = listeners[id];
        if (!how_it_died.empty() && from.busy) {
            from.current.failed = true;
            from.current.text = "the process was " + how_it_died;
            result.outcomes.push_back(std::move(from.current));
        }
        listeners.erase(id);
    };
    const auto failed = [&] {
        return std::any_of(result.outcomes.begin(), result.outcomes.end(),
                           [](const outcome& each) { return each.failed; });
    };
    while (!result.stopped && (given < how.count || farm.running() > 0)) {
        while (given < how.count && farm.running() < how.jobs) {
            const std::uint64_t share = std::min(seeds_per_child, how.count - given);
            const std::uint64_t first = how.from + given;
            const auto work = [&what, first, share](const auto& say) {
                work_through(what, first, share, say);
            };
            farm.start(next_id++, work, how.patience);
            given += share;
        }
        farm.wait(heard, ended);
        progress(result.outcomes.size());
        result.stopped = failed();
    }
    if (result.stopped) {
        const auto which = std::find_if(result.outcomes.begin(), result.outcomes.end(),
                                        [](const outcome& each) { return each.failed; });
        std::rotate(which, which + 1, result.outcomes.end());
    }
    return result;
}

std::vector<std::string> trace_of(const scenario& what, std::uint64_t seed, unsigned patience) {
    std::string all;
    process_farm farm;
    const auto work = [&](const auto& say) {
        std::map<std::string, bool, std::less<>> sometimes;
        kept_record kept;
        run_seed(what, seed, sometimes, &kept);
        for (const trace_record& line : kept.lines) say(line.print() + "\n");
    };
    farm.start(0, work, patience);
    while (farm.running() > 0) {
        farm.wait([&](std::size_t, std::string_view text) { all.append(text); },
                  [](std::size_t, const std::string&) {});
    }
    std::vector<std::string> lines;
    std::istringstream from(all);
    for (std::string line; std::getline(from, line);) lines.push_back(line);
    return lines;
}

}  // namespace anel::sim
