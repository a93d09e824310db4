// causes.cpp: where the difference between two servers comes from, for one request.
//
// See causes.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/causes.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "common/environment.hpp"
#include "common/statistics.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

// The kernel's accounts of user and system time are samples, one each tick. No kernel samples less
// often than this.
constexpr double tick_ns = 1e7;

double own_cpu_ns() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

constexpr int exchanges = 3000;

/// What one exchange takes of this process: it writes a byte and reads one.
double exchange_ns(int to, int from) {
    char byte = 0;
    const double before = own_cpu_ns();
    for (int n = 0; n < exchanges; ++n) {
        if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1) return 0;
    }
    return (own_cpu_ns() - before) / exchanges;
}

/// Two processes on one CPU hand a byte to and fro, so that each read sleeps; beside it the same
/// reads and writes of a byte that is there.
double context_switch_ns(const placement& places, const interrupts& ctrl_c) {
    pipe_ends there = make_pipe(), back = make_pipe(), result = make_pipe();
    const child other = child::run(
        [&] {
            char byte = 0;
            while (read(there.read.get(), &byte, 1) == 1) {
                if (write(back.write.get(), &byte, 1) != 1) return 1;
            }
            return 0;
        },
        places.server);
    const child asking = child::run(
        [&] {
            pipe_ends own = make_pipe();
            const double at_once = exchange_ns(own.write.get(), own.read.get());
            const double slept = exchange_ns(there.write.get(), back.read.get());
            const double more = std::max(0.0, slept - at_once);
            return write(result.write.get(), &more, sizeof more) == sizeof more ? 0 : 1;
        },
        places.server);
    double found = 0;
    const auto until = std::chrono::steady_clock::now() + 5s;
    if (!ctrl_c.wait_readable(result.read.get(), until) ||
        read(result.read.get(), &found, sizeof found) != sizeof found) {
        return 0;
    }
    return found;
}

double page_fault_ns() {
    constexpr std::size_t pages = 2048;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory =
        mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    madvise(memory, pages * page, MADV_NOHUGEPAGE);
    const double before = own_cpu_ns();
    for (std::size_t n = 0; n < pages; ++n) {
        static_cast<volatile char*>(memory)[n * page] = 1;
    }
    const double each = (own_cpu_ns() - before) / static_cast<double>(pages);
    munmap(memory, pages * page);
    return each;
}

double calls_of(const request_costs& one) { return one.counted ? one.counted->calls : 0; }

/// A line of counts, worth `price` each; left out where either is not known or both are nothing.
void add_count(std::vector<cause>& lines, const char* what, std::optional<double> a,
               std::optional<double> b, double price) {
    if (!a || !b || (*a == 0 && *b == 0)) return;
    lines.push_back({.what = format("%s, at %.0f ns", what, price),
                     .depth = 2,
                     .in = cause::unit::count,
                     .a = *a,
                     .b = *b,
                     .difference_ns = (*b - *a) * price});
}

void add_beside(std::vector<cause>& lines, const std::string& what, std::optional<double> a,
                std::optional<double> b) {
    if (!a && !b) return;
    lines.push_back({.what = what,
                     .in = cause::unit::count,
                     .a = a.value_or(0),
                     .b = b.value_or(0),
                     .adds = false});
}

}  // namespace

request_costs costs_of(const std::vector<server_life>& lives,
                       const std::optional<call_counts>& counted, const load_options& load) {
    request_costs all;
    load_result together;
    std::vector<double> slices;
    double faults = 0;
    for (const server_life& life : lives) {
        together += life.load;
        slices.insert(slices.end(), life.cpu_ns.begin(), life.cpu_ns.end());
        faults += static_cast<double>(life.page_faults);
    }
    const auto requests = static_cast<double>(std::max<std::uint64_t>(together.requests, 1));
    all.cpu_ns = median(std::move(slices));
    all.user_share = 1 - server_system_share(together);
    const double samples = static_cast<double>(together.server_cpu.count()) / tick_ns;
    all.user_share_error =
        std::sqrt(std::max(0.0, all.user_share * (1 - all.user_share)) / std::max(samples, 1.0));
    // Of threads that live: where each connection has one for a short time they are missing.
    if (!load.churn) all.switches = static_cast<double>(together.server_switches) / requests;
    all.page_faults = faults / requests;
    all.counted = counted;
    if (counted && counted->user_instructions) {
        all.user_instructions = counted->user_instructions;
        all.instructions_with = counted->tool;
    }
    return all;
}

prices prices_of(const placement& places, const interrupts& ctrl_c) {
    return {empty_system_call_ns(), context_switch_ns(places, ctrl_c), page_fault_ns()};
}

std::vector<cause> causes_of(const duel_causes& duel) {
    const request_costs &a = duel.a, &b = duel.b;
    const double b_cpu = a.cpu_ns * duel.ratio;  // from pairs: the median of its slices is not
    const double a_user = a.user_share * a.cpu_ns, b_user = b.user_share * b_cpu;
    const double error = std::hypot(a.user_share_error * a.cpu_ns, b.user_share_error * b_cpu);
    std::vector<cause> lines{
        {.what = "CPU time", .a = a.cpu_ns, .b = b_cpu, .difference_ns = b_cpu - a.cpu_ns},
        {.what = format("in user space, sampled, ± %.0f", error),
         .depth = 1,
         .a = a_user,
         .b = b_user,
         .difference_ns = b_user - a_user}};
    const double kernel = (b_cpu - b_user) - (a.cpu_ns - a_user);
    lines.push_back({.what = "in the kernel",
                     .depth = 1,
                     .a = a.cpu_ns - a_user,
                     .b = b_cpu - b_user,
                     .difference_ns = kernel});
    const bool counted = a.counted && b.counted;
    if (counted) {
        add_count(lines, "system calls", calls_of(a), calls_of(b), duel.at.empty_call);
    }
    add_count(lines, "context switches", a.switches, b.switches, duel.at.context_switch);
    add_count(lines, "page faults", a.page_faults, b.page_faults, duel.at.page_fault);
    double explained = 0;
    double a_explained = 0, b_explained = 0;
    for (const cause& line : lines) {
        if (line.depth < 2) continue;
        const double price = line.b == line.a ? 0 : line.difference_ns / (line.b - line.a);
        explained += line.difference_ns;
        a_explained += price * line.a;
        b_explained += price * line.b;
    }
    lines.push_back({.what = "not explained by these counts",
                     .depth = 2,
                     .a = a.cpu_ns - a_user - a_explained,
                     .b = b_cpu - b_user - b_explained,
                     .difference_ns = kernel - explained});
    const auto submissions = [](const request_costs& one) {
        return one.counted ? one.counted->submissions : std::nullopt;
    };
    const auto completions = [](const request_costs& one) {
        return one.counted ? one.counted->completions_per_call : std::nullopt;
    };
    add_beside(lines, "submissions to io_uring", submissions(a), submissions(b));
    add_beside(lines, "completions of io_uring a system call", completions(a), completions(b));
    if (a.user_instructions && b.user_instructions) {
        add_beside(lines, "instructions in user space, " + a.instructions_with, a.user_instructions,
                   b.user_instructions);
    }
    return lines;
}

}  // namespace anel_bench
