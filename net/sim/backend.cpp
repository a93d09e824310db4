// backend.cpp: operations of a simulated host: tried, parked, ended, cancelled.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"

#include "net/sim/network.hpp"

#include "runtime/backend/chunk_pool.hpp"
#include "runtime/system/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

/// What a stream's operation moves next: the first buffer that is not empty.
io_buffer next_piece(const operation& op) noexcept {
    if (op.code == opcode::connect || op.code == opcode::send_file) return {};
    if (op.code != opcode::sendmsg) return {op.data, op.size};
    const auto& what = *static_cast<const message*>(op.data);
    for (std::uint32_t i = 0; i < what.buffer_count; ++i) {
        if (what.buffers[i].size > 0) return what.buffers[i];
    }
    return {};
}

/// A sum over the ends of a buffer: enough to see that somebody uses it for something else.
std::uint64_t sum_of(const io_buffer& bytes) noexcept {
    constexpr std::size_t looked_at = 128;
    const auto* data = static_cast<const unsigned char*>(bytes.data);
    std::uint64_t sum = bytes.size;
    for (std::size_t i = 0; i < std::min(bytes.size, looked_at); ++i) {
        sum = sum * 31 + data[i];
        sum = sum * 31 + data[bytes.size - 1 - i];
    }
    return sum;
}

}  // namespace

machine_backend::machine_backend(network& in, machine& host)
    : core_(in.shared()), network_(in), host_(host) {}

machine_backend::~machine_backend() { ANEL_ASSERT(in_flight() == 0); }

time_point machine_backend::now() const noexcept {
    return host_.crashing ? std::max(crash_clock_, core_.now) : core_.now;
}

void machine_backend::wake() noexcept { network_.has_work(host_); }

std::int32_t machine_backend::control(operation& op) noexcept {
    op.result = host_.crashing ? control_while_crashing(op) : perform(op);
    if ((op.flags & op_flag::for_listing) == 0) core_.log(host_.index, op);
    return op.result;
}

bool machine_backend::start_helper(operation& op) noexcept {
    if (op.code == opcode::resolve) {
        if (host_.crashing) return finished_inline(op, -ECANCELED);
        started(op);
        start_lookup(op);
        return true;
    }
    auto& call = *static_cast<helper_call*>(op.data);
    started(op);
    call.run(call);
    complete(op, 0);
    return true;
}

bool machine_backend::start(operation& op) noexcept {
    if (host_.crashing) return finished_inline(op, -ECANCELED);
    if (op.code == opcode::poll) return finished_inline(op, -EOPNOTSUPP);
    descriptor* at = find(op.fd);
    if (!at) return finished_inline(op, -EBADF);
    try {
        if (op.code == opcode::recv_chunk) static_cast<void>(chunks());  // fails here, or never
    } catch (const std::bad_alloc&) {
        return finished_inline(op, -ENOMEM);
    }
    const std::int32_t result = attempt(op);
    if (result == would_wait) {
        started(op);
        ANEL_ASSERT(at->parked[is_outgoing(op.code)] == nullptr);
        park(*at, op);
        return true;
    }
    // A connection is made while nobody waits for it, also over loopback: Linux says EINPROGRESS.
    const bool later = op.code == opcode::connect && at->is_stream() && !at->is_unix();
    if (later || core_.happens(fault::late_completion)) {
        // As a ring does: it is done, and told later.
        started(op);
        complete(op, result);
        return true;
    }
    finished_inline(op, result);
    core_.log(host_.index, op);
    return false;
}

void machine_backend::complete(operation& op, std::int32_t result) {
    ANEL_ASSERT(op.state == op_state::in_flight && result != would_wait);
    op.result = result;
    ended_.push_back(&op);
    network_.has_work(host_);
}

void machine_backend::stop(operation& op) noexcept {
    cancels_.push_back(&op);
    network_.has_work(host_);
}

void machine_backend::apply_cancels() {
    for (operation* op : cancels_) {
        if (op->code == opcode::resolve) {
            const auto place = std::find_if(lookups_.begin(), lookups_.end(),
                                            [&](const lookup& each) { return each.op == op; });
            if (place == lookups_.end()) continue;
            lookups_.erase(place);
        } else {
            descriptor* at = op->code == opcode::call ? nullptr : find(op->fd);
            // A result that came in between wins.
            if (!at || at->parked[is_outgoing(op->code)] != op) continue;
            at->parked[is_outgoing(op->code)] = nullptr;
        }
        complete(*op, -ECANCELED);
    }
    cancels_.clear();  // nobody runs meanwhile who could ask for more
}

void machine_backend::wait(time_point, op_queue& done) noexcept {
    counters_.waits += 1;
    apply_cancels();
    finish_lookups();
    retry_chunkless();
    if (ended_.empty()) return;
    ANEL_ASSERT(now_done_.empty());
    now_done_.swap(ended_);  // two vectors, whose memory stays
    if (!core_.options.first_in_first_out) {
        for (std::size_t i = now_done_.size(); i > 1; --i) {
            std::swap(now_done_[i - 1], now_done_[core_.order.below(i)]);
        }
    }
    for (operation* op : now_done_) {
        if (!host_.crashing && core_.happens(fault::late_completion)) {
            ended_.push_back(op);
            continue;
        }
        core_.log(host_.index, *op);
        finished(*op, done);
    }
    now_done_.clear();
    // What is left is seen in the next turn, at the earliest.
    if (!ended_.empty()) network_.has_work(host_);
}

void machine_backend::give_back(const void* memory) noexcept {
    backend::give_back(memory);
    if (chunks_wanted_) network_.has_work(host_);
}

// Those that waited for memory, which has come back.
void machine_backend::retry_chunkless() {
    if (!std::exchange(chunks_wanted_, false)) return;
    for (const auto& at : descriptors_) {
        if (at && at->parked[0] && at->parked[0]->code == opcode::recv_chunk) retry(*at, 0);
    }
}

void machine_backend::park(descriptor& at, operation& op) {
    ANEL_ASSERT(op.state == op_state::in_flight && op.fd == at.fd);
    at.parked[is_outgoing(op.code)] = &op;
    if (at.is_stream() && is_outgoing(op.code)) at.parked_bytes = sum_of(next_piece(op));
}

void machine_backend::retry(descriptor& at, std::size_t direction) {
    operation* op = std::exchange(at.parked[direction], nullptr);
    if (!op) return;
    if (at.is_stream() && is_outgoing(op->code) && at.parked_bytes != sum_of(next_piece(*op))) {
        network_.broke("host " + host_.name + ": the buffer of a send was changed before it ended");
    }
    const std::int32_t result = attempt(*op);
    if (result == would_wait) park(at, *op);
    else complete(*op, result);
}

std::int32_t machine_backend::attempt(operation& op) {
    for (;;) {
        const std::int32_t result = attempt_once(*find(op.fd), op);
        const bool whole = (op.flags & op_flag::whole) != 0;
        if (result < 0 || !whole) return result;
        advance(op, static_cast<std::size_t>(result));
        if (op.size == 0 || result == 0) return 0;
    }
}

std::int32_t machine_backend::attempt_once(descriptor& at, operation& op) {
    streams& connections = network_.connections();
    datagrams& messages = network_.messages();
    const auto shorter = [&](fault kind, std::size_t size) {
        const bool cut = size > 1 && !at.is_unix() && core_.happens(kind);
        return cut ? core_.faults.any_magnitude(size - 1) : size;
    };
    switch (op.code) {
        case opcode::accept: return connections.accept(at, op);
        case opcode::connect:
            return at.is_stream() ? connections.connect(at, op) : messages.connect(at, op);
        case opcode::recv:
            return connections.receive(at, op.data, shorter(fault::short_read, op.size));
        case opcode::recv_chunk: {
            // One that waits holds no memory: it gets some for the moment of a try.
            op.data = chunks().take();
            op.size = chunk_pool::chunk_bytes;
            if (!op.data) {
                chunks_wanted_ = true;
                return would_wait;
            }
            const std::int32_t received =
                connections.receive(at, op.data, shorter(fault::short_read, op.size));
            if (received <= 0) backend::give_back(op.data);
            return received;
        }
        case opcode::send_file: {
            // The files are those of the real system; only the network is simulated.
            const auto& part = *static_cast<const file_part*>(op.data);
            if (part.head.size > 0) {
                return connections.send(at, part.head.data,
                                        shorter(fault::short_write, part.head.size));
            }
            std::array<std::byte, 16 * 1024> piece;
            const std::int32_t got =
                read_at(part.fd, part.offset, piece.data(), std::min(op.size, piece.size()));
            if (got <= 0) return got;
            return connections.send(at, piece.data(),
                                    shorter(fault::short_write, static_cast<std::size_t>(got)));
        }
        case opcode::recvmsg: return messages.receive(at, *static_cast<message*>(op.data));
        case opcode::recv_batch:
            return messages.receive_batch(at, *static_cast<message_batch*>(op.data),
                                          shorter(fault::short_read, message_batch::capacity));
        case opcode::send_batch:
            return messages.send_batch(at, *static_cast<message_batch*>(op.data));
        case opcode::send:
        case opcode::sendmsg: {
            if (!at.is_stream()) return messages.send(at, *static_cast<const message*>(op.data));
            const io_buffer piece = next_piece(op);
            if (piece.size == 0) return 0;
            return connections.send(at, piece.data, shorter(fault::short_write, piece.size));
        }
        default: return -EOPNOTSUPP;
    }
}

std::int64_t machine_backend::readable(int fd) const noexcept {
    const descriptor* at = find(fd);
    if (!at) return 0;
    if (!at->is_stream()) return at->received.empty() ? -1 : 0;
    if (!at->link) return 0;
    const stream_end& end = at->link->ends[at->end];
    const std::size_t arrived = at->link->pipes[1 - at->end].arrived;
    if (arrived > 0) return static_cast<std::int64_t>(arrived);
    return end.peer_ended || end.error != 0 || end.dead || !end.receives ? 0 : -1;
}

// --- names --------------------------------------------------------------------------------------

void machine_backend::start_lookup(operation& op) {
    duration takes = core_.options.first_in_first_out
                         ? duration(1ms)
                         : core_.packets.between(duration(100us), duration(20ms));
    if (core_.happens(fault::lookup_slow))
        takes += core_.faults.between(duration(1s), duration(10s));
    lookups_.push_back({&op, core_.now + takes});
}

time_point machine_backend::next_answer() const noexcept {
    time_point first = never;
    for (const lookup& each : lookups_) first = std::min(first, each.due);
    return first;
}

void machine_backend::finish_lookups() {
    for (std::size_t i = 0; i < lookups_.size();) {
        if (lookups_[i].due > core_.now) {
            ++i;
            continue;
        }
        operation& op = *lookups_[i].op;
        ANEL_ASSERT(op.code == opcode::resolve && op.state == op_state::in_flight);
        lookups_.erase(lookups_.begin() + static_cast<std::ptrdiff_t>(i));
        answer(op);
    }
}

// --- the crash ----------------------------------------------------------------------------------

void machine_backend::fail_everything() {
    for (const auto& at : descriptors_) {
        if (!at) continue;
        for (operation*& op : at->parked) {
            if (op) complete(*std::exchange(op, nullptr), -ECANCELED);
        }
        network_.connections().vanish(*at);
    }
    for (const lookup& each : std::exchange(lookups_, {})) complete(*each.op, -ECANCELED);
    bound_.clear();
}

std::int32_t machine_backend::control_while_crashing(operation& op) {
    descriptor* at = op.code == opcode::open_socket ? nullptr : find(op.fd);
    switch (op.code) {
        case opcode::close:
            if (!at) return -EBADF;
            close(*at);
            return 0;
        case opcode::local_address:
            return at ? local_address(*at, *static_cast<socket_address*>(op.data)) : -EBADF;
        case opcode::give_up: return 1;
        case opcode::open_socket: return -ENETDOWN;
        default: return 0;  // whatever it asks for, nobody sees it
    }
}

}  // namespace anel::sim
