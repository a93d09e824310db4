// ring.hpp: an io_uring as both servers that use it by hand set it up and wait on it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

#include <cstdint>

#include "server.hpp"

namespace server {

class ring {
public:
    ring() {
        // The memory of a ring another process has just left can still be accounted: ENOMEM passes.
        int result = -ENOMEM;
        for (unsigned entries = 4096; result == -ENOMEM && entries >= 64; entries /= 2) {
            io_uring_params parameters{};
            parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                               IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
            parameters.cq_entries = 4 * entries;
            result = io_uring_queue_init_params(entries, &ring_, &parameters);
            if (result == -ENOMEM) usleep(20'000);
        }
        if (result < 0) die("io_uring_queue_init_params", -result);
        io_uring_register_ring_fd(&ring_);  // saves a descriptor look-up per enter
    }
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    /// A free submission entry; when the queue is full an early enter empties it.
    io_uring_sqe* next() {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        if (sqe == nullptr) {
            const int result = io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
            if (sqe == nullptr) die("io_uring_submit", -result);
        }
        return sqe;
    }

    /// One io_uring_enter: submits what was queued, waits, and hands every completion to `handle`.
    template <class Handle>
    void turn(const Handle& handle) {
        const int result = io_uring_submit_and_wait(&ring_, 1);
        if (result < 0 && result != -EINTR && result != -EBUSY) die("io_uring_enter", -result);
        unsigned head = 0, n = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe) {
            handle(*cqe);
            ++n;
        }
        io_uring_cq_advance(&ring_, n);
    }

    io_uring* native() noexcept { return &ring_; }

private:
    io_uring ring_{};
};

inline std::string ring_details() {
    return "liburing " BENCH_LIBURING_VERSION
           ", SINGLE_ISSUER|DEFER_TASKRUN|SUBMIT_ALL, registered ring";
}

}  // namespace server
