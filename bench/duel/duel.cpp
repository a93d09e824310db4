// duel.cpp: two servers that live side by side, asked in turn for a short slice each.
//
// See duel.hpp. The load runs in this process: it is the same code at the same addresses for every
// server. Everything is still between slices, so the accounts of a slice are exact: the kernel
// charges a thread when it sleeps.
//
// SPDX-License-Identifier: MIT
#include "duel/duel.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>

#include "common/clocks.hpp"
#include "common/progress.hpp"
#include "common/text.hpp"
#include "common/topology.hpp"
#include "load/load_report.hpp"
#include "load/peer.hpp"
#include "run/own_server.hpp"
#include "run/servers.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto warmup_min = 200ms;      // of each server, in one piece
constexpr auto start_takes = 500ms;     // without the warm-up: three servers, their connections
constexpr std::size_t rounds_max = 10;  // of a start: then another says more than another round
constexpr auto stop_grace = 1000ms;
constexpr auto falls_asleep = 1ms;
constexpr int looks_max = 10;

/// This process on one CPU, and where it was before afterwards.
class pinned {
public:
    explicit pinned(std::optional<int> cpu) {
        if (!cpu) return;
        if (sched_getaffinity(0, sizeof before_, &before_) != 0) fail("sched_getaffinity");
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(*cpu), &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) {
            fail("sched_setaffinity to CPU " + std::to_string(*cpu));
        }
        on_ = true;
    }
    ~pinned() {
        if (on_) sched_setaffinity(0, sizeof before_, &before_);
    }
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;

private:
    cpu_set_t before_{};
    bool on_ = false;
};

/// A server by name; none for a command.
std::optional<server_spec> find_server(const std::string& name, const load_options& load) {
    if (is_server_command(name)) return {};
    std::string all;
    for (const server_spec& one : known_servers()) {
        if (one.name == name) {
            if (!is_built(one)) {
                throw std::invalid_argument(name + " is not built: " + one.program);
            }
            if (const auto why = cannot_serve(one, load); !why.empty()) {
                throw std::invalid_argument(name + " " + why);
            }
            return one;
        }
        all.append(" ").append(one.name);
    }
    throw std::invalid_argument(format("unknown server \"%s\"; known:%s, or a command of your own "
                                       "with {port}",
                                       name.c_str(), all.c_str()));
}

/// One of the three: a process and the load on it.
class living_server {
public:
    living_server(const std::string& name, const std::optional<server_spec>& spec,
                  const load_options& load, const placement& places, const interrupts& ctrl_c)
        : name_(name),
          ctrl_c_(ctrl_c),
          cpus_(std::max<std::size_t>(places.cpu_count(), 1)),
          server_(spec ? start_server(*spec, load, places, ctrl_c)
                       : start_server_command(name, places, ctrl_c)) {
        load_options own = load;
        own.server = server_.address;
        own.cpus = places.cpus();
        own.sleeps = !places.load;
        load_ = connect_sliced_load(own);
    }

    duel_slice slice(std::chrono::nanoseconds length) {
        const auto before = still();
        const auto waited_before = read_cpu_wait(server_.process.pid());
        const load_result load = load_(length);
        const auto used = still() - before;
        const auto waited = read_cpu_wait(server_.process.pid()) - waited_before;
        if (const auto ended = server_.process.poll_exit()) {
            throw std::runtime_error(name_ + " died during the duel: " + ended->text());
        }
        if (load.errors() > 0) {
            throw std::runtime_error(format("%s failed %llu connections; first %s", name_.c_str(),
                                            static_cast<unsigned long long>(load.errors()),
                                            load.first_error.data()));
        }
        const double elapsed = std::chrono::duration<double, std::nano>(load.elapsed).count();
        const auto longest = std::max(waited, load.own_waited);
        duel_slice slice;
        slice.rate = requests_per_second(load);
        slice.waited =
            std::max(static_cast<double>(longest.count()) / elapsed, stolen_share(load, cpus_));
        slice.unsent = unsent_share(load) > unsent_max;
        if (load.requests > 0) {
            slice.cpu_ns = static_cast<double>(used.count()) / static_cast<double>(load.requests);
        }
        return slice;
    }

    void stop() {
        load_ = {};
        server_.process.stop(SIGTERM, stop_grace, ctrl_c_);
    }

private:
    /// The server's CPU time, once it does not grow any more.
    std::chrono::nanoseconds still() {
        auto used = cpu();
        for (int look = 0; look < looks_max; ++look) {
            ctrl_c_.wait_readable(-1, clock::now() + falls_asleep);
            const auto now = cpu();
            if (now == used) break;
            used = now;
        }
        return used;
    }
    [[nodiscard]] std::chrono::nanoseconds cpu() const {
        return read_process(server_.process.pid()).value_or(process_usage{}).cpu;
    }

    std::string name_;
    const interrupts& ctrl_c_;
    std::size_t cpus_;
    running_server server_;
    sliced_load load_;
};

class duellist {
public:
    duellist(const duel_options& options, const interrupts& ctrl_c)
        : options_(options),
          ctrl_c_(ctrl_c),
          a_(find_server(options.a, options.load)),
          b_(find_server(options.b, options.load)),
          places_(plan_placement()),
          pin_(places_.load),
          order_(options.seed),
          line_(options.time) {}

    duel_result run() {
        while (!result_.narrow && !time_is_up()) {
            one_start();
            const auto look = figures_of(result_.starts, duelist_b, ended::narrow).cpu;
            result_.narrow = look.starts >= options_.starts && look.reach() <= options_.within;
        }
        const ended why = result_.narrow ? ended::narrow : ended::in_time;
        result_.b = figures_of(result_.starts, duelist_b, why);
        result_.again = figures_of(result_.starts, duelist_again, why);
        result_.took = clock::now() - began_;
        return std::move(result_);
    }

private:
    [[nodiscard]] bool time_is_up() const { return clock::now() >= began_ + options_.time; }
    [[nodiscard]] std::chrono::nanoseconds warmup() const {
        return std::max<std::chrono::nanoseconds>(options_.slice, warmup_min);
    }
    /// So many that the starts wanted fit into the time.
    [[nodiscard]] std::size_t rounds() const {
        const auto each = options_.time / static_cast<std::int64_t>(options_.starts) - start_takes -
                          static_cast<std::int64_t>(duelists) * warmup();
        const auto fit = each / (static_cast<std::int64_t>(duelists) * options_.slice);
        return static_cast<std::size_t>(std::clamp<std::int64_t>(
            fit, static_cast<std::int64_t>(pairs_of_start_min), rounds_max));
    }

    void one_start() {
        const std::size_t number = result_.starts.size() + 1;
        const auto slices = static_cast<std::int64_t>(duelists * rounds());
        line_.step(format("start %zu", number), start_takes + slices * options_.slice +
                                                    static_cast<std::int64_t>(duelists) * warmup());
        std::vector<std::unique_ptr<living_server>> all;
        for (const std::size_t who : {duelist_a, duelist_b, duelist_again}) {
            const bool is_b = who == duelist_b;
            all.push_back(std::make_unique<living_server>(
                is_b ? options_.b : options_.a, is_b ? b_ : a_, options_.load, places_, ctrl_c_));
        }
        for (const auto& one : all) one->slice(warmup());
        duel_start& start = result_.starts.emplace_back();
        std::array<std::size_t, duelists> turn{duelist_a, duelist_b, duelist_again};
        for (std::size_t n = 0; n < rounds() && !time_is_up(); ++n) {
            std::shuffle(turn.begin(), turn.end(), order_);
            duel_round round;
            for (const std::size_t who : turn) round[who] = all[who]->slice(options_.slice);
            start.push_back(round);
        }
        for (const auto& one : all) one->stop();
    }

    const duel_options& options_;
    const interrupts& ctrl_c_;
    std::optional<server_spec> a_, b_;
    placement places_;
    pinned pin_;
    std::mt19937_64 order_;
    progress line_;
    clock::time_point began_ = clock::now();
    duel_result result_;
};

}  // namespace

duel_result run_duel(const duel_options& options, const interrupts& ctrl_c) {
    check_load(options.load);
    if (options.load.udp) throw std::invalid_argument("a duel is over TCP: no --udp");
    return duellist(options, ctrl_c).run();
}

}  // namespace anel_bench
