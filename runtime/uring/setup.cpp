// setup.cpp: how a ring starts: from the best that kernels have to what this one lets us
// have, or not at all, with the reason; and how it goes.
//
// Only functions that liburing 2.3 has are used, and of its structures sq.kflags, where the kernel
// says what it has to tell, and ring_fd: the rest differs between versions, and a program may run
// beside another than it was built with.
// SPDX-License-Identifier: MIT
#include "runtime/uring/uring.hpp"

#include "runtime/backend/backends.hpp"
#include "runtime/system/sanitizer.hpp"

#include <anel/error.hpp>

#include <dlfcn.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace anel::detail {
namespace {

// What this backend cannot do without. EXT_ARG (5.11) is the youngest.
constexpr unsigned features_needed =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;

struct named_opcode {
    io_uring_op code;
    const char* name;
    bool needed = true;
};

// All that every ring uses. What only newer kernels have is asked for where it is used, and done
// without where it is refused.
constexpr named_opcode opcodes_tried[] = {
    {IORING_OP_CONNECT, "connect"},
    {IORING_OP_RECV, "recv"},
    {IORING_OP_SEND, "send"},
    {IORING_OP_RECVMSG, "recvmsg"},
    {IORING_OP_SENDMSG, "sendmsg"},
    {IORING_OP_POLL_ADD, "poll"},
    {IORING_OP_POLL_REMOVE, "poll removal"},
    {IORING_OP_ASYNC_CANCEL, "cancelling"},
    {IORING_OP_TIMEOUT, "timeout"},
    {IORING_OP_CLOSE, "close", false},
};

// How a kernel, a filter or a restriction says that it does not take an opcode. One that it takes
// finds no descriptor (EBADF), no message (EFAULT), or nothing to cancel (ENOENT).
constexpr bool is_refusal(std::int32_t result) noexcept {
    return result == -EINVAL || result == -EACCES || result == -EPERM || result == -EOPNOTSUPP ||
           result == -ENOSYS;
}

// An idle wait is not to be counted as I/O wait, or an idle server looks busy. Known from liburing
// 2.10 and Linux 6.15 on. The function is looked up when the program runs: linked, it would keep a
// program that was built beside a newer library from starting beside an older one.
void count_no_idle_wait(io_uring& ring) noexcept {
    using function = int(io_uring*, bool);
    void* const known = ::dlsym(RTLD_DEFAULT, "io_uring_set_iowait");
    if (known) (void)reinterpret_cast<function*>(known)(&ring, false);
}

}  // namespace

int uring::try_set_up(unsigned flags, unsigned entries, unsigned completions) noexcept {
    io_uring_params parameters{};
    parameters.flags = flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    parameters.cq_entries = std::max(completions, entries);
    const int error = io_uring_queue_init_params(entries, &ring_, &parameters);
    if (error < 0) return error;
    if ((parameters.features & features_needed) != features_needed) {
        io_uring_queue_exit(&ring_);
        return -EOPNOTSUPP;
    }
    closes_in_ring_ = (parameters.features & IORING_FEAT_CQE_SKIP) != 0;
    return 0;
}

// From the newest flags to none (kernels 6.1, 5.19, older), and from the wanted size to a tiny
// ring: an unprivileged process with a small RLIMIT_MEMLOCK cannot have a large one.
//
// A ring with deferred task work does not wake who polls its descriptor (seen on 6.18): it can be
// read from then on, but a poll(2) that sleeps is not told. So one for a host starts at the middle,
// where the host's own call runs the task work, and then there is a completion to be told of.
void uring::set_up(const backend_options& options, has_host hosted) {
    constexpr unsigned newest = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL;
    constexpr unsigned middle =
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL;
    constexpr unsigned smallest = 8;
    unsigned entries = std::max(options.submission_entries, 2U);
    unsigned completions = options.completion_entries;
    // The ring of a process that just ended is torn down later, and its memory counts until then.
    int patience = 5;
    for (;;) {
        int error = -EINVAL;
        for (const unsigned flags : {newest, middle, 0U}) {
            if (flags == newest && hosted == has_host::yes) continue;
            error = try_set_up(flags, entries, completions);
            must_enter_to_reap_ = (flags & IORING_SETUP_TASKRUN_FLAG) == 0;
            if (error != -EINVAL) break;
        }
        if (error == 0) break;
        if (error == -ENOMEM && patience > 0) {
            patience -= 1;
            (void)::poll(nullptr, 0, 2);
        } else if (error == -ENOMEM && entries > smallest) {
            entries /= 2;
            completions = std::max(completions / 2, 2 * entries);
        } else {
            throw_errno(-error, "io_uring_setup", {});
        }
    }
    mapped();
    io_uring_ring_dontfork(&ring_);
    // Saves a descriptor look-up per enter; not before 5.18.
    (void)io_uring_register_ring_fd(&ring_);
    count_no_idle_wait(ring_);
    try {
        try_each_opcode();
    } catch (...) {
        about_to_unmap();
        io_uring_queue_exit(&ring_);
        throw;
    }
}

// A filter may allow the set-up and refuse the use, of the ring or of a single operation (by rules
// that nothing can be asked for, since 7.0). What is refused here would later look like an error of
// the peer's, so every operation is tried, on no descriptor.
void uring::try_each_opcode() {
    msghdr nothing{};
    for (const named_opcode& opcode : opcodes_tried) {
        io_uring_sqe* sqe = next_sqe();
        if (!sqe) throw_errno(EBUSY, "io_uring_enter", {});
        const bool takes_message =
            opcode.code == IORING_OP_RECVMSG || opcode.code == IORING_OP_SENDMSG;
        io_uring_prep_rw(opcode.code, sqe, -1, takes_message ? &nothing : nullptr, 0, 0);
        if (takes_message || opcode.code == IORING_OP_TIMEOUT) sqe->len = 1;
        io_uring_sqe_set_data(sqe, const_cast<named_opcode*>(&opcode));
    }
    const named_opcode* refused = nullptr;
    std::int32_t how = 0;
    for (std::size_t answers = 0; answers < std::size(opcodes_tried);) {
        const int error = enter(1, forever);
        if (error < 0 && error != -EINTR) throw_errno(-error, "io_uring_enter", {});
        unsigned head = 0;
        unsigned seen = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe) {
            seen += 1;
            if (!is_refusal(cqe->res)) continue;
            const auto* opcode = static_cast<const named_opcode*>(io_uring_cqe_get_data(cqe));
            if (!opcode->needed) closes_in_ring_ = false;
            if (!opcode->needed || refused) continue;
            refused = opcode;
            how = cqe->res;
        }
        io_uring_cq_advance(&ring_, seen);
        answers += seen;
    }
    if (refused) throw_errno(-how, "io_uring", refused->name);
}

// The kernel tears a ring down after close() has returned. So everything is cancelled and seen to
// have ended first, and nothing of ours is the kernel's when the memory goes.
uring::~uring() {
    ANEL_ASSERT(in_flight() == 0);
    for (int fd = 0; fd < all_unread_.end(); ++fd) drop_unread(fd);
    for (; io_uring_sq_ready(&ring_) > 0; reap()) check(enter(0, forever));
    offers_.close(ring_);
    io_uring_sqe* sqe = waker_armed_ ? next_sqe() : nullptr;
    if (sqe) {
        io_uring_prep_poll_remove(sqe, static_cast<std::uint64_t>(tag::wake));
        io_uring_sqe_set_data64(sqe, static_cast<std::uint64_t>(tag::mask));
        while (waker_armed_) {
            check(enter(1, forever));
            reap();
        }
    }
    about_to_unmap();
    io_uring_queue_exit(&ring_);
}

std::unique_ptr<backend> make_uring_backend(const backend_options& options, has_host hosted) {
    return std::make_unique<uring>(options, hosted);
}

}  // namespace anel::detail
