// streams.hpp: TCP as programs see it, and unix streams: connections with two ends and a pipe
// of bytes in each direction.
//
// Segments arrive in order; what is lost comes later. Buffers at both ends give back-pressure. The
// errors, and the order in which an end tells them, are those of Linux. Not modelled: congestion
// control, keep-alive, urgent data.
//
// Between two sockets of one host everything happens at once, as on a loopback interface.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/address.hpp"
#include "net/sim/bytes.hpp"
#include "net/sim/core.hpp"
#include "net/sim/descriptor.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace anel::sim {
using namespace detail;

class network;
struct machine;

struct segment {
    std::size_t size;  // 0: the end of the stream
    time_point due;
    time_point sent;
};

/// One end of a connection.
struct stream_end {
    machine* at = nullptr;
    std::uint32_t life = 0;          // of the machine, when the connection was made
    descriptor* owner = nullptr;     // null: closed, not yet accepted, or gone with its host
    descriptor* listener = nullptr;  // in whose queue it waits
    address name;
    std::int32_t error = 0;   // to be told once
    bool finished = false;    // we have sent our end
    bool peer_ended = false;  // we have received the peer's
    bool receives = true;     // false after a shutdown of the receiving side
    bool dead = false;        // reset, timed out
    bool silent = false;      // its host has crashed: it says nothing any more
};

/// The bytes from one end to the other: those that have arrived, those that fly, those that wait.
struct pipe {
    byte_queue bytes;
    std::size_t arrived = 0;
    std::size_t flying = 0;
    std::size_t room = 0;    // of the sender's buffer
    std::size_t window = 0;  // of the receiver's
    std::deque<segment> segments;
    bool end_sent = false;
    bool arriving = false;  // an event for the first segment is scheduled
    bool looking = false;   // an event for the sender is scheduled
    std::uint32_t tries = 0;
    time_point last_due{};
    std::uint64_t rate = 0;  // bytes a second that the receiver takes; 0: no limit
    time_point rate_free{};
    std::uint64_t reset_at = 0;   // the connection is reset once so many bytes arrived; 0: never
    std::uint64_t vanish_at = 0;  // packets vanish from then on

    [[nodiscard]] std::size_t waiting() const noexcept { return bytes.size() - arrived - flying; }
};

struct connection {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    bool in_use = false;
    bool established = false;  // as end 0, which connected, knows
    bool local = false;        // both ends on one host
    bool severed = false;      // packets vanish in both directions
    std::uint32_t tries = 0;
    stream_end ends[2];
    pipe pipes[2];  // [i] from ends[i]
};

class streams {
public:
    explicit streams(network& in) noexcept : network_(in) {}

    // Attempts: a result, -errno, or would_wait.
    std::int32_t connect(descriptor& from, operation& op);
    std::int32_t accept(descriptor& listener, operation& op);
    std::int32_t receive(descriptor& from, void* data, std::size_t size);
    std::int32_t send(descriptor& to, const void* data, std::size_t size);

    std::int32_t shutdown(descriptor& which, shutdown_side side);
    void close(descriptor& which);
    /// Forgets a socket whose host has crashed: nobody is told.
    void vanish(descriptor& which);

    /// An event for the connection `index`.
    void on_event(const event& what);
    [[nodiscard]] bool is_current(const event& what) const noexcept {
        return all_[what.target]->generation == what.generation;
    }
    /// Connections that were to be reset or to vanish at some byte are spared.
    void stop_striking() noexcept;
    [[nodiscard]] std::size_t in_use() const noexcept { return all_.size() - free_.size(); }

private:
    core& shared() const noexcept;
    std::int32_t begin_connect(descriptor& from, operation& op);
    std::int32_t begin_unix_connect(descriptor& from, const operation& op);
    std::int32_t conclude_connect(descriptor& from);
    void arrive_at_listener(connection& link, descriptor& listener);
    connection& make(descriptor& from, machine& at, const address& to);
    void draw_faults(connection& link);
    void see(const connection& link, std::uint32_t from, const char* kind, time_point sent,
             std::size_t bytes = 0);
    void see(const connection& link, const event& what);
    void release_if_unused(connection& link);

    void on_request(connection& link);
    void on_established(connection& link);
    void on_segment(connection& link, std::uint32_t from);
    void on_look(connection& link, std::uint32_t from);
    bool deliver(connection& link, std::uint32_t from);
    bool strike(connection& link, std::uint32_t from);

    void request_again(connection& link, duration wait);
    void pump(connection& link, std::uint32_t from);
    void pump_here(connection& link, std::uint32_t from);
    void fly(connection& link, std::uint32_t from, std::size_t size);
    void look_later(connection& link, std::uint32_t from);
    bool reaches(const connection& link, std::uint32_t from) const;
    void send_reset(connection& link, std::uint32_t to);
    void fail(connection& link, std::uint32_t end, std::int32_t error);
    void reset_by_peer(connection& link, std::uint32_t end);
    void schedule(time_point at, event_kind kind, const connection& link, std::uint32_t extra = 0);

    network& network_;
    std::vector<std::unique_ptr<connection>> all_;
    std::vector<std::uint32_t> free_;
};

}  // namespace anel::sim
