// explore.cpp: the command line of a simulation, and what it prints.
// SPDX-License-Identifier: MIT
#include "net/sim/random.hpp"
#include "net/sim/seed_runner.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <thread>
#include <tuple>

namespace anel::sim {
namespace {

constexpr std::string_view usage = R"(options:
  --seeds=N        run N seeds of each scenario (100)
  --from=N         the first one (1)
  --jobs=N         in N processes at a time (as many as there are processors)
  --filter=NAME    only this scenario
  --check          run each seed twice, and compare
  --regressions=F  first run the seeds in file F: a scenario and a seed in each line
  --find           succeed when some seed fails, and fail when none does
  --trace          with ANEL_SIM_SEED: print the record of the run
  --record=FILE    with ANEL_SIM_SEED: write it as JSON, for anel-trace to draw
  --shrink         with ANEL_SIM_SEED: find the faults that it takes
  --list           name the scenarios
ANEL_SIM_SEED=0x2a in the environment: run this seed in this process, and nothing else.
)";

struct command {
    batch_options batch;
    std::string filter;
    std::string regressions;
    std::string record;
    bool check = false;
    bool find = false;
    bool trace = false;
    bool shrink = false;
    bool list = false;
    bool help = false;
    std::optional<std::uint64_t> seed;
    std::string program;
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    const bool good = error == std::errc() && end == text.data() + text.size();
    return good ? std::optional(value) : std::nullopt;
}

// Returns false, and says why, when the command line is wrong.
bool read_command(int argc, char** argv, command& into) {
    into.program = argv[0];
    into.batch.jobs = std::max(1U, std::thread::hardware_concurrency());
    if (const char* seed = std::getenv("ANEL_SIM_SEED")) {
        into.seed = number(seed);
        if (!into.seed) {
            std::cerr << "ANEL_SIM_SEED=" << seed << ": not a number\n";
            return false;
        }
    }
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = word.substr(0, equals);
        const std::string_view value = equals < word.size() ? word.substr(equals + 1) : "";
        const auto count = number(value);
        if (name == "--seeds" && count) into.batch.count = *count;
        else if (name == "--from" && count) into.batch.from = *count;
        else if (name == "--jobs" && count && *count > 0) {
            into.batch.jobs = static_cast<unsigned>(std::min<std::uint64_t>(*count, 256));
        } else if (name == "--filter") into.filter = value;
        else if (name == "--regressions") into.regressions = value;
        else if (name == "--record" && !value.empty()) into.record = value;
        else if (word == "--check") into.check = true;
        else if (word == "--find") into.find = true;
        else if (word == "--trace") into.trace = true;
        else if (word == "--shrink") into.shrink = true;
        else if (word == "--list") into.list = true;
        else if (word == "--help" || word == "-h") into.help = true;
        else {
            std::cerr << into.program << ": " << word << "?\n" << usage;
            return false;
        }
    }
    return true;
}

void print_failure(const command& how, const scenario& what, const outcome& failed) {
    const std::string again =
        "ANEL_SIM_SEED=" + in_hex(failed.seed) + " " + how.program + " --filter=" + what.name;
    std::cout << "\nFAILED " << what.name << ": " << failed.text << "\nto repeat it:\n  " << again
              << "\nto look at it:\n  " << again
              << " --record=run.json; anel-trace sequence run.json -o run.html" << std::endl;
}

// The same for the same seeds, in every build with every compiler.
std::uint64_t hash_of_all(const batch_result& result) {
    std::map<std::uint64_t, std::uint64_t> by_seed;
    for (const outcome& each : result.outcomes) by_seed[each.seed] = each.hash;
    std::uint64_t all = 0;
    for (const auto& [seed, hash] : by_seed) all = mixed(all ^ hash);
    return all;
}

// What the batch came to. Returns false when something that should happen sometimes never did.
bool print_summary(const scenario& what, const batch_result& result) {
    std::uint64_t events = 0;
    std::uint64_t time = 0;
    std::array<std::uint64_t, fault_count> hits{};
    std::array<std::uint64_t, fault_count> seeds{};
    for (const outcome& each : result.outcomes) {
        events += each.events;
        time += each.time;
        for (std::size_t i = 0; i < fault_count; ++i) {
            hits[i] += each.faults[i];
            seeds[i] += each.faults[i] > 0;
        }
    }
    std::cout << what.name << ": " << result.outcomes.size() << " seeds, " << events << " events, "
              << time / 1'000'000'000 << " s of virtual time, hash " << in_hex(hash_of_all(result))
              << "\n";
    for (std::size_t i = 0; i < fault_count; ++i) {
        if (hits[i] == 0) continue;
        std::cout << "  " << name_of(static_cast<fault>(i)) << ": " << hits[i] << " times in "
                  << seeds[i] << " seeds\n";
    }
    bool all = true;
    for (const auto& [text, reached] : result.sometimes) {
        std::cout << "  sometimes " << text << ": " << (reached ? "yes" : "NEVER") << "\n";
        all = all && reached;
    }
    return all;
}

// Prints where two runs of one seed part.
void print_difference(const scenario& what, std::uint64_t seed, unsigned patience) {
    const std::vector<std::string> first = trace_of(what, seed, patience);
    const std::vector<std::string> second = trace_of(what, seed, patience);
    const std::size_t most = std::min(first.size(), second.size());
    std::size_t at = 0;
    while (at < most && first[at] == second[at]) ++at;
    std::cout << "\nFAILED " << what.name << ": two runs of seed " << in_hex(seed)
              << " differ at line " << at << ":\n  " << (at < first.size() ? first[at] : "(end)")
              << "\n  " << (at < second.size() ? second[at] : "(end)") << std::endl;
}

// The second run of every seed must be the first one again.
bool same_again(const command& how, const scenario& what, batch_result& first) {
    const auto silent = [](std::uint64_t) {};
    const batch_result second = run_batch(what, how.batch, silent);
    std::map<std::uint64_t, std::uint64_t> hashes;
    for (const outcome& each : first.outcomes) hashes[each.seed] = each.hash;
    for (const outcome& each : second.outcomes) {
        if (hashes[each.seed] == each.hash) continue;
        print_difference(what, each.seed, how.batch.patience);
        return false;
    }
    return true;
}

bool run_scenario(const command& how, const scenario& what) {
    std::uint64_t shown = 0;
    const auto progress = [&](std::uint64_t done) {
        // Ten lines, however many seeds: it may be a log file.
        const std::uint64_t step = std::max<std::uint64_t>(1, how.batch.count / 10);
        if (done / step == shown / step) return;
        shown = done;
        std::cout << "  " << done << " of " << how.batch.count << std::endl;
    };
    batch_result result = run_batch(what, how.batch, progress);
    const bool complete = print_summary(what, result);
    if (result.stopped) {
        print_failure(how, what, result.outcomes.back());
        return false;
    }
    if (!complete) std::cout << "FAILED " << what.name << ": see NEVER above\n";
    return complete && (!how.check || same_again(how, what, result));
}

// Seeds that failed once.
bool run_regressions(const command& how, const std::vector<scenario>& scenarios) {
    std::ifstream file(how.regressions);
    if (!file) {
        std::cerr << how.regressions << ": cannot be read\n";
        return false;
    }
    int count = 0;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        std::string seed;
        words >> name >> seed;
        if (name.empty() || name.starts_with('#')) continue;
        for (const scenario& what : scenarios) {
            if (what.name != name) continue;
            batch_options one = how.batch;
            one.from = number(seed).value_or(0);
            one.count = 1;
            const batch_result result = run_batch(what, one, [](std::uint64_t) {});
            count += 1;
            if (!result.stopped) continue;
            print_failure(how, what, result.outcomes.back());
            return false;
        }
    }
    std::cout << count << " regressions passed\n";
    return true;
}

// Switches faults off, one after the other, as long as the run still fails.
void shrink(const command& how, scenario what) {
    batch_options one = how.batch;
    one.from = *how.seed;
    one.count = 1;
    const auto silent = [](std::uint64_t) {};
    std::cout << "it takes:";
    for (std::size_t i = 0; i < fault_count; ++i) {
        const auto kind = static_cast<fault>(i);
        what.options.never.push_back(kind);
        if (run_batch(what, one, silent).stopped) continue;
        what.options.never.pop_back();
        std::cout << ' ' << name_of(kind);
    }
    std::cout << std::endl;
}

int run_one(const command& how, const scenario& what) {
    std::map<std::string, bool, std::less<>> sometimes;
    kept_record kept;
    const bool keeps = how.trace || !how.record.empty();
    const outcome done = run_seed(what, *how.seed, sometimes, keeps ? &kept : nullptr);
    if (!how.trace) kept.lines.clear();
    for (const trace_record& line : kept.lines) std::cout << line.print() << '\n';
    if (!how.record.empty() && !(std::ofstream(how.record) << kept.json << std::flush)) {
        std::cerr << how.program << ": cannot write " << how.record << '\n';
        return 1;
    }
    std::cout << what.name << " " << in_hex(done.seed) << ": " << done.events << " events, hash "
              << in_hex(done.hash) << std::endl;
    if (!done.failed) return 0;
    print_failure(how, what, done);
    if (how.shrink) shrink(how, what);
    return 1;
}

}  // namespace

int explore(int argc, char** argv, const std::vector<scenario>& scenarios) {
    command how;
    if (!read_command(argc, argv, how)) return 2;
    if (how.help) {
        const std::string name = how.program.substr(how.program.rfind('/') + 1);
        std::cout << "usage: " << name << " [OPTION...]\n" << usage;
        return 0;
    }
    if (!how.record.empty() && !how.seed) {
        std::cerr << how.program << ": --record needs ANEL_SIM_SEED\n";
        return 2;
    }
    if (how.list) {
        for (const scenario& what : scenarios) std::cout << what.name << '\n';
        return 0;
    }
    if (!how.regressions.empty() && !how.seed && !run_regressions(how, scenarios)) return 1;
    bool any = false;
    bool passed = true;
    for (const scenario& what : scenarios) {
        if (!how.filter.empty() && what.name != how.filter) continue;
        any = true;
        if (how.seed) passed = run_one(how, what) == 0 && passed;
        else passed = run_scenario(how, what) && passed;
        if (!passed) break;
    }
    if (!any) {
        std::cerr << how.program << ": no scenario " << how.filter << '\n';
        return 2;
    }
    return passed != how.find ? 0 : 1;
}

}  // namespace anel::sim
