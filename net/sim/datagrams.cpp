// datagrams.cpp: a datagram's way, and the answer that nobody listens.
// SPDX-License-Identifier: MIT
#include "net/sim/datagrams.hpp"

#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace anel::sim {

using namespace std::chrono_literals;

// What the kernel counts of a datagram besides its bytes.
constexpr std::size_t bookkeeping = 768;

namespace {

std::uint8_t class_of(const descriptor& from, const datagram_facts* facts) noexcept {
    const bool given = facts && facts->sent_class != datagram_facts::not_known;
    return given ? static_cast<std::uint8_t>(facts->sent_class) : from.traffic_class;
}

}  // namespace

core& datagrams::shared() const noexcept { return network_.shared(); }

std::int32_t datagrams::connect(descriptor& from, const operation& op) {
    const auto wanted = from_socket_address(*static_cast<const socket_address*>(op.data));
    if (!wanted || wanted->is_unix()) return -EAFNOSUPPORT;
    if (from.family() == address_family::ipv4 && wanted->family() != address_family::ipv4) {
        return -EAFNOSUPPORT;
    }
    address to = on_the_wire(pack(*wanted));
    if (is_any(to)) to = loopback(to.family, to.port);
    if (lacks_zone(from, to)) return -EINVAL;
    if (const std::int32_t error = network_.choose_local(from, to)) return error;
    network_.settle_local(from, to);
    from.peer = to;
    from.has_peer = true;
    return 0;
}

std::int32_t datagrams::send(descriptor& from, const message& what) {
    address to = from.peer;
    if (what.address) {
        const auto wanted = from_socket_address(*what.address);
        if (!wanted || wanted->is_unix()) return -EINVAL;
        to = on_the_wire(pack(*wanted));
        if (from.kind == socket_kind::udp4 && wanted->family() != address_family::ipv4) {
            return -EAFNOSUPPORT;
        }
    } else if (!from.has_peer) {
        return -EDESTADDRREQ;
    }
    std::string bytes;
    for (std::uint32_t i = 0; i < what.buffer_count; ++i) {
        bytes.append(static_cast<const char*>(what.buffers[i].data), what.buffers[i].size);
    }
    if (what.facts && what.facts->segment > 0) return -EOPNOTSUPP;
    if (bytes.size() > size_max) return -EMSGSIZE;
    if (from.pending_error != 0) return -std::exchange(from.pending_error, 0);
    if (to.port == 0) return -EINVAL;
    if (is_any(to)) to = loopback(to.family, to.port);
    if (const std::int32_t error = network_.choose_local(from, to)) return error;
    machine& here = from.home->host();
    address source = from.local;
    if (is_any(source)) {
        const auto own = network_.source_for(here, to);
        if (!own) return -ENETUNREACH;
        source = *own;
        source.port = from.local.port;
    }
    if (what.facts && what.facts->local_size > 0) {
        const address wanted = on_the_wire(pack(local_of(*what.facts)));
        if (!from.home->has(wanted)) return -ENETUNREACH;
        source = wanted;
        source.port = from.local.port;
    }
    const auto sent = static_cast<std::int32_t>(bytes.size());
    const received_datagram whole{source, to, std::move(bytes), class_of(from, what.facts)};
    machine* target = network_.machine_at(here, to);
    if (target == &here && shared().options.instant_loopback) {
        if (!arrive(here, whole)) tell_unreachable(here, source, to);
        return sent;
    }
    if (shared().happens(fault::no_buffers)) return -ENOBUFS;
    if (!target) return sent;
    if (shared().happens(fault::datagram_lost)) {
        see({whole, here.index, target->index, "lost", shared().now}, false, false);
        return sent;
    }
    const bool late = shared().happens(fault::datagram_late);
    const bool doubled = shared().happens(fault::datagram_doubled);
    const duration longer = late ? shared().faults.between(duration(1ms), duration(500ms)) : 0ns;
    fly(here, *target, whole, longer, late ? "late" : "arrives");
    if (doubled) {
        fly(here, *target, whole, shared().faults.between(duration(0ns), duration(500ms)),
            "doubled");
    }
    return sent;
}

void datagrams::fly(machine& sender, machine& receiver, const received_datagram& what,
                    duration longer, const char* fate) {
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(flying_.size()));
        flying_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    in_flight& item = flying_[slot];
    item.what = what;
    item.sender = sender.index;
    item.receiver = receiver.index;
    item.fate = fate;
    item.sent = shared().now;
    const time_point at =
        network_.links().arrival(sender.index, receiver.index, what.bytes.size()) + longer;
    shared().schedule(at, event_kind::datagram, slot);
}

// Returns false when nobody listens there. A full queue drops it without a word.
bool datagrams::arrive(machine& at, const received_datagram& what) {
    descriptor* socket = at.backend->datagram_socket_for(what.to, what.from);
    if (!socket) return false;
    if (socket->deaf) return true;
    if (socket->received_bytes > socket->receive_buffer) return true;
    socket->received_bytes += what.bytes.size() + bookkeeping;
    socket->received.push_back(what);
    socket->received.back().at = shared().now;
    socket->home->retry(*socket, 0);
    return true;
}

// Only a connected socket is told.
void datagrams::tell_unreachable(machine& sender, const address& from, const address& to) {
    descriptor* socket = sender.backend->datagram_socket_for(from, to);
    if (!socket || !socket->has_peer) return;
    socket->pending_error = ECONNREFUSED;
    socket->home->retry(*socket, 0);
}

void datagrams::tell(const descriptor& to, const received_datagram& what, datagram_facts& facts) {
    facts.clear();
    if (to.tells_ecn) facts.received_class = what.traffic_class;
    if (to.tells_time) facts.received_at = what.at.time_since_epoch().count();
    if (!to.tells_local) return;
    set_local(facts, unpack(as_seen(to.family(), what.to)).with_port(0));
    facts.interface = is_loopback(what.to) ? index_of_lo : index_of_eth0;
}

std::int32_t datagrams::receive(descriptor& to, message& what) {
    if (to.pending_error != 0) return -std::exchange(to.pending_error, 0);
    if (to.received.empty()) return to.deaf ? 0 : would_wait;
    const received_datagram first = std::move(to.received.front());
    to.received.pop_front();
    ANEL_ASSERT(to.received_bytes >= first.bytes.size() + bookkeeping);
    to.received_bytes -= first.bytes.size() + bookkeeping;
    ANEL_ASSERT(!to.received.empty() || to.received_bytes == 0);
    std::size_t moved = 0;
    for (std::uint32_t i = 0; i < what.buffer_count; ++i) {
        const std::size_t count = std::min(what.buffers[i].size, first.bytes.size() - moved);
        if (count > 0) std::memcpy(what.buffers[i].data, first.bytes.data() + moved, count);
        moved += count;
    }
    what.truncated = moved < first.bytes.size();
    if (what.address) *what.address = native(to, first.from);
    if (what.facts) tell(to, first, *what.facts);
    return static_cast<std::int32_t>(moved);
}

std::int32_t datagrams::receive_batch(descriptor& to, message_batch& into, std::size_t most) {
    if (to.received.empty() || to.pending_error != 0) {
        message nothing;
        return receive(to, nothing);
    }
    ANEL_ASSERT(most <= message_batch::capacity);
    for (into.count = 0; into.count < most && !to.received.empty(); ++into.count) {
        batch_item& item = into.items[into.count];
        item.bytes.size = into.room;
        item.error = 0;
        socket_address from;
        message one;
        one.address = &from;
        one.facts = item.facts;
        one.buffers = &item.bytes;
        one.buffer_count = 1;
        item.bytes.size = static_cast<std::size_t>(receive(to, one));
        item.truncated = one.truncated;
        item.address_size = from.size;
        std::memcpy(item.address, from.bytes, from.size);
    }
    return static_cast<std::int32_t>(into.count);
}

std::int32_t datagrams::send_batch(descriptor& from, message_batch& what) {
    ANEL_ASSERT(what.done <= what.count && what.count <= message_batch::capacity);
    for (; what.done < what.count; ++what.done) {
        batch_item& item = what.items[what.done];
        socket_address to = to_socket_address(item);
        message one;
        one.address = to.size > 0 ? &to : nullptr;
        one.facts = item.facts;
        one.buffers = &item.bytes;
        one.buffer_count = 1;
        item.error = std::min(send(from, one), 0);
        what.failed += item.error < 0;
    }
    return static_cast<std::int32_t>(what.count - what.failed);
}

void datagrams::see(const in_flight& item, bool back, bool arrives) {
    if (!shared().seen.on()) return;
    const char* fate = arrives                                 ? item.fate
                       : item.fate == std::string_view("lost") ? "lost"
                                                               : "blocked";
    packet one{item.sent,
               arrives ? shared().now : never,
               "datagram",
               item.sender,
               item.receiver,
               item.what.bytes.size(),
               {item.what.from.port, item.what.to.port},
               fate};
    if (back) {
        one.kind = "unreachable";
        one.fate = arrives ? "arrives" : "blocked";
        one.bytes = 0;
        std::swap(one.from, one.to);
        std::swap(one.ports.first, one.ports.second);
    }
    shared().seen.add(one);
}

void datagrams::on_event(const event& what) {
    ANEL_ASSERT(what.target < flying_.size());
    in_flight& item = flying_[what.target];
    machine& sender = network_.machine_number(item.sender);
    machine& receiver = network_.machine_number(item.receiver);
    const bool back = what.kind == event_kind::unreachable;
    const machine& at = back ? sender : receiver;
    const bool cut = back ? network_.links().between(receiver.index, sender.index).cut
                          : network_.links().between(sender.index, receiver.index).cut;
    const time_point released =
        back ? shared().now : network_.links().released(sender.index, receiver.index);
    if (released > shared().now) return shared().schedule(released, what.kind, what.target);
    see(item, back, !cut && at.is_up());
    if (!cut && at.is_up()) {
        if (back) {
            tell_unreachable(sender, item.what.from, item.what.to);
        } else if (!arrive(receiver, item.what)) {
            const time_point told = network_.links().arrival(receiver.index, sender.index);
            item.sent = shared().now;
            return shared().schedule(told, event_kind::unreachable, what.target);
        }
    }
    free_.push_back(what.target);
}

}  // namespace anel::sim
