// network.cpp: hosts and their addresses, and the order in which things happen.
// SPDX-License-Identifier: MIT
#include "net/sim/network.hpp"

#include "net/sim/backend.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

// Linux: net.ipv4.ip_local_port_range, and how long a port lingers.
constexpr std::uint16_t port_first = 32'768;
constexpr std::uint16_t port_last = 60'999;
constexpr duration linger_time = 60s;

// An IPv6 socket speaks IPv4 unless it is bound to an IPv6 address, and nothing else when it is
// bound to a mapped one.
std::int32_t reachable(const descriptor& from, const address& to) noexcept {
    if (from.family() == address_family::ipv6 && to.family == address_family::ipv4) {
        const bool is_six = from.bound && from.local.family == address_family::ipv6;
        if (from.v6_only || (is_six && !is_any(from.local))) return -ENETUNREACH;
    }
    if (from.bound && from.local.family != to.family && to.family == address_family::ipv6) {
        return -EAFNOSUPPORT;
    }
    const bool elsewhere = is_link_local(to) && to.scope != 0 && to.scope != index_of_eth0;
    return elsewhere ? -ENETUNREACH : 0;
}

}  // namespace

network::network(std::uint64_t seed, const world_options& options)
    : core_(seed, options), links_(core_), streams_(*this), datagrams_(*this) {
    names_["localhost"] = {loopback(address_family::ipv6, 0), loopback(address_family::ipv4, 0)};
    if (options.swarm) draw_swarm();
    for (const fault kind : options.never) core_.rates[kind] = 0;
    begin_mishaps();
}

network::~network() { crash_everybody(); }

// --- addresses ----------------------------------------------------------------------------------

machine* network::machine_at(machine& here, const address& to) noexcept {
    if (is_loopback(to)) return &here;
    for (const auto& each : machines_) {
        for (const address& own : each->addresses) {
            if (same_ip(own, to)) return each.get();
        }
    }
    return nullptr;
}

std::optional<address> network::source_for(const machine& here, const address& to) const noexcept {
    if (is_loopback(to)) return loopback(to.family, 0);
    const address* first = nullptr;
    for (const address& own : here.addresses) {
        if (own.family != to.family) continue;
        if (same_ip(own, to)) return own;  // to oneself, from oneself
        // Link-local ones go with each other.
        const bool better = first && is_link_local(*first) != is_link_local(to) &&
                            is_link_local(own) == is_link_local(to);
        if (!first || better) first = &own;
    }
    return first ? std::optional(*first) : std::nullopt;
}

std::int32_t network::choose_local(descriptor& which, const address& to) {
    const machine& here = which.home->host();
    if (const std::int32_t error = reachable(which, to)) return error;
    const auto source = source_for(here, to);
    if (!source) return -ENETUNREACH;
    if (!which.bound) {
        address local = *source;
        local.port = free_port(which, local);
        if (local.port == 0) return -EADDRNOTAVAIL;
        which.local = local;
        which.bound = true;
        return 0;
    }
    return 0;
}

void network::settle_local(descriptor& which, const address& to) const noexcept {
    if (!is_any(which.local)) return;
    const std::uint16_t port = which.local.port;
    which.local = source_for(which.home->host(), to).value_or(which.local);
    which.local.port = port;
}

std::uint16_t network::free_port(const descriptor& which, address wanted) {
    machine& here = which.home->host();
    constexpr std::uint32_t count = port_last - port_first + 1U;
    for (std::uint32_t tries = 0; tries < count; ++tries) {
        here.next_port = here.next_port >= port_last ? port_first : here.next_port + 1;
        wanted.port = here.next_port;
        if (!which.home->is_taken(which, wanted)) return wanted.port;
    }
    return 0;
}

void network::linger(machine& at, const address& name) {
    std::erase_if(at.lingering, [&](const lingering_port& old) { return old.until <= core_.now; });
    at.lingering.push_back({name, core_.now + linger_time});
}

machine& network::add(std::string_view name, std::string_view addresses, world::program start,
                      bool must_end, bool may_restart) {
    for (const auto& each : machines_) {
        if (each->name == name) throw std::invalid_argument("sim: two hosts " + each->name);
    }
    auto made = std::make_unique<machine>();
    machine& host = *made;
    host.index = static_cast<std::uint32_t>(machines_.size());
    host.name = name;
    for (std::size_t from = 0; from < addresses.size();) {
        const std::size_t to = std::min(addresses.find(' ', from), addresses.size());
        if (to > from)
            host.addresses.push_back(pack(endpoint(addresses.substr(from, to - from), 0)));
        from = to + 1;
    }
    host.start = std::move(start);
    host.must_end = must_end;
    host.may_restart = may_restart;
    host.descriptors_max = core_.options.descriptors_max;
    host.next_port = core_.packets.between(port_first, port_last);
    set_name(name, host.addresses);
    machines_.push_back(std::move(made));
    links_.add_host();
    this->start(host);
    return host;
}

machine& network::find(std::string_view name) {
    for (const auto& each : machines_) {
        if (each->name == name) return *each;
    }
    throw std::invalid_argument("sim: no host " + std::string(name));
}

void network::call_at(time_point when, std::function<void()> act) {
    calls_.push_back(std::move(act));
    core_.schedule(when, event_kind::call, static_cast<std::uint32_t>(calls_.size() - 1));
}

// --- who is next --------------------------------------------------------------------------------

void network::has_work(machine& which) {
    if (std::exchange(which.listed, true)) return;
    with_work_.push_back(which.index);
}

void network::wake_at(machine& which, time_point when) {
    if (when >= which.wakes_at) return;  // it looks again then, and sees what is left to wait for
    which.wakes_at = when;
    core_.schedule(when, event_kind::wake, which.index, which.life);
}

machine& network::next_machine() {
    std::size_t place = 0;
    if (!core_.options.first_in_first_out && with_work_.size() > 1) {
        place = core_.order.below(with_work_.size());
        std::swap(with_work_[place], with_work_.back());
        place = with_work_.size() - 1;
    }
    machine& next = *machines_[with_work_[place]];
    with_work_.erase(with_work_.begin() + static_cast<std::ptrdiff_t>(place));
    next.listed = false;
    return next;
}

bool network::step(time_point limit) {
    if (asked_) do_what_was_asked();
    const bool due = !core_.events.empty() && core_.events.first().at <= core_.now;
    const bool event_first = due && (core_.options.first_in_first_out || core_.order.below(2) == 0);
    if (!with_work_.empty() && !event_first) {
        turn(next_machine());
        return true;
    }
    if (core_.events.empty() || core_.events.first().at > limit) return false;
    const event what = core_.events.pop();
    core_.now = std::max(core_.now, what.at);
    dispatch(what);
    return true;
}

void network::dispatch(const event& what) {
    const auto line = static_cast<std::uint32_t>(what.kind);
    switch (what.kind) {
        case event_kind::wake: {
            machine& host = *machines_[what.target];
            if (what.generation != host.life || host.wakes_at > core_.now) return;
            host.wakes_at = never;
            has_work(host);
            return;
        }
        case event_kind::datagram:
        case event_kind::unreachable:
            core_.log(0, line, -1, 0, 0);
            return datagrams_.on_event(what);
        case event_kind::call: {
            core_.log(0, line, -1, what.target, 0);
            const auto act = std::exchange(calls_[what.target], nullptr);
            return act();
        }
        case event_kind::restart: return want_restart(*machines_[what.target]);
        case event_kind::mishap: return mishap();
        default:
            if (!streams_.is_current(what)) return;
            core_.log(0, line, -1, what.target, static_cast<std::int32_t>(what.extra));
            streams_.on_event(what);
    }
    if (core_.happens(fault::spurious_wake)) {
        machine& host = *machines_[core_.faults.below(machines_.size())];
        if (host.turning) has_work(host);
    }
}

void network::turn(machine& which) {
    if (!which.turning) return;
    if (which.paused_until > core_.now) return wake_at(which, which.paused_until);
    core_.log(which.index, trace_turn, -1, 0, 0);
    const step_result done = which.turning->step([this](op_queue& ready) {
        if (core_.options.first_in_first_out) return;
        shuffled_.clear();
        while (suspension* item = ready.pop()) shuffled_.push_back(item);
        for (std::size_t i = shuffled_.size(); i > 0; --i) {
            std::swap(shuffled_[i - 1], shuffled_[i > 1 ? core_.order.below(i) : 0]);
            ready.push(*shuffled_[i - 1]);
        }
    });
    core_.now += duration(static_cast<std::int64_t>(done.resumes * core_.tick));
    if (which.root && which.root->ended()) ended(which);
    if (which.backend->has_news() || done.next == time_point::min()) has_work(which);
    else wake_at(which, std::min(done.next, which.backend->next_answer()));
}

std::string network::record() {
    std::vector<std::pair<std::string, std::string>> hosts;
    for (const auto& each : machines_) {
        if (each->turning) core_.seen.take(*each->turning, each->index);
        std::string addresses;
        for (const address& own : each->addresses) {
            if (!addresses.empty()) addresses += ' ';
            const std::string text = unpack(own).to_string();
            addresses += text.substr(0, text.rfind(':'));
        }
        hosts.emplace_back(each->name, std::move(addresses));
    }
    return core_.seen.print(core_.seed, hosts);
}

bool network::all_ended() const noexcept {
    bool clients = false;
    bool clients_run = false;
    bool any_runs = false;
    for (const auto& each : machines_) {
        const bool runs = each->root != nullptr || each->restart_wanted;
        clients = clients || each->must_end;
        clients_run = clients_run || (each->must_end && runs);
        any_runs = any_runs || runs;
    }
    return clients && !finishing_ ? !clients_run : !any_runs;
}

void network::advance_until(time_point limit, bool until_all_ended) {
    for (;;) {
        if (failed()) fail();
        if (until_all_ended && all_ended()) return;
        if (core_.now >= limit) return;
        if (step(limit)) continue;
        const bool somebody_must_end =
            finishing_ || std::any_of(machines_.begin(), machines_.end(), [](const auto& each) {
                return each->must_end && each->root;
            });
        if (until_all_ended && core_.events.empty() && somebody_must_end && !all_ended()) {
            broke("nothing will ever happen again, and tasks wait");
            fail();
        }
        core_.now = limit;
    }
}

}  // namespace anel::sim
