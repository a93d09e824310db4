// world.cpp: what a test asks of a world.
// SPDX-License-Identifier: MIT
#include "net/sim/network.hpp"

#include <exception>
#include <optional>

namespace anel::sim {
namespace {

/// A program that can be started once: hosts are given as functions.
world::program only_once(task<> work) {
    auto kept = std::make_shared<std::optional<task<>>>(std::move(work));
    return [kept] {
        task<> taken = std::move(kept->value());
        kept->reset();
        return taken;
    };
}

std::vector<address> parse_all(std::initializer_list<std::string_view> texts) {
    std::vector<address> all;
    for (const std::string_view text : texts) all.push_back(pack(endpoint(text, 0)));
    return all;
}

struct end_on_failure {
    network& in;
    int exceptions = std::uncaught_exceptions();
    explicit end_on_failure(network& which) : in(which) { in.set_run(true); }
    end_on_failure(const end_on_failure&) = delete;
    end_on_failure& operator=(const end_on_failure&) = delete;
    ~end_on_failure() {
        in.set_run(false);
        if (std::uncaught_exceptions() > exceptions) in.crash_everybody();
    }
};

}  // namespace

world::world(std::uint64_t seed, const world_options& options)
    : network_(std::make_unique<network>(seed, options)) {}
world::~world() = default;

void world::host(std::string_view name, std::string_view addresses, program start) {
    network_->add(name, addresses, std::move(start), false, true);
}
void world::host(std::string_view name, std::string_view addresses, task<> work) {
    network_->add(name, addresses, only_once(std::move(work)), false, false);
}
void world::client(std::string_view name, std::string_view addresses, program start) {
    network_->add(name, addresses, std::move(start), true, true);
}
void world::client(std::string_view name, std::string_view addresses, task<> work) {
    network_->add(name, addresses, only_once(std::move(work)), true, false);
}

// Whatever goes wrong, no program runs any more when it is told: the variables that programs share
// with a test often end before the world does.
void world::run_for(duration time) {
    const end_on_failure guard{*network_};
    network_->advance_until(after(network_->shared().now, time), false);
    if (network_->failed()) network_->fail();
}

void world::run(duration limit) {
    const end_on_failure guard{*network_};
    const time_point start = network_->shared().now;
    network_->call_at(after(start, limit / 2), [this] { network_->stop_faults(); });
    network_->advance_until(after(start, limit), true);
    network_->finish();
}

duration world::now() const noexcept { return network_->shared().now.time_since_epoch(); }
std::uint64_t world::seed() const noexcept { return network_->shared().seed; }
std::uint64_t world::random(std::uint64_t bound) { return network_->shared().choices.below(bound); }

void world::at(duration time, std::function<void()> act) {
    network_->call_at(time_point(time), std::move(act));
}

void world::name(std::string_view name, std::initializer_list<std::string_view> addresses) {
    network_->set_name(name, parse_all(addresses));
}

void world::partition(std::string_view one, std::string_view other) {
    const std::uint32_t a = network_->find(one).index;
    const std::uint32_t b = network_->find(other).index;
    network_->links().between(a, b).cut = network_->links().between(b, a).cut = true;
    network_->saw("partition", {a, b});
}

void world::partition_one_way(std::string_view from, std::string_view to) {
    const std::uint32_t a = network_->find(from).index;
    const std::uint32_t b = network_->find(to).index;
    network_->links().between(a, b).cut = true;
    network_->saw("one_way_partition", {a, b});
}

void world::clog(std::string_view one, std::string_view other) {
    const std::uint32_t a = network_->find(one).index;
    const std::uint32_t b = network_->find(other).index;
    network_->links().between(a, b).held_until = never;
    network_->links().between(b, a).held_until = never;
    network_->saw("clog", {a, b});
}

void world::isolate(std::string_view host) {
    const std::uint32_t self = network_->find(host).index;
    network_->saw("partition", {self});
    for (std::uint32_t other = 0; other < network_->links().hosts(); ++other) {
        if (other == self) continue;
        network_->links().between(self, other).cut = true;
        network_->links().between(other, self).cut = true;
    }
}

void world::link(std::string_view one, std::string_view other, duration latency_min,
                 duration latency_max, std::uint64_t bandwidth) {
    const std::uint32_t a = network_->find(one).index;
    const std::uint32_t b = network_->find(other).index;
    for (sim::link* way : {&network_->links().between(a, b), &network_->links().between(b, a)}) {
        way->latency_min = latency_min;
        way->latency_max = std::max(latency_min, latency_max);
        way->bandwidth = bandwidth;
    }
}

void world::heal() { network_->heal(); }
void world::stop_faults() { network_->stop_faults(); }
void world::crash(std::string_view host) { network_->want_crash(network_->find(host)); }
void world::restart(std::string_view host) { network_->want_restart(network_->find(host)); }
bool world::is_up(std::string_view host) const { return network_->find(host).is_up(); }
void world::limit_descriptors(std::string_view host, std::size_t most) {
    network_->find(host).descriptors_max = most;
}

void world::always(bool condition, std::string_view text) {
    if (condition) return;
    network_->broke("always: " + std::string(text));
    if (network_->is_run()) return;  // it throws at its next step
    const end_on_failure guard{*network_};
    network_->fail();
}

void world::sometimes(bool condition, std::string_view text) {
    for (auto& [known, reached] : network_->reached) {
        if (known != text) continue;
        reached = reached || condition;
        return;
    }
    network_->reached.emplace_back(text, condition);
}

statistics world::stats() const {
    const core& all = network_->shared();
    statistics now;
    now.events = all.record.count();
    now.trace_hash = all.record.hash();
    now.faults = all.hits;
    now.operations = all.operations;
    now.sometimes = network_->reached;
    return now;
}

std::string world::tasks() const { return network_->tasks(); }
std::string world::record() const { return network_->record(); }
std::vector<trace_record> world::trace() const { return network_->shared().record.lines(); }

}  // namespace anel::sim
