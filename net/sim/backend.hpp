// backend.hpp: the backend of one life of a simulated host: its descriptors and operations.
//
// An operation is tried when it is submitted; what would wait is parked at its descriptor until an
// event of the network lets it go on. wait() never sleeps: whoever turns the loops does that.
// Cancels take effect in wait(), so a result that arrives before wins, as it does on a ring.
//
// Invariant: an operation in flight is parked, among the lookups, or has ended; never two of these.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/core.hpp"
#include "net/sim/descriptor.hpp"
#include "net/sim/machine.hpp"

#include <anel/detail/backend.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace anel::sim {
using namespace detail;

class network;

/// The system's form of an address on the wire, as the socket sees it.
socket_address native(const descriptor& seen_by, const address& which) noexcept;
socket_address unnamed_unix_address() noexcept;

class machine_backend final : public backend {
public:
    machine_backend(network& in, machine& host);
    ~machine_backend() override;

    std::int32_t control(operation& op) noexcept override;
    bool start(operation& op) noexcept override;
    bool start_helper(operation& op) noexcept override;
    void stop(operation& op) noexcept override;
    void wait(time_point until, op_queue& done) noexcept override;
    void wake() noexcept override;
    void give_back(const void* memory) noexcept override;
    [[nodiscard]] time_point now() const noexcept override;
    [[nodiscard]] backend_kind kind() const noexcept override { return backend_kind::sim; }

    [[nodiscard]] machine& host() const noexcept { return host_; }
    /// Tries a parked operation again. Does nothing when there is none.
    void retry(descriptor& at, std::size_t direction);
    /// Tries an operation without waiting, and without the rules of a flight: for tests that play
    /// the peer. Returns >= 0, -errno, or would_wait.
    std::int32_t try_now(operation& op) { return find(op.fd) ? attempt(op) : -EBADF; }
    /// Bytes that have arrived at a stream; -1 when a receive would wait, also for its end.
    [[nodiscard]] std::int64_t readable(int fd) const noexcept;
    /// When the next lookup has its answer; `never` without one.
    [[nodiscard]] time_point next_answer() const noexcept;
    /// Whether wait() would bring something.
    [[nodiscard]] bool has_news() const noexcept { return !ended_.empty() || !cancels_.empty(); }
    /// The crash: every descriptor vanishes, every operation ends, and so does each new one.
    void fail_everything();
    /// The clock of a host that crashes runs ahead of the world's: its timers fire at once.
    void set_crash_clock(time_point at) noexcept { crash_clock_ = at; }

    /// A new descriptor, the lowest free number; null when there are too many.
    descriptor* make_descriptor(socket_kind kind);
    [[nodiscard]] descriptor* find(int fd) const noexcept;
    [[nodiscard]] std::size_t open_descriptors() const noexcept { return open_; }
    /// The listener that a request for `to` reaches, or null.
    descriptor* listener_for(const address& to);
    /// The socket that a datagram for `to` reaches: one connected to `from` first.
    descriptor* datagram_socket_for(const address& to, const address& from);
    /// Whether an address is one of this host's.
    bool has(const address& which) const noexcept;
    /// Whether another socket stands in the way of binding `which` to `wanted`.
    [[nodiscard]] bool is_taken(const descriptor& which, const address& wanted) const;

private:
    struct lookup {
        operation* op;
        time_point due;
    };

    void retry_chunkless();
    void park(descriptor& at, operation& op);
    std::int32_t attempt(operation& op);
    std::int32_t attempt_once(descriptor& at, operation& op);
    std::int32_t perform(operation& op);
    std::int32_t control_while_crashing(operation& op);
    std::int32_t bind(descriptor& at, const socket_address& wanted);
    std::int32_t bind_path(descriptor& at, const std::string& path);
    std::int32_t listen(descriptor& at, std::size_t backlog);
    std::int32_t set_option(descriptor& at, const operation& op);
    std::int32_t local_address(const descriptor& at, socket_address& into) const;
    std::int32_t peer_address(const descriptor& at, socket_address& into) const;
    void inspect(const descriptor& at, descriptor_facts& facts) const;
    std::int32_t file_call(const operation& op);
    void close(descriptor& at);
    void start_lookup(operation& op);
    void answer(operation& op);
    void complete(operation& op, std::int32_t result);
    void apply_cancels();
    void finish_lookups();
    bool is_choice_of(const descriptor& at, const address& to) const noexcept;

    core& core_;
    network& network_;
    machine& host_;
    std::vector<std::unique_ptr<descriptor>> descriptors_;  // by number, from first_number on
    std::vector<descriptor*> bound_;                        // listeners and datagram sockets
    std::size_t open_ = 0;
    std::vector<operation*> ended_;
    std::vector<operation*> now_done_;  // empty but in wait()
    std::vector<operation*> cancels_;
    std::vector<lookup> lookups_;
    time_point crash_clock_{};
    bool chunks_wanted_ = false;  // a receive waits for memory to lend
};

}  // namespace anel::sim
