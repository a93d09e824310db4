// main.cpp: anel-micro: times the primitives of anel and, where it is installed, of Asio.
//
// Takes the options of Google Benchmark. Its own defaults: many short repetitions of everything in
// a random order, so that what drifts slowly meets both libraries alike; one CPU.
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "common/environment.hpp"
#include "common/text.hpp"
#include "primitives.hpp"
#include "report.hpp"
#include "threads.hpp"

namespace {

using namespace anel_bench;

void add(const char* library, const std::vector<primitive>& primitives) {
    for (const primitive& one : primitives) {
        const std::string name = std::string(library) + "/" + one.name;
        auto* added = benchmark::RegisterBenchmark(name.c_str(), one.run);
        if (one.across_threads) added->UseRealTime();
    }
}

std::string memory_text() {
    const memory_need own = anel_memory();
    std::vector<std::vector<std::string>> rows{
        {"bytes of heap", "anel"},
        {"coroutine that returns an int", std::to_string(own.frame)},
        {"spawned coroutine that sleeps", std::to_string(own.sleeping)}};
#ifdef ANEL_BENCH_ASIO
    const memory_need peer = asio_memory();
    rows[0].push_back("Asio");
    rows[1].push_back(std::to_string(peer.frame));
    rows[2].push_back(std::to_string(peer.sleeping));
#endif
    return table(rows);
}

constexpr const char* legend =
    "ns: median of the repetitions ± half its 95 % bootstrap interval. ratio: Asio's median ÷ "
    "anel's: above 1, anel is faster; a tie when the ratio's 95 % interval holds 1. allocations: "
    "calls of operator new each time, once warm.";

}  // namespace

int main(int argc, char** argv) {
    // What the user says comes later, and wins.
    std::vector<std::string> defaults{"--benchmark_repetitions=21", "--benchmark_min_time=0.02",
                                      "--benchmark_enable_random_interleaving=true"};
    std::vector<char*> arguments{argv[0]};
    for (std::string& text : defaults) arguments.push_back(text.data());
    arguments.insert(arguments.end(), argv + 1, argv + argc);
    int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

    run_on_cpu(0);
    const auto own = anel_primitives();
    std::vector<std::string> names;
    for (const primitive& one : own) names.push_back(one.name);
    add("anel", own);
    std::string peer = "Asio is not installed";
#ifdef ANEL_BENCH_ASIO
    const auto theirs = asio_primitives();
    for (const primitive& one : theirs) {  // "x (in some way)" comes after "x"
        auto place = std::find(names.begin(), names.end(), one.name.substr(0, one.name.find(" (")));
        if (one.name != *place) names.insert(place + 1, one.name);
    }
    add("asio", theirs);
    peer = "Asio " + asio_version() +
           ": awaitable with any_io_executor; on one thread without its locks";
#endif

    std::printf("%s\n%s\n", environment_line().c_str(), peer.c_str());
    if (!built_optimised()) {
        std::printf("! this build is not optimised: its figures mean nothing\n");
    }
    std::fflush(stdout);
    pair_reporter report;
    benchmark::RunSpecifiedBenchmarks(&report);
    benchmark::Shutdown();
    std::printf("%s%s\n%s", report.text(names).c_str(), wrapped(legend).c_str(),
                memory_text().c_str());
    return report.all_well() ? 0 : 1;
}
