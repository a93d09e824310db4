// tcp.cpp: listening and connecting: socket, bind, listen and connect in the order of the lecture.
// SPDX-License-Identifier: MIT
#include <anel/tcp.hpp>

#include "net/address.hpp"
#include "net/socket_options.hpp"
#include "net/unix_path.hpp"

#include <anel/timeout.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <tuple>

namespace anel {
using namespace detail;
namespace {

socket_kind stream_kind(const endpoint& address) noexcept {
    switch (address.family()) {
        case address_family::ipv4: return socket_kind::tcp4;
        case address_family::ipv6: return socket_kind::tcp6;
        case address_family::unix_path: break;
    }
    return socket_kind::unix_stream;
}

int open_stream(loop& owner, const endpoint& address) {
    return open_socket(owner, stream_kind(address), address);
}

constexpr std::uint32_t flag(socket_option option) { return static_cast<std::uint32_t>(option); }

// What both kinds of options have.
template <class Options>
void set_for_connections(const option_setter& socket, const Options& options) {
    if (options.keep_alive) socket.set(options.keep_alive);
    if (options.user_timeout.count() != 0) socket.set_user_timeout(options.user_timeout);
    if (options.traffic_class) socket.set(socket_option::traffic_class, *options.traffic_class);
    if (!options.interface.empty()) socket.set_interface(options.interface);
    if (options.free_bind) socket.set(socket_option::free_bind, 1);
}

void set_for_listening(const option_setter& socket, const endpoint& address,
                       const listen_options& options) {
    if (!address.is_unix()) {
        socket.set(socket_option::reuse_address, options.reuse_address);
        if (options.reuse_port) socket.set(socket_option::reuse_port, 1);
        if (options.no_delay) socket.set(socket_option::no_delay, 1);
        const bool v6 = address.family() == address_family::ipv6;
        if (v6) socket.set(socket_option::v6_only, options.v6_only);
    }
    socket.set_buffers(options);
    set_for_connections(socket, options);
    if (options.fast_open_queue != 0) {
        socket.set(socket_option::fast_open_queue, options.fast_open_queue);
    }
    const auto patience = options.defer_accept.count();
    if (patience != 0) socket.set(socket_option::defer_accept, patience);
}

void set_for_connecting(const option_setter& socket, const connect_options& options) {
    set_for_connections(socket, options);
    if (options.quick_ack) socket.set(socket_option::quick_ack, *options.quick_ack);
    if (options.fast_open) socket.set(socket_option::fast_open, 1);
    socket.set_buffers(options);
}

void bind_before_connect(const loop_ref& owner, int fd, const option_setter& socket,
                         const endpoint& peer, const endpoint& local) {
    const std::string what = "local address " + local.to_string();
    if (local.is_unix() || peer.is_unix()) socket.require(-EOPNOTSUPP, what);
    if (local.family() != peer.family()) socket.require(-EAFNOSUPPORT, what);
    // A port that an earlier connection to somebody else still holds can be used again. Without one
    // connect() chooses, which sees more free ports: those that are taken to other peers alone.
    const auto more =
        local.port() == 0 ? socket_option::port_at_connect : socket_option::reuse_address;
    (void)owner.control(opcode::set_option, fd, nullptr, 1, flag(more));
    socket_address native = to_socket_address(local);
    socket.require(owner.control(opcode::bind, fd, &native), what);
}

task<> drop_input(tcp_stream& stream, std::size_t bytes_max) {
    std::array<std::byte, 8192> waste;  // lent memory would be a ring's, for what nobody wants
    for (std::size_t dropped = 0; dropped < bytes_max;) {
        const std::size_t count = co_await stream.recv(waste);
        if (count == 0) break;
        dropped += count;
    }
}

}  // namespace

// --- tcp_listener -------------------------------------------------------------------------------

task<tcp_listener> tcp_listener::bind(endpoint address, listen_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    tcp_listener listener(owner, open_stream(owner, address));
    const option_setter setter(listener.home_, listener.native_handle(), "bind", address);
    set_for_listening(setter, address, options);

    if (address.is_unix()) {
        const int fd = listener.native_handle();
        auto file =
            co_await bind_path(owner, fd, socket_kind::unix_stream, address, options.reuse_address);
        listener.file_ = std::move(file);
    } else {
        socket_address native = to_socket_address(address);
        listener.require(listener.control(opcode::bind, &native), "bind", address);
    }
    const auto backlog = static_cast<std::size_t>(options.backlog);
    listener.require(listener.control(opcode::listen, nullptr, backlog), "listen", address);
    co_return listener;
}

tcp_stream detail::accept_wait::value() const noexcept {
    loop& owner = wait_scope->owner();
    const auto peer = from_socket_address(peer_).value_or(endpoint::unix_unnamed());
    return {owner, result, pack(peer)};
}

io_error detail::accept_error(const socket_handle& listener, std::error_code error) {
    if (!listener.is_open()) return io_error(error, "accept", "(the listener is closed)");
    return io_error(error, "accept", listener.local_text());
}

io_error detail::accept_wait::describe(std::error_code error) const {
    return accept_error(use().socket(), error);
}

// --- tcp_stream ---------------------------------------------------------------------------------

void detail::stream_use::describe_wait(const operation& op, std::string& text) const {
    const endpoint peer = stream().peer_endpoint();
    // The end of a unix stream that connected has no name.
    if (peer.is_unix()) return socket_use::describe_wait(op, text);
    const bool receives = row_of(op.code).kind == op_kind::incoming;
    text.append(receives ? " from " : " to ").append(peer.to_string());
    append_progress(op, text);
}

void tcp_stream::reset_on_close() {
    keep_for_nobody();
    require(control(opcode::set_option, nullptr, 1, flag(socket_option::linger_reset)),
            "setsockopt", peer_endpoint());
}

bool tcp_stream::lost_its_peer() const noexcept {
    if (said_end_) return false;
    socket_address peer;
    return control(opcode::peer_address, &peer) == -ENOTCONN;
}

task<> tcp_stream::lingering_close(std::chrono::nanoseconds time, std::size_t bytes_max) {
    auto told = co_await as_result(shutdown_send());
    if (told) {
        std::ignore = co_await as_result(with_timeout(time, drop_input(*this, bytes_max)));
    }
    co_await close();
}

std::size_t tcp_stream::try_send(const_buffer buffer) noexcept {
    if (is_sending() || buffer.size == 0) return 0;
    const auto sent = control(opcode::send_now, const_cast<void*>(buffer.data), buffer.size);
    return static_cast<std::size_t>(std::max(sent, 0));
}

void tcp_stream::set_no_delay(bool on) {
    if (is_open() && peer_endpoint().is_unix()) return;
    const endpoint peer = peer_endpoint();
    option_setter(home_, native_handle(), "setsockopt", peer).set(socket_option::no_delay, on);
}

void tcp_stream::set_keep_alive(std::optional<keep_alive_times> times) {
    const endpoint peer = peer_endpoint();
    option_setter(home_, native_handle(), "setsockopt", peer).set(times);
}

void tcp_stream::set_user_timeout(std::chrono::milliseconds time) {
    const endpoint peer = peer_endpoint();
    option_setter(home_, native_handle(), "setsockopt", peer).set_user_timeout(time);
}

void tcp_stream::set_quick_ack(bool on) {
    const endpoint peer = peer_endpoint();
    option_setter(home_, native_handle(), "setsockopt", peer).set(socket_option::quick_ack, on);
}

void tcp_stream::set_traffic_class(int value) {
    const endpoint peer = peer_endpoint();
    option_setter(home_, native_handle(), "setsockopt", peer)
        .set(socket_option::traffic_class, value);
}

stream_info tcp_stream::info() const {
    using std::chrono::microseconds;
    using std::chrono::milliseconds;
    stream_facts facts{};
    const endpoint peer = peer_endpoint();
    const bool is_unix = is_open() && peer.is_unix();
    require(is_unix ? -EOPNOTSUPP : control(opcode::stream_state, &facts), "getsockopt", peer);
    stream_info known;
    known.round_trip = microseconds(facts.round_trip_us);
    known.round_trip_variance = microseconds(facts.round_trip_variance_us);
    known.round_trip_least = microseconds(facts.round_trip_least_us);
    known.retransmit_after = microseconds(facts.retransmit_after_us);
    known.last_received = milliseconds(facts.last_received_ms);
    known.last_sent = milliseconds(facts.last_sent_ms);
    known.segment_size = facts.segment_size;
    known.path_mtu = facts.path_mtu;
    known.congestion_window = facts.congestion_window;
    known.unacknowledged = facts.unacknowledged;
    known.lost = facts.lost;
    known.retransmitted = facts.retransmitted;
    known.unsent = facts.unsent;
    known.acknowledged = facts.acknowledged;
    known.received = facts.received;
    known.delivery_rate = facts.delivery_rate;
    return known;
}

peer_credentials tcp_stream::credentials() const {
    process_identity who;
    const endpoint peer = peer_endpoint();
    const bool is_tcp = is_open() && !peer.is_unix();
    require(is_tcp ? -EOPNOTSUPP : control(opcode::peer_identity, &who), "getsockopt", peer);
    return {who.user, who.group, who.process};
}

task<> tcp_stream::send(std::span<const const_buffer> parts) {
    constexpr std::size_t most = 64;  // buffers at a time; a frame of a kilobyte
    do {
        const auto next = parts.first(std::min(parts.size(), most));
        detail::send_parts_wait<most> sent(*this, next);
        co_await sent;
        parts = parts.subspan(next.size());
    } while (!parts.empty());
}

detached_stream detach(tcp_stream stream) noexcept {
    auto left = stream.give_up();
    return {left.fd, std::move(left.home), stream.peer_, stream.said_end_};
}

tcp_stream detail::attach_wait::finish() noexcept {
    if (!given_.is_open()) return {};
    // A simulated stream stays on its host.
    ANEL_ASSERT(!given_.home_ || given_.home_.get() == owner_);
    const auto kind = static_cast<std::uint32_t>(stream_kind(unpack(given_.peer_)));
    (void)owner_->control(opcode::take_over, given_.fd_, nullptr, 0, kind);
    tcp_stream taken(*owner_, std::exchange(given_.fd_, -1), given_.peer_);
    taken.said_end_ = given_.said_end_;
    return taken;
}

task<tcp_stream> connect(endpoint peer) { return connect(peer, connect_options()); }

task<tcp_stream> connect(endpoint peer, connect_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    tcp_stream stream(owner, open_stream(owner, peer), pack(peer));
    const option_setter setter(stream.home_, stream.native_handle(), "connect", peer);
    set_for_connecting(setter, options);
    if (options.local)
        bind_before_connect(stream.home_, stream.native_handle(), setter, peer, *options.local);
    if (peer.is_unix()) {
        co_await connect_in_turn(stream, peer);
        co_return stream;
    }
    connect_wait connected(stream, peer);
    co_await connected;
    if (options.no_delay) stream.set_no_delay(true);
    // Connecting to a free port of this machine can pick that very port as the local one, and TCP
    // connects the socket to itself. Nobody listens there: say so.
    if (stream.local_endpoint() == peer) throw_errno(ECONNREFUSED, "connect", peer.to_string());
    co_return stream;
}

}  // namespace anel
