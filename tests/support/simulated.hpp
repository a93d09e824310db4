// simulated.hpp: the simulated host on which the body of a conformance test runs, if it does.
//
// A body that arranges things through the kernel's own calls (raw_socket, count_descriptors, ...)
// asks here whether there is a kernel at all. Everything happens on one host, over loopback, where
// a call is done when it returns.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/backend.hpp"

#include <anel/detail/loop.hpp>
#include <anel/endpoint.hpp>
#include <anel/sim.hpp>

#include <cstdint>
#include <string_view>

namespace anel::test {
using namespace detail;

/// The host on which the body runs now; null on a real system.
inline sim::machine_backend* simulated = nullptr;
/// Counts those hosts: a socket of an earlier one went with it.
inline std::uint64_t simulated_life = 0;

/// Makes the loop's host the simulated one, for as long as it lives.
class on_simulated_host {
public:
    explicit on_simulated_host(loop& owner) {
        simulated = static_cast<sim::machine_backend*>(&owner.backend());
        simulated_life += 1;
    }
    on_simulated_host(const on_simulated_host&) = delete;
    on_simulated_host& operator=(const on_simulated_host&) = delete;
    ~on_simulated_host() { simulated = nullptr; }
};

/// A control call on that host. Returns >= 0 or -errno.
inline std::int32_t simulated_control(opcode code, int fd, void* data = nullptr,
                                      std::size_t size = 0, std::uint32_t flags = 0) {
    operation op(code, fd, data, size, flags);
    simulated->submit(op);
    return op.result;
}

/// Sends or receives what can be without waiting. Returns >= 0, -errno, or sim::would_wait.
inline std::int32_t simulated_transfer(opcode code, int fd, void* data, std::size_t size) {
    const sim::descriptor* at = simulated->find(fd);
    if (!at) return -EBADF;
    operation op(code, fd, data, size);
    if (at->is_stream()) return simulated->try_now(op);
    io_buffer buffer{data, size};
    message datagram{};
    datagram.buffers = &buffer;
    datagram.buffer_count = 1;
    operation whole(code == opcode::recv ? opcode::recvmsg : opcode::sendmsg, fd, &datagram, size);
    return simulated->try_now(whole);
}

}  // namespace anel::test
