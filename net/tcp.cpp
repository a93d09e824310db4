// tcp.cpp: listening and connecting: socket, bind, listen and connect in the order of the lecture.
// SPDX-License-Identifier: MIT
#include <anel/tcp.hpp>

#include "net/address.hpp"

#include <anel/sleep.hpp>
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
    const std::int32_t fd = owner.control(opcode::open_socket, -1, nullptr, 0,
                                          static_cast<std::uint32_t>(stream_kind(address)));
    if (fd < 0) throw_errno(-fd, "socket", address.to_string());
    return fd;
}

constexpr std::uint32_t flag(socket_option option) { return static_cast<std::uint32_t>(option); }

/// Connects a socket.
class connect_wait : public io<connect_wait, socket_use> {
public:
    connect_wait(socket_handle& on, const endpoint& peer) noexcept
        : io(on, opcode::connect), peer_(peer), address_(to_socket_address(peer)) {}
    void prepare(const frame&) noexcept { data = &address_; }
    void value() const noexcept {}
    io_error describe(std::error_code error) const {
        return io_error(error, "connect", peer_.to_string());
    }

private:
    endpoint peer_;
    socket_address address_;
};

// A unix listener whose backlog is full: io_uring waits for room in a worker of the kernel; the
// calls of the readiness backends say EAGAIN, and nothing ever tells when there is room.
task<> connect_in_turn(socket_handle& stream, const endpoint& peer) {
    auto pause = std::chrono::milliseconds(1);
    for (;;) {
        auto connected = co_await as_result(connect_wait(stream, peer));
        if (connected) co_return;
        if (connected.error() != std::errc::resource_unavailable_try_again) {
            throw io_error(connected.error(), "connect", peer.to_string());
        }
        co_await sleep_for(pause);
        pause = std::min(2 * pause, std::chrono::milliseconds(100));
    }
}

// True when the file of a unix endpoint belongs to a listener that is gone. One that is there but
// too busy to accept makes a connect wait; one that is between its bind() and its listen() refuses
// like one that is gone, but only for a moment.
task<bool> nobody_listens(endpoint address) {
    for (int tries = 0; tries < 2; ++tries) {
        if (tries > 0) co_await sleep_for(std::chrono::milliseconds(50));
        auto probe = co_await as_result(with_timeout(std::chrono::seconds(1), connect(address)));
        if (probe.error() != std::errc::connection_refused) co_return false;
    }
    co_return true;
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
    const auto set = [&](socket_option option, int value) {
        listener.require(listener.control(opcode::set_option, nullptr,
                                          static_cast<std::size_t>(value), flag(option)),
                         "setsockopt", address);
    };
    if (!address.is_unix()) {
        set(socket_option::reuse_address, options.reuse_address);
        if (options.reuse_port) set(socket_option::reuse_port, 1);
        if (options.no_delay) set(socket_option::no_delay, 1);
        if (address.family() == address_family::ipv6) set(socket_option::v6_only, options.v6_only);
    }
    if (options.send_buffer > 0) set(socket_option::send_buffer, options.send_buffer);
    if (options.receive_buffer > 0) set(socket_option::receive_buffer, options.receive_buffer);

    socket_address native = to_socket_address(address);
    // Before the file is there: without memory for it nobody would remove the file.
    std::unique_ptr<detail::unix_file> file;
    if (address.is_unix()) file = std::make_unique<detail::unix_file>(owner, native);
    std::int32_t bound = listener.control(opcode::bind, &native);
    if (bound == -EADDRINUSE && address.is_unix() && options.reuse_address) {
        // Which file that is, before anybody is asked: meanwhile another program may take it over.
        detail::unix_file left_behind(owner, native);
        left_behind.remember();
        const bool stale = co_await nobody_listens(address);
        if (stale) left_behind.remove();
        if (stale) bound = listener.control(opcode::bind, &native);
    }
    if (bound < 0) throw_errno(-bound, "bind", address.to_string());
    if (file) file->own();
    listener.file_ = std::move(file);
    const auto backlog = static_cast<std::size_t>(options.backlog);
    listener.require(listener.control(opcode::listen, nullptr, backlog), "listen", address);
    co_return listener;
}

detail::unix_file::unix_file(loop& owner, const socket_address& address) noexcept : owner_(owner) {
    path_.address = address;
}

void detail::unix_file::remember() noexcept {
    (void)owner_.control(opcode::identify_path, 0, &path_);
}

void detail::unix_file::remove() noexcept { (void)owner_.control(opcode::remove_path, 0, &path_); }

detail::unix_file::~unix_file() {
    if (owned_) remove();
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

void tcp_stream::set_no_delay(bool on) {
    if (is_open() && peer_endpoint().is_unix()) return;
    require(control(opcode::set_option, nullptr, on, flag(socket_option::no_delay)), "setsockopt",
            peer_endpoint());
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

task<tcp_stream> connect(endpoint peer) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    tcp_stream stream(owner, open_stream(owner, peer), pack(peer));
    if (peer.is_unix()) {
        co_await connect_in_turn(stream, peer);
        co_return stream;
    }
    connect_wait connected(stream, peer);
    co_await connected;
    stream.set_no_delay(true);
    // Connecting to a free port of this machine can pick that very port as the local one, and TCP
    // connects the socket to itself. Nobody listens there: say so.
    if (stream.local_endpoint() == peer) throw_errno(ECONNREFUSED, "connect", peer.to_string());
    co_return stream;
}

}  // namespace anel
