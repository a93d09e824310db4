// connecting.cpp: how connections are made: requests, the listener's queue, accepting.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"
#include "net/sim/streams.hpp"

#include <algorithm>
#include <cerrno>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

// Linux sends a request again after 1, 2, 4 … s, net.ipv4.tcp_syn_retries times, and gives up after
// as long again: 127 s.
constexpr std::uint32_t requests = 6;
constexpr duration unreachable_after = 3s;  // what it takes Linux to find nobody at an address
constexpr std::size_t small_buffer_max = 4096;

}  // namespace

// The connection of `from` to `to`; its other end is not known yet.
connection& streams::make(descriptor& from, machine& at, const address& to) {
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(all_.size()));
        all_.push_back(std::make_unique<connection>());
        all_.back()->index = free_.back();
    }
    connection& link = *all_[free_.back()];
    free_.pop_back();
    ANEL_ASSERT(!link.in_use && from.link == nullptr);
    link.in_use = true;
    link.established = link.local = link.severed = false;
    link.tries = 0;
    for (stream_end& end : link.ends) end = stream_end{};
    for (pipe& way : link.pipes) {
        // The memory stays: a connection more costs none in the long run.
        byte_queue bytes = std::move(way.bytes);
        std::deque<segment> segments = std::move(way.segments);
        bytes.reset();
        segments.clear();
        way = pipe{};
        way.bytes = std::move(bytes);
        way.segments = std::move(segments);
    }
    link.ends[0].at = &at;
    link.ends[0].life = at.life;
    link.ends[0].owner = &from;
    link.ends[0].name = from.local;
    link.ends[1].name = to;
    link.pipes[0].room = from.send_buffer;
    link.pipes[1].window = from.window;
    from.link = &link;
    from.end = 0;
    return link;
}

void streams::release_if_unused(connection& link) {
    // Without an owner nobody can see what still flies.
    if (!link.in_use || link.ends[0].owner || link.ends[1].owner || link.ends[1].listener) return;
    link.in_use = false;
    link.generation += 1;  // its events are stale now
    free_.push_back(link.index);
}

void streams::draw_faults(connection& link) {
    core& all = shared();
    if (all.happens(fault::small_buffers)) {
        for (pipe& way : link.pipes) {
            way.room = all.faults.between(1, small_buffer_max);
            way.window = all.faults.between(1, small_buffer_max);
        }
    }
    for (pipe& way : link.pipes) {
        if (all.happens(fault::slow_receiver)) way.rate = 1024 * all.faults.between(1, 64U);
        // Noted when it strikes.
        if (all.faults.chance(all.rates[fault::connection_reset])) {
            way.reset_at = all.faults.any_magnitude(1U << 17);
        }
        if (all.faults.chance(all.rates[fault::half_open])) {
            way.vanish_at = all.faults.any_magnitude(1U << 17);
        }
    }
}

std::int32_t streams::connect(descriptor& from, operation& op) {
    if ((op.flags & op_flag::has_begun) != 0) return conclude_connect(from);
    if (from.listening) return -EISCONN;
    if (from.link) return from.link->established ? -EISCONN : -EALREADY;
    const std::int32_t begun =
        from.is_unix() ? begin_unix_connect(from, op) : begin_connect(from, op);
    ANEL_ASSERT((from.link != nullptr) == (begun >= 0 || begun == would_wait));
    if (begun == would_wait) op.flags |= op_flag::has_begun;
    return begun;
}

std::int32_t streams::conclude_connect(descriptor& from) {
    ANEL_ASSERT(from.link && from.end == 0);
    connection& link = *from.link;
    stream_end& end = link.ends[0];
    ANEL_ASSERT(end.owner == &from);
    if (end.error == 0) return link.established ? 0 : would_wait;
    const std::int32_t error = -std::exchange(end.error, 0);
    from.link = nullptr;
    end.owner = nullptr;
    release_if_unused(link);
    return error;
}

std::int32_t streams::begin_connect(descriptor& from, operation& op) {
    machine& here = from.home->host();
    const auto wanted = from_socket_address(*static_cast<socket_address*>(op.data));
    if (!wanted || wanted->is_unix()) return -EAFNOSUPPORT;
    if (from.kind == socket_kind::tcp4 && wanted->family() != address_family::ipv4) {
        return -EAFNOSUPPORT;
    }
    address to = on_the_wire(pack(*wanted));
    if (is_any(to)) to = loopback(to.family, to.port);
    if (lacks_zone(from, to)) return -EINVAL;
    if (const std::int32_t error = network_.choose_local(from, to)) return error;
    network_.settle_local(from, to);

    connection& link = make(from, here, to);
    machine* target = network_.machine_at(here, to);
    if (target != &here || !shared().options.instant_loopback) {
        link.ends[1].at = target;
        draw_faults(link);
        const time_point at =
            target ? network_.links().arrival(here.index, target->index) : shared().now;
        schedule(at, event_kind::syn, link);
        return would_wait;
    }
    link.local = true;
    link.ends[1].at = &here;
    descriptor* listener = here.backend->listener_for(to);
    if (!listener) {
        from.link = nullptr;
        link.ends[0].owner = nullptr;
        release_if_unused(link);
        return -ECONNREFUSED;
    }
    if (listener->queue.size() > listener->backlog) {
        request_again(link, 1s);
        return would_wait;
    }
    arrive_at_listener(link, *listener);
    link.established = true;
    return 0;
}

std::int32_t streams::begin_unix_connect(descriptor& from, const operation& op) {
    machine& here = from.home->host();
    const auto wanted = from_socket_address(*static_cast<const socket_address*>(op.data));
    if (!wanted || !wanted->is_unix()) return -EINVAL;
    const auto file = here.files.find(std::string(wanted->path()));
    if (file == here.files.end()) {
        return wanted->path().starts_with('@') ? -ECONNREFUSED : -ENOENT;
    }
    descriptor* listener = file->second.bound;
    if (!listener || !listener->listening) return -ECONNREFUSED;
    if (listener->queue.size() > listener->backlog) return -EAGAIN;
    connection& link = make(from, here, address{});
    link.local = true;
    link.ends[1].at = &here;
    arrive_at_listener(link, *listener);
    link.established = true;
    return 0;
}

void streams::arrive_at_listener(connection& link, descriptor& listener) {
    stream_end& end = link.ends[1];
    ANEL_ASSERT(listener.listening && !end.owner && !end.listener);
    end.life = end.at->life;
    end.listener = &listener;
    pipe& to_listener = link.pipes[0];
    pipe& from_listener = link.pipes[1];
    const auto smaller = [](std::size_t drawn, std::size_t own) {
        return drawn == 0 ? own : std::min(drawn, own);
    };
    to_listener.window = smaller(to_listener.window, listener.window);
    from_listener.room = smaller(from_listener.room, listener.send_buffer);
    listener.queue.push_back(&link);
    listener.home->retry(listener, 0);
}

void streams::request_again(connection& link, duration wait) {
    link.tries += 1;
    schedule(shared().now + wait * (1 << (link.tries - 1)), event_kind::syn, link);
}

void streams::on_request(connection& link) {
    stream_end& caller = link.ends[0];
    stream_end& called = link.ends[1];
    const auto refuse = [&](std::int32_t error, time_point at) {
        schedule(at, event_kind::refused, link, static_cast<std::uint32_t>(error));
    };
    if (link.tries > requests) return fail(link, 0, ETIMEDOUT);
    if (!called.at) return refuse(EHOSTUNREACH, shared().now + unreachable_after);
    if (!reaches(link, 0)) return request_again(link, 1s);
    if (!link.local && shared().happens(fault::connect_delayed)) return request_again(link, 1s);
    descriptor* listener = called.at->backend->listener_for(called.name);
    const bool refused = !link.local && shared().happens(fault::connect_refused);
    if (!listener || refused) {
        return refuse(ECONNREFUSED, network_.links().arrival(called.at->index, caller.at->index));
    }
    if (listener->queue.size() > listener->backlog) return request_again(link, 1s);
    link.tries = 0;
    const time_point answered = network_.links().arrival(called.at->index, caller.at->index);
    link.pipes[1].last_due = answered;
    schedule(link.local ? shared().now : answered, event_kind::established, link);
    arrive_at_listener(link, *listener);
}

void streams::on_established(connection& link) {
    stream_end& caller = link.ends[0];
    if (link.tries > requests) return fail(link, 0, ETIMEDOUT);
    if (!reaches(link, 1)) {
        if (!caller.at->is_up()) return;
        link.tries += 1;
        return schedule(shared().now + 1s * (1 << (link.tries - 1)), event_kind::established, link);
    }
    if (!caller.owner) return send_reset(link, 1);  // given up meanwhile, or forgotten in a crash
    link.established = true;
    pump(link, 0);
    caller.owner->home->retry(*caller.owner, 1);
}

std::int32_t streams::accept(descriptor& listener, operation& op) {
    if (!listener.listening || listener.shut) return -EINVAL;
    if (listener.queue.empty()) return would_wait;
    if (shared().happens(fault::no_descriptors)) return -EMFILE;
    connection& link = *listener.queue.front();
    ANEL_ASSERT(link.in_use && link.ends[1].listener == &listener);
    if (!link.local && shared().happens(fault::connection_aborted)) {
        listener.queue.pop_front();
        link.ends[1].listener = nullptr;
        link.ends[1].dead = true;
        send_reset(link, 0);
        release_if_unused(link);
        return -ECONNABORTED;
    }
    descriptor* made = listener.home->make_descriptor(listener.kind);
    if (!made) return -EMFILE;
    listener.queue.pop_front();
    made->bound = true;
    made->local = link.ends[1].name;
    made->path = listener.path;
    made->no_delay = listener.no_delay;
    made->send_buffer = listener.send_buffer;
    made->receive_buffer = listener.receive_buffer;
    made->window = listener.window;
    made->link = &link;
    made->end = 1;
    link.ends[1].listener = nullptr;
    link.ends[1].owner = made;
    if (auto* peer = static_cast<socket_address*>(op.data)) {
        *peer = listener.is_unix() ? unnamed_unix_address() : native(*made, link.ends[0].name);
    }
    return made->fd;
}

}  // namespace anel::sim
