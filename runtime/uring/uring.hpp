// uring.hpp: the io_uring backend: one ring, one io_uring_enter per turn of the loop.
//
// An operation's address is the user_data of its submission, with a tag in the low bits. `owed`
// counts the completions that the kernel still has to post for it: its own, that of its cancel, and
// notices, one per zero-copy send, that its memory is read no more. Only at zero is it done, so a
// late completion can never hit whatever lives at that address next. An operation in flight is in
// the kernel, or in starved_, or waits for bytes from a receive that belongs to the descriptor, or
// waits for notices only, or has ended, in ended_.
//
// Knows: liburing. Must not know: coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/backend/kernel_backend.hpp"
#include "runtime/backend/unread.hpp"
#include "runtime/uring/chunks.hpp"

#include <liburing.h>

#include <algorithm>
#include <cstdint>

namespace anel::detail {

/// Whether another connection is there already when one was accepted. One for each turn would make
/// the turns small, where connections come in bursts; asking a listener in vain costs a call.
class connection_bursts {
public:
    [[nodiscard]] bool are_likely() noexcept { return found_ > 0 || ++not_asked_ % 8 == 0; }
    void saw(bool another) noexcept {
        if (another) found_ = std::min(found_ + 2, 16);
        else if (found_ > 0) found_ -= 1;
    }

private:
    int found_ = 8;
    unsigned not_asked_ = 0;
};

class uring final : public kernel_backend {
public:
    uring(const backend_options& options, has_host hosted) : kernel_backend(options) {
        set_up(options, hosted);
    }
    ~uring() override;

    std::int32_t control(operation& op) noexcept override;
    void settle() noexcept override;
    bool start(operation& op) noexcept override;
    void stop(operation& op) noexcept override;
    void wait(time_point until, op_queue& done) noexcept override;
    [[nodiscard]] int pollable_descriptor() const noexcept override { return ring_.ring_fd; }
    [[nodiscard]] time_point due() noexcept override;
    [[nodiscard]] backend_kind kind() const noexcept override { return backend_kind::io_uring; }

private:
    // The low bits of user_data; above them stands an operation's address, or a descriptor.
    enum class tag : std::uint64_t { own, cancel, wake, receive, disarm, close, mask = 7 };
    static_assert(alignof(operation) >= 8);
    static std::uint64_t with_tag(int fd, tag what) noexcept {
        return static_cast<std::uint64_t>(fd) << 3 | static_cast<std::uint64_t>(what);
    }

    // setup.cpp: from the kernel's best to what it lets us have, and back to nothing.
    void set_up(const backend_options& options, has_host hosted);
    int try_set_up(unsigned flags, unsigned entries, unsigned completions) noexcept;
    void try_each_opcode();

    io_uring_sqe* next_sqe() noexcept;
    bool prepare(operation& op) noexcept;
    static void prepare_wait(operation& op, io_uring_sqe& sqe, unsigned events) noexcept;
    bool prepare_cancel(operation& op) noexcept;
    void flush_waiting() noexcept;
    int enter(unsigned wait_for, duration patience) noexcept;
    static void check(int returned) noexcept;
    bool kernel_has_news() const noexcept;
    bool all_told() noexcept;
    unsigned reap() noexcept;
    void completed(operation& op, std::int32_t result, std::uint32_t flags) noexcept;
    void cancelled(operation& op, std::int32_t answer) noexcept;
    void owed_one_less(operation& op) noexcept;
    void put_off(operation& op) noexcept;
    std::int32_t attempt_here(operation& op) noexcept;
    std::int32_t accept_at_once(operation& op) noexcept;

    // control.cpp: connections of sessions are closed by the next enter.
    bool prepare_close(int fd) noexcept;
    bool makes_room(std::int32_t result) noexcept;

    // zero_copy.cpp: sends from memory that the kernel reads in place.
    static bool prepare_zero_copy(operation& op, io_uring_sqe& sqe, std::size_t size) noexcept;
    static bool zero_copy_refused(operation& op, std::int32_t result) noexcept;
    void noticed(operation& op, std::int32_t usage) noexcept;
    static void let_go_of_memory(operation& op) noexcept;

    // In the flags of an operation.
    static constexpr std::uint32_t in_kernel = op_flag::first_of_backend;  // its completion is owed
    static constexpr std::uint32_t in_starved = in_kernel << 1;
    static constexpr std::uint32_t in_place = in_kernel << 2;  // what is in the kernel is zero-copy
    static constexpr std::uint32_t cut_short = in_kernel << 3;     // whole: more was asked for
    static constexpr std::uint32_t told_in_vain = in_kernel << 4;  // attempted: of an error alone

    // receive.cpp: receives that belong to a descriptor, not to an operation.
    bool belongs_to_unread(const operation& op) noexcept;
    bool ask_unread(operation& op) noexcept;
    bool leave_unread(const operation& op) noexcept;
    void drop_unread(int fd) noexcept;
    void open_unread();
    bool give_unread(unread_bytes& unread, operation& op) noexcept;
    void arm(int fd, unread_bytes& unread, io_uring_sqe* sqe) noexcept;
    void disarm(int fd, unread_bytes& unread) noexcept;
    void wait_for_chunk(int fd, unread_bytes& unread) noexcept;
    void arm_chunkless() noexcept;
    bool can_arm_chunkless() noexcept;
    void received(int fd, std::int32_t result, std::uint32_t flags) noexcept;
    void disarmed(int fd, std::int32_t answer) noexcept;
    bool lend_at_once(unread_bytes& unread, std::byte* data, std::int32_t size) noexcept;
    void keep(unread_bytes& unread, std::uint16_t chunk, std::byte* data,
              std::uint32_t size) noexcept;
    std::int32_t receive_now(int fd, unread_bytes& unread) noexcept;

    static constexpr duration forever = duration::max();

    io_uring ring_{};
    bool waker_armed_ = false;
    bool closes_in_ring_ = false;      // Linux 5.17, where nothing refuses it
    bool closing_ = false;             // a close may be in the submission queue
    bool must_enter_to_reap_ = false;  // no TASKRUN flag: only a system call shows what is there
    op_queue starved_;                 // in flight, but not yet in the submission queue
    op_queue unsent_cancels_;          // operations whose cancel found no room
    op_queue being_cancelled_;         // cancelled while a thread of the kernel was at them
    time_point ask_again_at_{};        // for these

    unread_table all_unread_;
    chunk_offers offers_;
    bool unread_open_ = false;
    bool multishot_works_ = true;  // Linux 6.0
    int first_chunkless_ = -1;     // descriptors that wait for a chunk or for an entry, by number
    int last_chunkless_ = -1;
    std::uint32_t turn_ = 0;
    unsigned reaped_ = 0;  // completions that the last wait found
    connection_bursts bursts_;
};

}  // namespace anel::detail
