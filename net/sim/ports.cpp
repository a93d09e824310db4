// ports.cpp: the control calls of a simulated host: descriptors, addresses, ports and paths.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <algorithm>
#include <cerrno>

namespace anel::sim {
namespace {

constexpr int first_number = 3;  // 0, 1 and 2 are the program's own
// Linux: sockets whose buffers were asked for get double of it, within these bounds.
constexpr std::size_t send_buffer_min = 4608;
constexpr std::size_t receive_buffer_min = 2304;
constexpr std::size_t buffer_max = 2 * descriptor::usual_buffer;

bool overlap(const descriptor& left, const address& right, const descriptor& other) noexcept {
    const address& mine = left.local;
    if (mine.port != right.port) return false;
    if (mine.family == right.family) return is_any(mine) || is_any(right) || same_ip(mine, right);
    // One is IPv6: it takes IPv4 as well when it is bound to every address.
    const bool six_is_left = mine.family == address_family::ipv6;
    const address& six = six_is_left ? mine : right;
    const descriptor& of_six = six_is_left ? left : other;
    return is_any(six) && !of_six.v6_only;
}

}  // namespace

socket_address native(const descriptor& seen_by, const address& which) noexcept {
    return to_socket_address(unpack(as_seen(seen_by.family(), which)));
}

socket_address unnamed_unix_address() noexcept {
    return to_socket_address(endpoint::unix_unnamed());
}

descriptor* machine_backend::find(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd - first_number);
    return fd >= first_number && index < descriptors_.size() ? descriptors_[index].get() : nullptr;
}

descriptor* machine_backend::make_descriptor(socket_kind kind) {
    if (open_ >= host_.descriptors_max) return nullptr;
    std::size_t place = 0;
    while (place < descriptors_.size() && descriptors_[place]) ++place;
    if (place == descriptors_.size()) descriptors_.emplace_back();
    descriptors_[place] = std::make_unique<descriptor>();
    descriptor& made = *descriptors_[place];
    made.home = this;
    made.fd = static_cast<int>(place) + first_number;
    made.kind = kind;
    made.local.family = made.family();
    open_ += 1;
    return &made;
}

void machine_backend::close(descriptor& at) {
    ANEL_ASSERT(at.parked[0] == nullptr);  // cancelled and awaited before a close
    ANEL_ASSERT(at.parked[1] == nullptr);
    if (at.is_stream()) network_.connections().close(at);
    std::erase(bound_, &at);
    if (at.is_unix() && at.end == 0) {
        const auto file = host_.files.find(at.path);
        if (file != host_.files.end() && file->second.bound == &at) {
            file->second.bound = nullptr;
            if (at.path.starts_with('@')) host_.files.erase(file);
        }
    }
    ANEL_ASSERT(open_ > 0 && find(at.fd) == &at);
    open_ -= 1;
    descriptors_[static_cast<std::size_t>(at.fd - first_number)].reset();
}

std::int32_t machine_backend::perform(operation& op) {
    if (op.code == opcode::open_socket) {
        const auto kind = static_cast<socket_kind>(op.flags);
        const bool has = kind != socket_kind::unix_datagram && kind != socket_kind::unix_seqpacket;
        if (!has) return -EOPNOTSUPP;
        if (core_.happens(fault::no_descriptors)) return -EMFILE;
        const descriptor* made = make_descriptor(kind);
        return made ? made->fd : -EMFILE;
    }
    if (op.code == opcode::identify_path || op.code == opcode::remove_path) return file_call(op);
    descriptor* at = find(op.fd);
    if (!at) return -EBADF;
    switch (op.code) {
        case opcode::bind: return bind(*at, *static_cast<socket_address*>(op.data));
        case opcode::listen: return listen(*at, op.size);
        case opcode::local_address:
            return local_address(*at, *static_cast<socket_address*>(op.data));
        case opcode::peer_address: return peer_address(*at, *static_cast<socket_address*>(op.data));
        case opcode::set_option: return set_option(*at, op);
        case opcode::shutdown:
            if (at->is_stream()) {
                return network_.connections().shutdown(*at, static_cast<shutdown_side>(op.flags));
            }
            if (static_cast<shutdown_side>(op.flags) != shutdown_side::send) at->deaf = true;
            retry(*at, 0);
            return at->has_peer ? 0 : -ENOTCONN;
        case opcode::send_now: {
            if (!at->is_stream()) return -EOPNOTSUPP;
            operation send(opcode::send, op.fd, op.data, op.size);
            const std::int32_t sent = try_now(send);
            return sent == would_wait ? -EAGAIN : sent;
        }
        case opcode::close: close(*at); return 0;
        case opcode::give_up: return 1;  // a number that means something on this host alone
        case opcode::take_over: return 0;
        case opcode::inspect: inspect(*at, *static_cast<descriptor_facts*>(op.data)); return 0;
        default: return -EOPNOTSUPP;
    }
}

// --- addresses ----------------------------------------------------------------------------------

bool machine_backend::is_taken(const descriptor& which, const address& wanted) const {
    for (const auto& other : descriptors_) {
        if (!other || other.get() == &which || !other->bound || other->is_unix()) continue;
        if (other->is_stream() != which.is_stream()) continue;
        if (!overlap(*other, wanted, which)) continue;
        if (other->reuse_port && which.reuse_port) continue;
        const bool both_reuse = other->reuse_address && which.reuse_address;
        // Beside connections that an earlier listener left behind.
        if (which.is_stream() && which.reuse_address && other->link) continue;
        if (both_reuse && !other->listening) continue;
        return true;
    }
    if (!which.is_stream() || which.reuse_address) return false;
    return std::any_of(host_.lingering.begin(), host_.lingering.end(),
                       [&](const lingering_port& old) {
                           return old.until > core_.now && old.name.port == wanted.port;
                       });
}

bool machine_backend::has(const address& which) const noexcept {
    return is_loopback(which) ||
           std::any_of(host_.addresses.begin(), host_.addresses.end(),
                       [&](const address& own) { return same_ip(own, which); });
}

std::int32_t machine_backend::bind(descriptor& at, const socket_address& wanted) {
    const auto parsed = from_socket_address(wanted);
    if (!parsed) return -EINVAL;
    if (at.bound) return -EINVAL;
    if (at.is_unix()) {
        return parsed->is_unix() ? bind_path(at, std::string(parsed->path())) : -EINVAL;
    }
    if (parsed->is_unix() || parsed->family() != at.family()) return -EAFNOSUPPORT;
    address local = on_the_wire(pack(*parsed));
    if (at.v6_only && local.family == address_family::ipv4) return -EINVAL;
    if (is_link_local(local)) {
        if (local.scope == 0) return -EINVAL;
        if (local.scope > index_of_eth0) return -ENODEV;
        if (local.scope == index_of_lo) return -EADDRNOTAVAIL;
    }
    const bool mine = at.free_bind || is_any(local) || has(local);
    if (!mine) return -EADDRNOTAVAIL;
    if (local.port == 0) {
        local.port = network_.free_port(at, local);
        if (local.port == 0) return -EADDRINUSE;
    } else if (is_taken(at, local)) {
        return -EADDRINUSE;
    }
    at.local = local;
    at.bound = true;
    if (!at.is_stream()) bound_.push_back(&at);
    return 0;
}

std::int32_t machine_backend::bind_path(descriptor& at, const std::string& path) {
    if (path.empty()) return -EINVAL;
    if (host_.files.count(path) > 0) return -EADDRINUSE;
    host_.files[path] = {host_.next_file++, &at};
    at.path = path;
    at.bound = true;
    return 0;
}

std::int32_t machine_backend::listen(descriptor& at, std::size_t backlog) {
    if (!at.is_stream()) return -EOPNOTSUPP;
    if (at.link) return -EINVAL;
    if (!at.bound) {
        if (const std::int32_t error = bind(at, native(at, address{.family = at.family()}))) {
            return error;
        }
    }
    for (const descriptor* other : bound_) {
        const bool shared = other->reuse_port && at.reuse_port;
        if (other != &at && other->listening && !at.is_unix() && !other->is_unix() && !shared &&
            overlap(*other, at.local, at)) {
            return -EADDRINUSE;
        }
    }
    // net.core.somaxconn
    at.backlog = std::min<std::size_t>(backlog, 4096);
    if (!std::exchange(at.listening, true)) bound_.push_back(&at);
    return 0;
}

bool machine_backend::is_choice_of(const descriptor& at, const address& to) const noexcept {
    if (at.is_unix() || at.local.port != to.port) return false;
    if (at.local.family != to.family) {
        return at.local.family == address_family::ipv6 && is_any(at.local) && !at.v6_only;
    }
    return is_any(at.local) || same_ip(at.local, to);
}

descriptor* machine_backend::listener_for(const address& to) {
    std::vector<descriptor*> choice;
    for (descriptor* at : bound_) {
        if (!at->listening || at->shut || !is_choice_of(*at, to)) continue;
        // Who asked for this very address comes before who takes every one.
        if (!choice.empty() && is_any(choice.front()->local) && !is_any(at->local)) choice.clear();
        if (!choice.empty() && !is_any(choice.front()->local) && is_any(at->local)) continue;
        choice.push_back(at);
    }
    if (choice.empty()) return nullptr;
    return choice.size() == 1 ? choice.front() : choice[core_.packets.below(choice.size())];
}

descriptor* machine_backend::datagram_socket_for(const address& to, const address& from) {
    descriptor* best = nullptr;
    for (descriptor* at : bound_) {
        if (at->is_stream() || !is_choice_of(*at, to)) continue;
        if (at->has_peer && !same(at->peer, from)) continue;
        const bool better =
            !best || (at->has_peer && !best->has_peer) ||
            (at->has_peer == best->has_peer && is_any(best->local) && !is_any(at->local));
        if (better) best = at;
    }
    return best;
}

std::int32_t machine_backend::local_address(const descriptor& at, socket_address& into) const {
    if (at.is_unix()) {
        const auto path = endpoint::unix_path(at.path);
        into = to_socket_address(path.value_or(endpoint::unix_unnamed()));
        return 0;
    }
    into = native(at, at.local);
    return 0;
}

std::int32_t machine_backend::peer_address(const descriptor& at, socket_address& into) const {
    if (!at.is_stream() && at.has_peer) {
        into = native(at, at.peer);
        return 0;
    }
    const bool connected = at.link && (at.end == 1 || at.link->established);
    if (!connected || at.link->ends[at.end].dead) return -ENOTCONN;
    into = at.is_unix() ? unnamed_unix_address() : native(at, at.link->ends[1 - at.end].name);
    return 0;
}

void machine_backend::inspect(const descriptor& at, descriptor_facts& facts) const {
    facts = {};
    facts.what = descriptor_facts::file::socket;
    facts.by =
        at.is_stream() ? descriptor_facts::transfer::stream : descriptor_facts::transfer::datagram;
    facts.addresses = at.family() == address_family::ipv6 ? descriptor_facts::family::ipv6
                                                          : descriptor_facts::family::ipv4;
    if (at.is_unix()) facts.addresses = descriptor_facts::family::unix_path;
    facts.listens = at.listening;
    facts.traffic_class = at.traffic_class;
    socket_address peer;
    facts.connected = peer_address(at, peer) == 0;
}

std::int32_t machine_backend::set_option(descriptor& at, const operation& op) {
    const auto bytes = [&](std::size_t least) {
        return std::clamp<std::size_t>(2 * op.size, least, buffer_max);
    };
    switch (static_cast<socket_option>(op.flags)) {
        case socket_option::no_delay: at.no_delay = op.size != 0; return 0;
        case socket_option::reuse_address: at.reuse_address = op.size != 0; return 0;
        case socket_option::reuse_port: at.reuse_port = op.size != 0; return 0;
        case socket_option::v6_only:
            if (at.bound || at.family() != address_family::ipv6) return -EINVAL;
            at.v6_only = op.size != 0;
            return 0;
        case socket_option::send_buffer: at.send_buffer = bytes(send_buffer_min); return 0;
        case socket_option::receive_buffer:
            at.receive_buffer = at.window = bytes(receive_buffer_min);
            return 0;
        case socket_option::linger_reset: at.reset_on_close = op.size != 0; return 0;
        case socket_option::ecn: at.tells_ecn = op.size != 0; return 0;
        case socket_option::receive_time: at.tells_time = op.size != 0; return 0;
        case socket_option::traffic_class:
            at.traffic_class = static_cast<std::uint8_t>(op.size);
            return 0;
        case socket_option::local_address: at.tells_local = op.size != 0; return 0;
        case socket_option::free_bind: at.free_bind = op.size != 0; return 0;
        case socket_option::keep_alive: return op.size == 0 ? 0 : -EOPNOTSUPP;
        case socket_option::user_timeout: return op.size == 0 ? 0 : -EOPNOTSUPP;
        // Hints, which change when packets go and not what arrives.
        case socket_option::quick_ack:
        case socket_option::port_at_connect:
        case socket_option::hop_limit:
        case socket_option::join_datagrams:  // none are
        case socket_option::fast_open:
        case socket_option::fast_open_queue:
        case socket_option::defer_accept: return 0;
        // Without them a program would wait for ever for what never comes.
        case socket_option::keep_alive_idle:
        case socket_option::keep_alive_interval:
        case socket_option::keep_alive_probes:
        case socket_option::broadcast:
        case socket_option::multicast_hop_limit:
        case socket_option::multicast_loop:
        case socket_option::multicast_interface:
        case socket_option::join_group:
        case socket_option::leave_group:
        case socket_option::interface: return -EOPNOTSUPP;
    }
    return -EINVAL;
}

// The file of a unix socket: remembers which one it is, or removes that very one.
std::int32_t machine_backend::file_call(const operation& op) {
    auto& which = *static_cast<socket_path*>(op.data);
    const auto parsed = from_socket_address(which.address);
    if (!parsed || !parsed->is_unix() || parsed->path().starts_with('@')) return -ENOENT;
    const auto file = host_.files.find(std::string(parsed->path()));
    if (file == host_.files.end()) return -ENOENT;
    if (op.code == opcode::identify_path) {
        which.device = 1;
        which.inode = file->second.number;
        return 0;
    }
    if (which.device != 1 || which.inode != file->second.number) return -ESTALE;
    host_.files.erase(file);
    return 0;
}

}  // namespace anel::sim
