// unix_path.cpp: the care of the file that a unix socket has, and of a backlog that is full.
// SPDX-License-Identifier: MIT
#include "net/unix_path.hpp"

#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <algorithm>
#include <cerrno>

namespace anel::detail {
namespace {

class probing_socket : public socket_handle {
public:
    probing_socket(loop& owner, int fd) noexcept : socket_handle(owner, fd) {}
};

task<> probe(loop& owner, socket_kind kind, endpoint address) {
    probing_socket socket(owner, open_socket(owner, kind, address));
    co_await connect_in_turn(socket, address);
}

// True when the file of a unix endpoint belongs to a socket that is gone. A listener that is there
// but too busy to accept makes a connect wait; one that is between its bind() and its listen()
// refuses like one that is gone, but only for a moment. Datagrams need no listen(): the moment is
// within bind(2).
task<bool> nobody_answers(loop& owner, socket_kind kind, endpoint address) {
    const bool listens = kind != socket_kind::unix_datagram;
    for (int tries = 0; tries < 2; ++tries) {
        if (tries > 0) co_await sleep_for(std::chrono::milliseconds(listens ? 50 : 1));
        auto probed =
            co_await as_result(with_timeout(std::chrono::seconds(1), probe(owner, kind, address)));
        if (probed.error() != std::errc::connection_refused) co_return false;
    }
    co_return true;
}

}  // namespace

int open_socket(loop& owner, socket_kind kind, const endpoint& address) {
    const std::int32_t fd =
        owner.control(opcode::open_socket, -1, nullptr, 0, static_cast<std::uint32_t>(kind));
    if (fd < 0) throw_errno(-fd, "socket", address.to_string());
    return fd;
}

// io_uring waits for room in a worker of the kernel; the calls of the readiness backends say
// EAGAIN, and nothing ever tells when there is room.
task<> connect_in_turn(socket_handle& on, endpoint peer) {
    auto pause = std::chrono::milliseconds(1);
    for (;;) {
        auto connected = co_await as_result(connect_wait(on, peer));
        if (connected) co_return;
        if (connected.error() != std::errc::resource_unavailable_try_again) {
            throw io_error(connected.error(), "connect", peer.to_string());
        }
        co_await sleep_for(pause);
        pause = std::min(2 * pause, std::chrono::milliseconds(100));
    }
}

task<std::unique_ptr<unix_file>> bind_path(loop& owner, int fd, socket_kind kind, endpoint address,
                                           bool replace) {
    socket_address native = to_socket_address(address);
    // Before the file is there: without memory for it nobody would remove the file.
    auto file = std::make_unique<unix_file>(owner, native);
    std::int32_t bound = owner.control(opcode::bind, fd, &native);
    if (bound == -EADDRINUSE && replace) {
        // Which file that is, before anybody is asked: meanwhile another program may take it over.
        unix_file left_behind(owner, native);
        left_behind.remember();
        const bool stale = co_await nobody_answers(owner, kind, address);
        if (stale) left_behind.remove();
        if (stale) bound = owner.control(opcode::bind, fd, &native);
    }
    if (bound < 0) throw_errno(-bound, "bind", address.to_string());
    file->own();
    co_return file;
}

unix_file::unix_file(loop& owner, const socket_address& address) noexcept : owner_(owner) {
    path_.address = address;
}

void unix_file::remember() noexcept { (void)owner_.control(opcode::identify_path, 0, &path_); }

void unix_file::remove() noexcept { (void)owner_.control(opcode::remove_path, 0, &path_); }

unix_file::~unix_file() {
    if (owned_) remove();
}

}  // namespace anel::detail
