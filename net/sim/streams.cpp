// streams.cpp: bytes on their way: sending, arriving, receiving, and how a connection ends.
// SPDX-License-Identifier: MIT
#include "net/sim/streams.hpp"

#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <algorithm>
#include <cerrno>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

// Linux: the first retransmission comes 200 ms after the packet, each other one after twice as
// long, at most two minutes; net.ipv4.tcp_retries2 of them. It gives up 924.6 s after the packet.
constexpr duration retransmit_after = 200ms;
constexpr duration retransmit_at_most = 120s;
constexpr std::uint32_t retransmits = 15;
constexpr std::size_t segment_size_max = 65'536;  // what an offloading card is given at once

/// How long after it failed for the `tries`-th time a packet is sent again.
constexpr duration retransmit_wait(std::uint32_t tries) noexcept {
    return std::min(retransmit_after * (1 << (tries - 1)), retransmit_at_most);
}

std::int32_t take_error(stream_end& end) noexcept { return -std::exchange(end.error, 0); }

}  // namespace

core& streams::shared() const noexcept { return network_.shared(); }

void streams::schedule(time_point at, event_kind kind, const connection& link,
                       std::uint32_t extra) {
    shared().schedule(at, kind, link.index, link.generation, extra);
}

// --- what programs ask for ----------------------------------------------------------------------

// The order of the questions is that of tcp_recvmsg: data, the end, an error, and then nothing.
std::int32_t streams::receive(descriptor& from, void* data, std::size_t size) {
    if (!from.link) return -ENOTCONN;
    connection& link = *from.link;
    stream_end& end = link.ends[from.end];
    pipe& in = link.pipes[1 - from.end];
    ANEL_ASSERT(link.in_use && end.owner == &from);
    if (in.arrived > 0) {
        const std::size_t count = std::min(size, in.arrived);
        in.bytes.pop(data, count);
        in.arrived -= count;
        if (link.local) {
            pump_here(link, 1 - from.end);
            if (descriptor* sender = link.ends[1 - from.end].owner) sender->home->retry(*sender, 1);
        } else if (in.waiting() > 0) {
            look_later(link, 1 - from.end);
        }
        return static_cast<std::int32_t>(count);
    }
    if (end.peer_ended) return 0;
    if (end.error != 0) return take_error(end);
    if (end.dead || !end.receives) return 0;
    return would_wait;
}

std::int32_t streams::send(descriptor& to, const void* data, std::size_t size) {
    if (!to.link) return -EPIPE;
    connection& link = *to.link;
    stream_end& end = link.ends[to.end];
    pipe& out = link.pipes[to.end];
    ANEL_ASSERT(link.in_use && end.owner == &to);
    if (end.error != 0) return take_error(end);
    if (end.finished || end.dead) return -EPIPE;
    const stream_end& other = link.ends[1 - to.end];
    if (to.is_unix() && !other.owner && !other.listener) return -EPIPE;  // seen at once
    const std::size_t used = out.bytes.size() - out.arrived;
    if (used >= out.room) return would_wait;
    const std::size_t count = std::min(size, out.room - used);
    out.bytes.push(data, count);
    ANEL_ASSERT(out.bytes.size() - out.arrived <= out.room);  // the back-pressure
    pump(link, to.end);
    return static_cast<std::int32_t>(count);
}

std::int32_t streams::shutdown(descriptor& which, shutdown_side side) {
    if (which.listening) {
        which.shut = true;
        which.home->retry(which, 0);
        return 0;
    }
    if (!which.link) return -ENOTCONN;
    connection& link = *which.link;
    stream_end& end = link.ends[which.end];
    // With both ends sent and received there is no connection any more.
    const bool over = end.finished && end.peer_ended && link.ends[1 - which.end].peer_ended;
    const bool connecting = which.end == 0 && !link.established;
    if (end.dead || connecting || (over && !which.is_unix())) return -ENOTCONN;
    if (side != shutdown_side::send) end.receives = false;
    if (side != shutdown_side::receive && !end.finished) {
        end.finished = true;
        pump(link, which.end);
        which.home->retry(which, 1);
    }
    which.home->retry(which, 0);
    return 0;
}

void streams::close(descriptor& which) {
    if (which.listening) {
        for (connection* waiting : std::exchange(which.queue, {})) {
            waiting->ends[1].listener = nullptr;
            waiting->ends[1].dead = true;
            send_reset(*waiting, 0);
            release_if_unused(*waiting);
        }
        return;
    }
    if (!which.link) return;
    connection& link = *std::exchange(which.link, nullptr);
    stream_end& end = link.ends[which.end];
    ANEL_ASSERT(end.owner == &which);
    end.owner = nullptr;
    const bool unread = link.pipes[1 - which.end].arrived > 0;
    if (which.end == 0 && !link.established) {
        end.dead = true;
        send_reset(link, 1 - which.end);
    } else if (!end.dead && (which.reset_on_close || unread)) {
        // As Linux does: what nobody will read any more is not acknowledged politely.
        end.dead = true;
        send_reset(link, 1 - which.end);
    } else if (!end.dead) {
        if (!end.peer_ended && !which.is_unix()) network_.linger(*end.at, end.name);
        if (!end.finished) {
            end.finished = true;
            pump(link, which.end);
        }
    }
    release_if_unused(link);
}

void streams::vanish(descriptor& which) {
    for (connection* waiting : std::exchange(which.queue, {})) {
        waiting->ends[1].listener = nullptr;
        waiting->ends[1].silent = true;
        release_if_unused(*waiting);
    }
    if (!which.link) return;
    connection& link = *std::exchange(which.link, nullptr);
    link.ends[which.end].owner = nullptr;
    link.ends[which.end].silent = true;
    release_if_unused(link);
}

// --- bytes on their way -------------------------------------------------------------------------

void streams::pump(connection& link, std::uint32_t from) {
    if (link.local) return pump_here(link, from);
    stream_end& end = link.ends[from];
    pipe& out = link.pipes[from];
    if (end.dead || end.silent || (from == 0 && !link.established)) return;
    while (out.waiting() > 0 && out.arrived + out.flying < out.window) {
        const std::size_t most =
            std::min({out.waiting(), out.window - out.arrived - out.flying, segment_size_max});
        const bool split = shared().happens(fault::split_segment);
        fly(link, from, split ? shared().packets.any_magnitude(most) : most);
    }
    ANEL_ASSERT(out.arrived + out.flying <= out.window);
    if (end.finished && out.waiting() == 0 && !out.end_sent) {
        out.end_sent = true;
        fly(link, from, 0);
    }
}

void streams::fly(connection& link, std::uint32_t from, std::size_t size) {
    pipe& out = link.pipes[from];
    ANEL_ASSERT(size > 0 || out.end_sent);  // nothing comes after the end
    ANEL_ASSERT(out.segments.empty() || out.segments.back().size > 0);
    time_point due =
        network_.links().arrival(link.ends[from].at->index, link.ends[1 - from].at->index, size);
    if (shared().happens(fault::slow_segment)) due += retransmit_after;
    if (out.rate > 0) {
        const std::uint64_t time = size * 1'000'000'000 / out.rate;
        out.rate_free =
            std::max(out.rate_free, shared().now) + duration(static_cast<std::int64_t>(time));
        due = std::max(due, out.rate_free);
    }
    out.last_due = due = std::max(due, out.last_due);
    out.segments.push_back({size, due, shared().now});
    out.flying += size;
    if (!std::exchange(out.arriving, true)) {
        schedule(out.segments.front().due, event_kind::segment, link, from);
    }
}

// Both ends on one host: no packets, no time.
void streams::pump_here(connection& link, std::uint32_t from) {
    stream_end& end = link.ends[from];
    stream_end& to = link.ends[1 - from];
    pipe& out = link.pipes[from];
    if (end.dead) return;
    const bool closed = !to.owner && !to.listener;
    if (out.waiting() > 0 && closed) return reset_by_peer(link, from);
    const std::size_t count =
        std::min(out.waiting(), out.window - std::min(out.window, out.arrived));
    out.arrived += count;
    bool news = count > 0;
    if (end.finished && out.waiting() == 0 && !out.end_sent) {
        out.end_sent = true;
        to.peer_ended = true;
        news = true;
    }
    if (news && to.owner) to.owner->home->retry(*to.owner, 0);
}

bool streams::reaches(const connection& link, std::uint32_t from) const {
    const machine* sender = link.ends[from].at;
    const machine* receiver = link.ends[1 - from].at;
    if (link.severed || !receiver || !receiver->is_up()) return false;
    return link.local || !network_.links().between(sender->index, receiver->index).cut;
}

void streams::on_segment(connection& link, std::uint32_t from) {
    stream_end& sender = link.ends[from];
    stream_end& to = link.ends[1 - from];
    pipe& out = link.pipes[from];
    ANEL_ASSERT(link.in_use && out.arriving);
    out.arriving = false;
    if (out.segments.empty()) return;
    const auto again = [&](time_point at) {
        out.segments.front().due = at;
        out.last_due = std::max(out.last_due, at);
        out.arriving = true;
        schedule(at, event_kind::segment, link, from);
    };
    if (out.segments.front().due > shared().now) return again(out.segments.front().due);
    if (out.tries > retransmits) return fail(link, from, ETIMEDOUT);
    if (!reaches(link, from)) {
        if (sender.dead || sender.silent) return;  // nobody sends it again
        const segment& lost = out.segments.front();
        see(link, from, lost.size == 0 ? "fin" : "data", lost.sent, lost.size);
        out.tries += 1;
        const duration wait = retransmit_wait(out.tries);
        out.segments.front().sent = shared().now + wait;
        return again(shared().now + wait);
    }
    const time_point released = network_.links().released(sender.at->index, to.at->index);
    if (released > shared().now) return again(released);
    out.tries = 0;
    if (to.silent || to.dead || !deliver(link, from)) {
        // Nobody knows this connection there, or nobody reads it any more.
        out.segments.clear();
        return send_reset(link, from);
    }
    if (strike(link, from)) return;
    if (!out.segments.empty()) again(out.segments.front().due);
    const bool sender_waits = sender.owner && sender.owner->parked[1];
    if (out.waiting() > 0 || sender_waits) look_later(link, from);
    if (to.owner) to.owner->home->retry(*to.owner, 0);
}

// Hands over what is due. Returns false when the receiver has closed and there is data for it.
bool streams::deliver(connection& link, std::uint32_t from) {
    stream_end& to = link.ends[1 - from];
    pipe& out = link.pipes[from];
    if (from == 1 && !link.established) on_established(link);  // its answer was overtaken
    while (!out.segments.empty() && out.segments.front().due <= shared().now) {
        const segment head = out.segments.front();
        see(link, from, head.size == 0 ? "fin" : "data", head.sent, head.size);
        ANEL_ASSERT(!to.peer_ended && head.size <= out.flying);
        if (head.size == 0) {
            // Every byte before the end, unless nobody was there to take them.
            ANEL_ASSERT(out.bytes.size() == out.arrived || (!to.owner && !to.listener));
            to.peer_ended = true;
        } else {
            if (!to.owner && !to.listener) return false;
            out.arrived += head.size;
            out.flying -= head.size;
        }
        out.segments.pop_front();
    }
    return true;
}

// The faults that wait for a byte. Returns true when the connection is gone.
bool streams::strike(connection& link, std::uint32_t from) {
    pipe& out = link.pipes[from];
    const std::uint64_t passed = out.bytes.taken() + out.arrived;
    if (out.vanish_at > 0 && passed >= out.vanish_at) {
        out.vanish_at = 0;
        link.severed = true;
        shared().note(fault::half_open, link.ends[from].at->index);
        shared().seen.add_fault(shared().now, never, "half_open", {link.ends[from].at->index});
    }
    if (out.reset_at == 0 || passed < out.reset_at) return false;
    out.reset_at = 0;
    shared().note(fault::connection_reset, link.ends[from].at->index);
    shared().seen.add_fault(shared().now, never, "connection_reset", {link.ends[from].at->index});
    reset_by_peer(link, 1 - from);
    send_reset(link, from);
    return true;
}

void streams::stop_striking() noexcept {
    for (const auto& link : all_) {
        for (pipe& way : link->pipes) way.reset_at = way.vanish_at = way.rate = 0;
    }
}

void streams::look_later(connection& link, std::uint32_t from) {
    pipe& out = link.pipes[from];
    if (link.ends[from].dead || link.ends[from].silent) return;
    if (std::exchange(out.looking, true)) return;
    const machine& sender = *link.ends[from].at;
    const machine& receiver = *link.ends[1 - from].at;
    schedule(network_.links().arrival(receiver.index, sender.index), event_kind::look, link, from);
}

void streams::on_look(connection& link, std::uint32_t from) {
    pipe& out = link.pipes[from];
    ANEL_ASSERT(link.in_use && out.looking);
    out.looking = false;
    if (out.tries > retransmits) return fail(link, from, ETIMEDOUT);
    if (!reaches(link, 1 - from)) {
        // A sender without a window asks again, as often as it sends again.
        if (link.ends[from].dead || link.ends[from].silent) return;
        out.tries += 1;
        out.looking = true;
        return schedule(shared().now + retransmit_wait(out.tries), event_kind::look, link, from);
    }
    out.tries = 0;
    pump(link, from);
    if (descriptor* sender = link.ends[from].owner) sender->home->retry(*sender, 1);
}

// --- ends ---------------------------------------------------------------------------------------

void streams::send_reset(connection& link, std::uint32_t to) {
    const stream_end& target = link.ends[to];
    if (target.dead || target.silent || (!target.owner && !target.listener)) return;
    if (link.local) return reset_by_peer(link, to);
    if (!reaches(link, 1 - to)) return;  // lost, and never sent again
    const time_point at =
        std::max(network_.links().arrival(link.ends[1 - to].at->index, target.at->index),
                 link.pipes[1 - to].last_due + 1ns);
    schedule(at, event_kind::reset, link, to);
}

void streams::reset_by_peer(connection& link, std::uint32_t end) {
    // As Linux says it: after the peer's end a reset means that nobody reads.
    fail(link, end, link.ends[end].peer_ended ? EPIPE : ECONNRESET);
}

void streams::fail(connection& link, std::uint32_t end, std::int32_t error) {
    stream_end& here = link.ends[end];
    ANEL_ASSERT(error > 0);
    if (here.dead || here.silent) return;
    here.dead = true;
    here.error = error;
    link.pipes[end].segments.clear();
    if (descriptor* owner = here.owner) {
        owner->home->retry(*owner, 0);
        owner->home->retry(*owner, 1);
    }
    release_if_unused(link);
}

void streams::see(const connection& link, std::uint32_t from, const char* kind, time_point sent,
                  std::size_t bytes) {
    const stream_end& sender = link.ends[from];
    const stream_end& receiver = link.ends[1 - from];
    if (!shared().seen.on() || link.local || !sender.at || !receiver.at) return;
    const bool arrives = reaches(link, from);
    shared().seen.add({sent,
                       arrives ? shared().now : never,
                       kind,
                       sender.at->index,
                       receiver.at->index,
                       bytes,
                       {sender.name.port, receiver.name.port},
                       arrives ? "arrives" : "blocked"});
}

// Segments are seen one by one, where they are taken from the pipe.
void streams::see(const connection& link, const event& what) {
    switch (what.kind) {
        case event_kind::look: return see(link, 1 - what.extra, "window", what.sent);
        case event_kind::syn: return see(link, 0, "syn", what.sent);
        case event_kind::established: return see(link, 1, "syn-ack", what.sent);
        case event_kind::refused: return see(link, 1, "refused", what.sent);
        case event_kind::reset: return see(link, 1 - what.extra, "reset", what.sent);
        default: return;
    }
}

void streams::on_event(const event& what) {
    ANEL_ASSERT(is_current(what));
    connection& link = *all_[what.target];
    see(link, what);
    switch (what.kind) {
        case event_kind::segment: return on_segment(link, what.extra);
        case event_kind::look: return on_look(link, what.extra);
        case event_kind::syn: return on_request(link);
        case event_kind::established:
            if (!link.established) on_established(link);
            return;
        case event_kind::refused: return fail(link, 0, static_cast<std::int32_t>(what.extra));
        case event_kind::reset:
            if (reaches(link, 1 - what.extra)) reset_by_peer(link, what.extra);
            return;
        default: return;
    }
}

}  // namespace anel::sim
