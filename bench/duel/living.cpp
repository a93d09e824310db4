// living.cpp: a server that lives, with a load that pauses: asked for a slice at a time.
//
// See living.hpp.
//
// SPDX-License-Identifier: MIT
#include "duel/living.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <utility>

#include "common/clocks.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "run/own_server.hpp"
#include "run/syscall_counter.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto stop_grace = 3000ms;
constexpr auto falls_asleep = 1ms;
constexpr int looks_max = 10;

}  // namespace

contestant find_contestant(const std::string& name, const load_options& load) {
    if (is_server_command(name)) {
        if (load.udp) {
            throw std::invalid_argument("a command of your own is asked over TCP: no --udp");
        }
        return {name, {}};
    }
    std::string all;
    for (const server_spec& one : known_servers()) {
        if (one.name == name) {
            if (!is_built(one)) {
                throw std::invalid_argument(name + " is not built: " + one.program);
            }
            if (const auto why = cannot_serve(one, load); !why.empty()) {
                throw std::invalid_argument(name + " " + why);
            }
            return {name, one};
        }
        all.append(" ").append(one.name);
    }
    throw std::invalid_argument(format("unknown server \"%s\"; known:%s, or a command of your own "
                                       "with {port}",
                                       name.c_str(), all.c_str()));
}

living_server::living_server(const contestant& who, const load_options& load,
                             const placement& places, const interrupts& ctrl_c)
    : who_(who),
      places_(places),
      ctrl_c_(ctrl_c),
      server_(who.spec ? start_server(*who.spec, load, places, ctrl_c)
                       : start_server_command(who.name, places, ctrl_c)) {
    life_.details = server_.details;
    life_.resident_before = read_process(server_.process.pid()).value_or(process_usage{}).resident;
    load_options own = load;
    own.server = server_.address;
    own.cpus = places.cpus();
    own.sleeps = load.sleeps || !places.load;
    try {
        generator_.emplace(own, places.load, ctrl_c);
    } catch (const std::exception& error) {
        throw std::runtime_error(who_.name + ": " + error.what());
    }
}

load_result living_server::loaded(std::chrono::nanoseconds length) {
    load_result load;
    std::string why;
    try {
        load = generator_->slice(length);
    } catch (const std::exception& error) {
        why = error.what();
    }
    if (const auto ended = server_.process.poll_exit()) {
        throw std::runtime_error(who_.name + " died during the duel: " + ended->text());
    }
    if (!why.empty()) throw std::runtime_error(who_.name + ": " + why);
    if (load.errors() > 0) {
        throw std::runtime_error(format("%s failed %llu connections; first %s", who_.name.c_str(),
                                        static_cast<unsigned long long>(load.errors()),
                                        load.first_error.data()));
    }
    return load;
}

duel_slice living_server::slice(std::chrono::nanoseconds length) {
    const auto before = cpu(), interrupts_before = interrupts_of_its_cpu();
    load_result load = loaded(length);
    load.server_cpu = still() - before;
    load.server_resident = read_process(server_.process.pid()).value_or(process_usage{}).resident;
    const auto waited = read_cpu_wait(server_.process.pid());
    // It only waits in slices.
    const auto longest = std::max(waited - waited_, load.own_waited);
    waited_ = waited;
    const double elapsed = std::chrono::duration<double, std::nano>(load.elapsed).count();
    duel_slice slice;
    slice.rate = requests_per_second(load);
    slice.waited = std::max(static_cast<double>(longest.count()) / elapsed,
                            stolen_share(load, std::max<std::size_t>(places_.cpu_count(), 1)));
    slice.unsent = unsent_share(load) > unsent_max;
    slice.cpu_ns = server_cpu_ns_per_request(load);
    slice.p99_ns = static_cast<double>(load.latency.percentile(99).count());
    interrupts_ += interrupts_of_its_cpu() - interrupts_before;
    if (load.requests > 0) {
        life_.cpu_ns.push_back(slice.cpu_ns);
        life_.rates.push_back(slice.rate);
    }
    life_.load += load;
    return slice;
}

void living_server::begin_life() {
    const auto now = read_process(server_.process.pid()).value_or(process_usage{});
    system_before_ = now.system;
    faults_before_ = now.page_faults;
    switches_before_ = read_context_switches(server_.process.pid());
    waited_ = read_cpu_wait(server_.process.pid());
    server_life fresh;
    fresh.resident_before = life_.resident_before;
    fresh.details = life_.details;
    fresh.load.setup = life_.load.setup;  // of connections that stand since before the warm-up
    life_ = std::move(fresh);
    interrupts_ = 0ns;
}

server_life living_server::end_life() {
    const auto now = read_process(server_.process.pid()).value_or(process_usage{});
    life_.load.server_system = now.system - system_before_;
    life_.load.server_switches = read_context_switches(server_.process.pid()) - switches_before_;
    life_.page_faults = now.page_faults - faults_before_;
    if (life_.load.requests > 0) {
        life_.interrupts_ns =
            static_cast<double>(interrupts_.count()) / static_cast<double>(life_.load.requests);
    }
    life_.load.server_cpu += interrupts_;
    life_.load.server_system += interrupts_;
    for (double& slice : life_.cpu_ns) slice += life_.interrupts_ns;
    return std::move(life_);
}

std::optional<call_counts> living_server::count_calls(std::chrono::nanoseconds length) {
    auto counter = syscall_counter::attach(server_.process.pid(), ctrl_c_);
    if (!counter) return {};
    counter->begins();
    const load_result load = loaded(length);
    still();
    counter->ends();
    const auto count = counter->finish();
    if (!count || load.requests == 0) return {};
    const auto requests = static_cast<double>(load.requests);
    call_counts all;
    all.tool = count->tool;
    all.calls = static_cast<double>(count->calls) / requests;
    if (count->ring_completions > 0 && count->calls > 0) {
        all.completions_per_call =
            static_cast<double>(count->ring_completions) / static_cast<double>(count->calls);
    }
    if (count->ring_submissions > 0) {
        all.submissions = static_cast<double>(count->ring_submissions) / requests;
    }
    if (count->user_instructions) {
        all.user_instructions = static_cast<double>(*count->user_instructions) / requests;
    }
    return all;
}

void living_server::stop() {
    generator_.reset();
    const auto status = server_.process.stop(SIGTERM, stop_grace, ctrl_c_);
    // A command of somebody's own may end as it likes.
    if (who_.spec && !status.success()) {
        throw std::runtime_error(who_.name + " did not end well on SIGTERM: " + status.text());
    }
}

std::chrono::nanoseconds living_server::still() {
    auto used = cpu();
    for (int look = 0; look < looks_max; ++look) {
        ctrl_c_.wait_readable(-1, clock::now() + falls_asleep);
        const auto now = cpu();
        if (now == used) break;
        used = now;
    }
    return used;
}

std::chrono::nanoseconds living_server::cpu() const {
    return read_process_cpu(server_.process.pid()).value_or(0ns);
}

std::chrono::nanoseconds living_server::interrupts_of_its_cpu() const {
    if (!places_.interrupts_apart || !places_.server) return 0ns;
    return read_cpu_time({*places_.server}).interrupts;
}

}  // namespace anel_bench
